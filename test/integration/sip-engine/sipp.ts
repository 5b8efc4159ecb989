import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SCENARIOS = join(import.meta.dirname, '../../../sip/scenarios');

export function hasSipp(): boolean {
  try {
    execFileSync('sipp', ['-v'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    // SIPp answers -v with an exit code of its own; only its absence counts.
    return error instanceof Error && !('code' in error && error.code === 'ENOENT');
  }
}

/** Resolves once somebody listens on that port: SIPp says nothing when it is ready. */
export async function untilTaken(port: number, transport: 'udp' | 'tcp'): Promise<void> {
  for (let attempt = 0; attempt < 250; attempt++) {
    if (await (transport === 'udp' ? isUdpTaken(port) : isTcpTaken(port))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('nobody listens');
}

function isUdpTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => socket.close(() => resolve(true)));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(false)));
  });
}

function isTcpTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(true));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)));
  });
}

export interface SippOptions {
  /** File in sip/scenarios without `.xml`. */
  readonly scenario: string;
  /** Where a calling scenario calls; a called one waits instead. */
  readonly remote?: { readonly address: string; readonly port: number };
  readonly localPort?: number;
  readonly transport?: 'udp' | 'tcp';
  readonly calls?: number;
  readonly extra?: readonly string[];
}

/** Runs a scenario to its end. Rejects with SIPp's own errors when it did not complete. */
export function sipp(options: SippOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sipp-'));
  const place =
    options.remote === undefined ? [] : [`${options.remote.address}:${options.remote.port}`];
  const args = [
    '-sf',
    join(SCENARIOS, `${options.scenario}.xml`),
    '-m',
    String(options.calls ?? 1),
    '-i',
    '127.0.0.1',
    ...(options.localPort === undefined ? [] : ['-p', String(options.localPort)]),
    '-t',
    options.transport === 'tcp' ? 't1' : 'u1',
    '-timeout',
    '15s',
    '-timeout_error',
    '-nostdin',
    '-trace_err',
    ...(options.extra ?? []),
    ...place,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn('sipp', args, { cwd: folder, stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (code) => {
      const errors = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
      rmSync(folder, { recursive: true });
      if (code === 0) resolve();
      else reject(new Error(`SIPp ${options.scenario} ended with ${code}: ${errors.join('\n')}`));
    });
  });
}
