import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Srf from 'drachtio-srf';
import { startSipEngine } from '../../src/sip-engine/sip-engine.ts';
import { percentiles } from './percentiles.ts';

export interface SignalingBenchOptions {
  /** Calls per second that SIPp starts. */
  readonly callsPerSecond: number;
  readonly calls: number;
}

/** One run of INVITE, 200, ACK, BYE, 200. Times in milliseconds. */
export interface SignalingBenchResult {
  readonly completed: number;
  readonly failed: number;
  readonly retransmissions: number;
  readonly achievedCallsPerSecond: number;
  /** user + sys of this process: engine and drachtio-srf together. */
  readonly cpuPerCallMs: number;
  /** The same for the first calls of the process, whose code is still being compiled. */
  readonly coldCpuPerCallMs: number;
  /** INVITE to 200, as SIPp saw it: resolution 1 ms. */
  readonly answerP50Ms: number;
  readonly answerP99Ms: number;
}

/** A SIPp UAS in the place of engine and application. */
export interface SippReference {
  readonly completed: number;
  readonly cpuPerCallMs: number;
  /** Compiled code has no cold start. */
  readonly coldCpuPerCallMs?: number;
  readonly answerP50Ms: number;
  readonly answerP99Ms: number;
}

const SCENARIO = join(import.meta.dirname, '../../sip/scenarios/caller-hangs-up.xml');
const CALL_MS = 100;
/** A daemon lives for weeks: what its first seconds cost is a figure of its own. */
const COLD: SignalingBenchOptions = { callsPerSecond: 100, calls: 400 };
const WARM_UP: SignalingBenchOptions = { callsPerSecond: 400, calls: 2000 };
const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n';

/** Calls through the embedded engine and drachtio-srf in this process. Needs SIPp. */
export async function benchSignaling(
  options: SignalingBenchOptions,
): Promise<SignalingBenchResult> {
  const engine = await startSipEngine({ host: '127.0.0.1', port: 0, secret: 'bench-secret' });
  const srf = new Srf();
  srf.invite((req, res) => {
    srf.createUAS(req, res, { localSdp: SDP }, () => {});
  });
  await new Promise<void>((resolve) => {
    srf.on('connect', () => resolve());
    void srf.connect({ host: '127.0.0.1', port: engine.admin.port, secret: 'bench-secret' });
  });
  const port = engine.listening[0]?.port ?? 0;
  try {
    const cold = await measured(port, COLD);
    await call(port, WARM_UP);
    const startedMs = performance.now();
    const { cpuPerCallMs, ...result } = await measured(port, options);
    return {
      ...result,
      achievedCallsPerSecond: (options.calls / (performance.now() - startedMs - CALL_MS)) * 1000,
      cpuPerCallMs,
      coldCpuPerCallMs: cold.cpuPerCallMs,
    };
  } finally {
    srf.disconnect();
    await engine.close();
  }
}

async function measured(port: number, options: SignalingBenchOptions) {
  const before = process.cpuUsage();
  const result = await call(port, options);
  const { user, system } = process.cpuUsage(before);
  return { ...result, cpuPerCallMs: (user + system) / 1000 / options.calls };
}

/** The same calls against SIPp's own UAS: the floor for a C++ user agent without dialogs or an application. */
export async function benchSippReference(options: SignalingBenchOptions): Promise<SippReference> {
  const port = await freeUdpPort();
  const args = ['-sn', 'uas', '-i', '127.0.0.1', '-p', String(port), '-nostdin'];
  const child = spawn('sipp', args, { stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    await call(port, { callsPerSecond: 10, calls: 5 });
    const before = cpuTicks(child.pid ?? 0);
    const result = await call(port, options);
    const cpuMs = (cpuTicks(child.pid ?? 0) - before) * 10;
    return { ...result, cpuPerCallMs: cpuMs / options.calls };
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

/** utime + stime of a Linux process, in ticks of 10 ms. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

async function call(port: number, { callsPerSecond, calls }: SignalingBenchOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-sipp-'));
  const args = [
    '-sf',
    SCENARIO,
    '-i',
    '127.0.0.1',
    '-r',
    String(callsPerSecond),
    '-m',
    String(calls),
    '-d',
    String(CALL_MS),
    '-l',
    '20000',
    '-nostdin',
    '-timeout',
    '60s',
    '-trace_stat',
    '-stf',
    'stat.csv',
    '-fd',
    '1',
    '-trace_rtt',
    '-rtt_freq',
    '1',
    `127.0.0.1:${port}`,
  ];
  const child = spawn('sipp', args, { cwd: folder, stdio: 'ignore' });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
  try {
    return readResult(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readResult(folder: string) {
  const [head = '', ...rows] = readFileSync(join(folder, 'stat.csv'), 'utf8').trim().split('\n');
  const names = head.split(';');
  const last = rows.at(-1)?.split(';') ?? [];
  const value = (name: string): number => Number(last[names.indexOf(name)]);
  const rtt = readdirSync(folder).find((name) => name.endsWith('_rtt.csv'));
  const answers = rtt === undefined ? [] : readAnswers(join(folder, rtt));
  const { p50, p99 } = percentiles(answers);
  return {
    completed: value('SuccessfulCall(C)'),
    failed: value('FailedCall(C)'),
    retransmissions: value('Retransmissions(C)'),
    answerP50Ms: p50,
    answerP99Ms: p99,
  };
}

function readAnswers(file: string): number[] {
  const rows = readFileSync(file, 'utf8').trim().split('\n').slice(1);
  return rows.map((row) => Number(row.split(';')[1])).filter(Number.isFinite);
}

function freeUdpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
