import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Who a process is, so that another one can tell whether it still lives. */
export interface ProcessIdentity {
  /** Same machine, same boot, same process numbers: only then may `pid` be looked at. */
  readonly machine: string;
  readonly pid: number;
  /** When the process began, in the kernel's own count: process numbers are used again. */
  readonly processStarted: string;
}

export function ownIdentity(): ProcessIdentity {
  return {
    machine: machineIdentity(),
    pid: process.pid,
    processStarted: processStarted(process.pid) ?? '',
  };
}

/** True only when the process is certainly gone; false when it lives or cannot be seen. */
export function isCertainlyDead(other: ProcessIdentity): boolean {
  if (other.machine !== machineIdentity()) return false;
  const started = processStarted(other.pid);
  if (started !== null) return other.processStarted !== '' && started !== other.processStarted;
  try {
    process.kill(other.pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

function machineIdentity(): string {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const pidSpace = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return [hostname(), boot ?? '', pidSpace ?? ''].join(' ');
}

/** Field 22 of /proc/pid/stat. A process that is dead but not yet collected does not count. */
function processStarted(pid: number): string | null {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat === null) return null;
  // The name, in parentheses, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : (fields[19] ?? null);
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
