import { fork } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { CodecName } from '../../src/model/media.ts';
import type { MediaBenchJob } from './media-worker.ts';
import { type Percentiles, percentiles } from './percentiles.ts';

// As the daemon does; it holds for the reference too.
setFlagsFromString('--no-parallel-scavenge');

const WARM_UP_MS = 2000;
const MEASURE_MS = 5000;

export interface MediaBenchResult {
  readonly name: string;
  readonly legs: number;
  /** CPU of the worker's thread, in percent of a core, divided by legs. */
  readonly cpuPercentPerLeg: number;
  /** |gap - 20 ms| of what the legs sent, where it is handed to the kernel. */
  readonly pacingMs: Percentiles;
  /** Part of the time that the worker was ready and had no core: the machine's noise. */
  readonly waitingForCorePercent: number;
  /** Longest garbage collection. */
  readonly gcMaxMs: number;
  readonly memoryKibPerLeg: number;
  readonly stats: Readonly<Record<string, number>>;
}

interface WorkerFigures {
  readonly stats: Readonly<Record<string, number>>;
  readonly cpuMs: number;
  readonly runQueueMs: number;
  readonly deviationsMs: Float64Array;
  readonly gcMaxMs: number;
  readonly memoryBytes: number;
}

async function message(from: Worker | ReturnType<typeof fork>): Promise<unknown> {
  const failed = once(from, 'exit').then(() => {
    throw new Error('a process of the bench ended early');
  });
  const [received] = await Promise.race([once(from, 'message'), failed]);
  return received;
}

/** One run of about eight seconds. Linux only: it reads the thread's times from /proc. */
export async function benchMedia(
  kind: MediaBenchJob['kind'],
  codec: CodecName,
  legs: number,
  { opus = 'native', suite = null }: Partial<Pick<MediaBenchJob, 'opus' | 'suite'>> = {},
): Promise<MediaBenchResult> {
  const phones = fork(
    new URL('media-phones.ts', import.meta.url),
    [codec, String(legs), suite ?? 'plain'],
    {
      execArgv: ['--import', 'ts-blank-space/register'],
    },
  );
  const { ports: remotePorts } = (await message(phones)) as { ports: number[] };
  const job: MediaBenchJob = { kind, codec, opus, suite, remotePorts };
  const worker = new Worker(new URL('media-worker.ts', import.meta.url), { workerData: job });
  try {
    phones.send((await message(worker)) as { ports: number[] });
    await sleep(WARM_UP_MS);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
    worker.postMessage('begin');
    const startedMs = performance.now();
    await sleep(MEASURE_MS);
    const elapsedMs = performance.now() - startedMs;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, no window
    worker.postMessage('end');
    const figures = (await message(worker)) as WorkerFigures;
    return {
      name: `${kind} ${codec}${codec === 'opus' ? ` (${opus})` : ''}${suite === null ? '' : ` ${suite}`}`,
      legs,
      cpuPercentPerLeg: (figures.cpuMs / elapsedMs / legs) * 100,
      pacingMs: percentiles(figures.deviationsMs),
      waitingForCorePercent: (figures.runQueueMs / elapsedMs) * 100,
      gcMaxMs: figures.gcMaxMs,
      memoryKibPerLeg: figures.memoryBytes / 1024 / legs,
      stats: figures.stats,
    };
  } finally {
    await worker.terminate();
    phones.disconnect();
  }
}
