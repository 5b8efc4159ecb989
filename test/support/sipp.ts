import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { freeUdpPort } from './free-port.ts';

/** One run of SIPp. */
export interface SippRun {
  /** File name in `sip/scenarios`, without `.xml`. */
  readonly scenario: string;
  /** Whom a calling scenario calls; an answering one (`isServer`) is only told an address. */
  readonly remote: { readonly host: string; readonly port: number };
  /** The scenario waits to be called, on `localPort`. */
  readonly isServer?: boolean;
  /** Default: a free one. */
  readonly localPort?: number;
  readonly transport?: 'udp' | 'tcp';
  /** User part of whom is called; default `demo`. */
  readonly service?: string;
  readonly calls?: number;
  readonly callsPerSecond?: number;
  /** `[name]` in the scenario becomes the value. */
  readonly keys?: Readonly<Record<string, string>>;
  /** The run is killed and fails after this; default 15 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface SippResult {
  /** 0: every call went as the scenario says. */
  readonly exitCode: number;
  readonly successfulCalls: number;
  readonly failedCalls: number;
  readonly retransmissions: number;
  /** What SIPp found wrong, at most 16,000 characters. */
  readonly errors: string;
}

const SCENARIOS = join(import.meta.dirname, '../../sip/scenarios');
const LISTENING_ATTEMPTS_MAX = 100;
const LISTENING_POLL_MS = 20;
const ERRORS_CHARACTERS_MAX = 16_000;
const MISSING = 'SIPp is not installed (Debian: apt-get install sip-tester)';

let isFound: boolean | null = null;
const hasSipp = (): boolean => {
  isFound ??= spawnSync('sipp', ['-v'], { stdio: 'ignore' }).error === undefined;
  return isFound;
};

/** Skips a test, visibly, where SIPp is not installed. Call it first, as `needsSipp(this)`. */
export function needsSipp(context: Mocha.Context): void {
  if (hasSipp()) return;
  process.stderr.write(`skipped: ${MISSING}\n`);
  context.skip();
}

/** Runs one scenario to its end. Rejects only when SIPp could not be run at all. */
export async function runSipp(run: SippRun): Promise<SippResult> {
  if (!hasSipp()) throw new Error(MISSING);
  const folder = await mkdtemp(join(tmpdir(), 'sipp-'));
  try {
    // Left to itself SIPp would take 5060 whenever that is free.
    const localPort = run.localPort ?? (await freeUdpPort());
    const exitCode = await execute(argumentsOf(run, localPort, folder), folder, run);
    const errors = await readFile(join(folder, 'errors.log'), 'utf8').catch(() => '');
    const counters = await readFile(join(folder, 'stat.csv'), 'utf8').catch(() => '');
    return { exitCode, ...readCounters(counters), errors: errors.slice(0, ERRORS_CHARACTERS_MAX) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a scenario and throws, with what SIPp says, unless every call went well. */
export async function sipp(run: SippRun): Promise<SippResult> {
  const result = await runSipp(run);
  const calls = run.calls ?? 1;
  if (result.exitCode !== 0 || result.successfulCalls !== calls) {
    const { exitCode, successfulCalls, errors } = result;
    const facts = `exit code ${exitCode}, ${successfulCalls} of ${calls} calls went well`;
    throw new Error(`SIPp scenario ${run.scenario}: ${facts}\n${errors}`);
  }
  return result;
}

/** A scenario that waits to be called. */
export interface SippCallee {
  /** UDP port it listens on. */
  readonly port: number;
  /** Rejects unless its calls went as the scenario says. */
  readonly done: Promise<SippResult>;
}

/** Starts a scenario that waits to be called, and returns once it listens. */
export async function sippCallee(scenario: string): Promise<SippCallee> {
  const port = await freeUdpPort();
  const remote = { host: '127.0.0.1', port };
  const done = sipp({ scenario, remote, isServer: true, localPort: port });
  // Whoever started it looks at this later; until then a failure is not "unhandled".
  done.catch(() => {});
  for (let attempt = 0; attempt < LISTENING_ATTEMPTS_MAX && (await isFree(port)); attempt += 1) {
    await delay(LISTENING_POLL_MS);
  }
  return { port, done };
}

async function isFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.on('error', () => {
      resolve(false);
    });
    socket.bind(port, '127.0.0.1', () => {
      socket.close(() => {
        resolve(true);
      });
    });
  });
}

function argumentsOf(run: SippRun, localPort: number, folder: string): string[] {
  const { scenario, remote, isServer = false, transport = 'udp', keys = {} } = run;
  const { calls = 1, callsPerSecond = 10, timeoutMs = 15_000, service = 'demo' } = run;
  return [
    ...(isServer ? [] : [`${remote.host}:${remote.port}`]),
    '-nostdin',
    '-timeout_error',
    ...pairs({
      sf: join(SCENARIOS, `${scenario}.xml`),
      i: '127.0.0.1',
      mi: '127.0.0.1',
      p: localPort,
      t: transport === 'tcp' ? 't1' : 'u1',
      m: calls,
      r: callsPerSecond,
      s: service,
      timeout: `${timeoutMs}ms`,
      recv_timeout: timeoutMs,
    }),
    '-trace_err',
    ...pairs({ error_file: join(folder, 'errors.log') }),
    '-trace_stat',
    ...pairs({ stf: join(folder, 'stat.csv'), fd: 1 }),
    ...Object.entries(keys).flatMap(([name, value]) => ['-key', name, value]),
  ];
}

const pairs = (options: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)]);

function execute(args: readonly string[], cwd: string, run: SippRun): Promise<number> {
  return new Promise((resolve, reject) => {
    const killAfterMs = (run.timeoutMs ?? 15_000) + 5_000;
    const child = spawn('sipp', args, {
      cwd,
      stdio: 'ignore',
      env: { ...process.env, TERM: 'dumb' },
    });
    const kill = () => child.kill('SIGKILL');
    const timer = setTimeout(kill, killAfterMs);
    run.signal?.addEventListener('abort', kill, { once: true });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      run.signal?.removeEventListener('abort', kill);
      resolve(code ?? 137);
    });
  });
}

/** The last line of SIPp's statistics; columns are found by name. */
function readCounters(csv: string): Omit<SippResult, 'exitCode' | 'errors'> {
  const lines = csv.trim().split('\n');
  const names = (lines[0] ?? '').split(';');
  const values = (lines.length > 1 ? (lines.at(-1) ?? '') : '').split(';');
  const counter = (name: string) => Number(values[names.indexOf(name)] ?? 0) || 0;
  return {
    successfulCalls: counter('SuccessfulCall(C)'),
    failedCalls: counter('FailedCall(C)'),
    retransmissions: counter('Retransmissions(C)'),
  };
}
