import { readFileSync } from 'node:fs';

/** Clock ticks a second in /proc (sysconf(_SC_CLK_TCK); 100 on every Linux we know). */
const TICKS_PER_SECOND = 100;

/** User and system time of a process, all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function residentKib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

const IDLE_PERCENT = 4;
const IDLE_WITHIN_MS = 45_000;

/** Resolves when the process has hardly used a core for two seconds: nothing is warming up. */
export async function untilIdle(pid: number): Promise<void> {
  const deadline = Date.now() + IDLE_WITHIN_MS;
  for (let isIdle = false; !isIdle && Date.now() < deadline; ) {
    const before = cpuSeconds(pid);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    isIdle = ((cpuSeconds(pid) - before) / 2) * 100 < IDLE_PERCENT;
  }
}
