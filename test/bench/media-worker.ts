import { createSocket, Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { MediaEngine } from '../../src/media/media-engine.ts';
import type { RtpLeg } from '../../src/media/rtp-leg.ts';
import type { CodecName, RtpParameters, SrtpKeys } from '../../src/model/media.ts';
import { tone } from '../support/audio.ts';
import { benchKeys } from './bench-keys.ts';

/** What the bench asks of one worker. */
export interface MediaBenchJob {
  readonly kind: 'trunkline' | 'plain-node';
  readonly codec: CodecName;
  /** Where each leg sends: the ports of the far phones. */
  readonly remotePorts: readonly number[];
  readonly opus: 'native' | 'wasm';
  /** SRTP both ways; null: plain RTP. */
  readonly suite: SrtpKeys['suite'] | null;
}

const PAYLOAD_TYPE: Record<CodecName, number> = { pcmu: 0, pcma: 8, g722: 9, opus: 111 };
/** The talker writes a second of speech-like sound whenever less than this is queued. */
const LOW_WATER_MS = 400;

const job: MediaBenchJob = workerData;

function parametersTo(port: number): RtpParameters {
  return {
    codec: job.codec,
    payloadType: PAYLOAD_TYPE[job.codec],
    ptimeMs: 20,
    telephoneEventPayloadType: 101,
    telephoneEventClockRateHz: 8000,
    comfortNoisePayloadType: null,
    opusUseDtx: false,
    opusUseFec: false,
    remoteAddress: '127.0.0.1',
    remotePort: port,
    rtcpMux: true,
    remoteRtcpPort: port,
    direction: 'sendrecv',
    srtp: job.suite === null ? null : { local: benchKeys(job.suite), remote: benchKeys(job.suite) },
  };
}

async function startLegs(engine: MediaEngine): Promise<RtpLeg[]> {
  const legs: RtpLeg[] = [];
  for (const port of job.remotePorts) {
    const leg = await engine.openLeg();
    await leg.update(parametersTo(port));
    const { sink, source } = leg;
    const rateHz = sink.preferredSampleRateHz;
    const speech = { samples: tone(300, rateHz, 1000), sampleRateHz: rateHz };
    source.onFrame(() => {
      if (sink.queuedMs() < LOW_WATER_MS) sink.write(speech);
    });
    legs.push(leg);
  }
  return legs;
}

async function runTrunkline(): Promise<() => Record<string, number>> {
  const engine = await MediaEngine.start({
    bindAddress: '127.0.0.1',
    ports: { min: 43000, max: 43999 },
    portDrainMs: 0,
    opus: job.opus,
  });
  const legs = await startLegs(engine);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
  parentPort?.postMessage({ ports: legs.map((leg) => leg.local.port) });
  return () => ({
    received: legs.reduce((sum, leg) => sum + leg.report().packetsReceived, 0),
    unauthenticated: legs.reduce((sum, leg) => sum + leg.report().packetsUnauthenticated, 0),
    concealed: legs.reduce((sum, leg) => sum + leg.report().framesConcealed, 0),
    latenessP99Ms: engine.lateness.quantileMs(0.99),
    latenessMaxMs: engine.lateness.maxMs,
  });
}

/** The least any Node program does: one timer, one socket per leg, no codec, no buffer. */
async function runPlainNode(): Promise<() => Record<string, number>> {
  let received = 0;
  const packet = Buffer.alloc(172);
  packet[0] = 0x80;
  const sockets = await Promise.all(
    job.remotePorts.map(async () => {
      const socket = createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      socket.on('message', () => {
        received += 1;
      });
      return socket;
    }),
  );
  let sequence = 0;
  setInterval(() => {
    sequence = (sequence + 1) & 0xffff;
    packet.writeUInt16BE(sequence, 2);
    for (const [index, socket] of sockets.entries()) {
      socket.send(packet, job.remotePorts[index], '127.0.0.1');
    }
  }, 20);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
  parentPort?.postMessage({ ports: sockets.map((socket) => socket.address().port) });
  return () => ({ received });
}

/**
 * |gap - 20 ms| of what each socket sends, taken where it is handed to the kernel: on loopback
 * the far socket has it before `send` returns, so nobody else's stall is counted as ours.
 */
function watchSending(): number[] {
  const deviations: number[] = [];
  const lastMs = new Map<Socket, number>();
  const send = Reflect.get(Socket.prototype, 'send') as (...args: unknown[]) => void;
  Socket.prototype.send = function stamped(this: Socket, ...args: unknown[]) {
    const packet = args[0] as Uint8Array;
    const isRtcp = packet[1]! >= 192 && packet[1]! <= 223;
    send.apply(this, args);
    if (isRtcp) return;
    const nowMs = performance.now();
    const last = lastMs.get(this);
    if (last !== undefined) deviations.push(Math.abs(nowMs - last - 20));
    lastMs.set(this, nowMs);
  };
  return deviations;
}

/** What the kernel counts of this thread: its time on a core, and its time waiting for one. */
function threadTimes(): { cpuMs: number; runQueueMs: number } {
  const task = readlinkSync('/proc/thread-self').split('/').at(-1);
  const fields = readFileSync(`/proc/self/task/${task}/schedstat`, 'utf8').split(' ');
  return { cpuMs: Number(fields[0]) / 1e6, runQueueMs: Number(fields[1]) / 1e6 };
}

function watchCollections(): number[] {
  const durations: number[] = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) durations.push(entry.duration);
  }).observe({ entryTypes: ['gc'] });
  return durations;
}

const deviations = watchSending();
const collections = watchCollections();
const stats = await (job.kind === 'trunkline' ? runTrunkline() : runPlainNode());
let before = threadTimes();
parentPort?.on('message', (message) => {
  if (message === 'begin') {
    deviations.length = 0;
    collections.length = 0;
    before = threadTimes();
    return;
  }
  const { cpuMs, runQueueMs } = threadTimes();
  const { heapUsed, external } = process.memoryUsage();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
  parentPort?.postMessage({
    stats: stats(),
    cpuMs: cpuMs - before.cpuMs,
    runQueueMs: runQueueMs - before.runQueueMs,
    deviationsMs: Float64Array.from(deviations),
    gcMaxMs: Math.max(0, ...collections),
    memoryBytes: heapUsed + external,
  });
});
