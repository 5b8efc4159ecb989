import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { CodecName } from '../../src/model/media.ts';
import { openPhoneCodec } from '../support/phone-codec.ts';
import type { MediaBenchJob } from './media-worker.ts';

const WARM_UP_MS = 2000;
const MEASURE_MS = 5000;
const PHONE_PHASES = 10;

export interface MediaBenchResult {
  readonly name: string;
  readonly legs: number;
  /** CPU of the whole worker thread, in percent of a core, divided by legs. */
  readonly cpuPercentPerLeg: number;
  /** |gap - 20 ms| of what the legs sent, at the receiver's kernel as Node sees it. */
  readonly pacingP50Ms: number;
  readonly pacingP99Ms: number;
  readonly pacingP999Ms: number;
  readonly memoryKibPerLeg: number;
  readonly stats: Readonly<Record<string, number>>;
}

interface Phones {
  readonly ports: readonly number[];
  readonly gaps: number[];
  start(ports: readonly number[]): void;
  close(): void;
}

/** Far ends that send a packet every 20 ms, spread over the frame, and stamp what comes. */
async function openPhones(count: number, codec: CodecName): Promise<Phones> {
  const phoneCodec = await openPhoneCodec(codec);
  const frameSamples = phoneCodec.sampleRateHz / 50;
  const payload = phoneCodec.encode(
    Int16Array.from({ length: frameSamples }, (_, n) => 6000 * Math.sin(n / 8)),
  );
  const gaps: number[] = [];
  const sockets = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      let lastMs = 0;
      socket.on('message', (packet) => {
        const second = packet[1] ?? 0;
        if (second >= 192 && second <= 223) return;
        const nowMs = performance.now();
        if (lastMs > 0) gaps.push(Math.abs(nowMs - lastMs - 20));
        lastMs = nowMs;
      });
      return socket;
    }),
  );
  let timer: NodeJS.Timeout | undefined;
  return {
    ports: sockets.map((socket) => socket.address().port),
    gaps,
    start(ports) {
      const packets = sockets.map((_, index) => {
        const packet = Buffer.alloc(12 + payload.length);
        packet[0] = 0x80;
        packet[1] = phoneCodec.payloadType;
        packet.writeUInt32BE(index + 1, 8);
        packet.set(payload, 12);
        return packet;
      });
      const originMs = performance.now();
      let slot = 0;
      const tick = () => {
        for (; originMs + slot * 2 <= performance.now(); slot += 1) {
          const sequence = Math.floor(slot / PHONE_PHASES) & 0xffff;
          for (let index = slot % PHONE_PHASES; index < count; index += PHONE_PHASES) {
            packets[index]!.writeUInt16BE(sequence, 2);
            packets[index]!.writeUInt32BE((sequence * phoneCodec.frameTicks) >>> 0, 4);
            sockets[index]!.send(packets[index]!, ports[index], '127.0.0.1');
          }
        }
        timer = setTimeout(tick, Math.max(1, originMs + slot * 2 - performance.now()));
      };
      tick();
    },
    close() {
      clearTimeout(timer);
      for (const socket of sockets) socket.close();
      phoneCodec.close();
    },
  };
}

/** CPU of one thread of this process, in milliseconds, by the kernel's count. */
async function threadCpuMs(threadName: ReadonlySet<string>): Promise<number> {
  const { readdir, readFile } = await import('node:fs/promises');
  let ticks = 0;
  for (const thread of await readdir('/proc/self/task')) {
    if (threadName.has(thread)) continue;
    const stat = await readFile(`/proc/self/task/${thread}/stat`, 'utf8').catch(() => '');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks * 10;
}

/** Threads that exist already are not the worker's. */
async function threads(): Promise<ReadonlySet<string>> {
  const { readdir } = await import('node:fs/promises');
  return new Set(await readdir('/proc/self/task'));
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function nextMessage(worker: Worker): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** One run of about eight seconds. Linux only: it reads the worker thread's CPU from /proc. */
export async function benchMedia(
  kind: MediaBenchJob['kind'],
  codec: CodecName,
  legs: number,
  opus: 'native' | 'wasm' = 'native',
): Promise<MediaBenchResult> {
  const phones = await openPhones(legs, codec);
  const others = await threads();
  const job: MediaBenchJob = { kind, codec, opus, remotePorts: phones.ports };
  const worker = new Worker(new URL('media-worker.ts', import.meta.url), { workerData: job });
  const { ports } = await nextMessage(worker);
  phones.start(ports as number[]);
  await sleep(WARM_UP_MS);
  phones.gaps.length = 0;
  const cpuBefore = await threadCpuMs(others);
  const startedMs = performance.now();
  await sleep(MEASURE_MS);
  const cpuMs = (await threadCpuMs(others)) - cpuBefore;
  const elapsedMs = performance.now() - startedMs;
  const gaps = [...phones.gaps].sort((a, b) => a - b);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
  worker.postMessage('stats');
  const { stats, memoryBytes } = await nextMessage(worker);
  await worker.terminate();
  phones.close();
  return {
    name: `${kind} ${codec}${codec === 'opus' ? ` (${opus})` : ''}`,
    legs,
    cpuPercentPerLeg: (cpuMs / elapsedMs / legs) * 100,
    pacingP50Ms: quantile(gaps, 0.5),
    pacingP99Ms: quantile(gaps, 0.99),
    pacingP999Ms: quantile(gaps, 0.999),
    memoryKibPerLeg: (memoryBytes as number) / 1024 / legs,
    stats: stats as Record<string, number>,
  };
}

/** CPU and pacing of media alone at 1, 50 and 100 legs, beside plain Node in the same run. */
export async function benchMediaTable(): Promise<MediaBenchResult[]> {
  const results: MediaBenchResult[] = [];
  for (const legs of [1, 50, 100]) {
    results.push(await benchMedia('plain-node', 'pcmu', legs));
    results.push(await benchMedia('trunkline', 'pcmu', legs));
    results.push(await benchMedia('trunkline', 'opus', legs));
  }
  return results;
}
