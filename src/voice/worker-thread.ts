import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CodecName } from '../model/media.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import { VoiceError } from './voice-error.ts';

/** What a worker is born with; everything must survive structured clone. */
export interface VoiceWorkerData {
  /** Address that RTP sockets bind to. */
  readonly mediaHost: string;
  /** Address announced in session descriptions, null: `mediaHost`. */
  readonly externalAddress: string | null;
  /** The daemon's whole port range, both ends included; each worker takes its own slice. */
  readonly ports: { readonly first: number; readonly last: number };
  /** UDP port of the first worker's browsers, that of each other worker the next; 0: any. */
  readonly webRtcPort: number;
  /** Which worker this is, of how many. */
  readonly index: number;
  readonly workers: number;
  /** Silence on the wire that ends a call, unless it is on hold. */
  readonly rtpTimeoutMs: number;
  readonly hasStrictSources: boolean;
}

export interface WorkerThreadOptions {
  readonly workerData: VoiceWorkerData;
  onMessage(message: FromWorker): void;
  /** Once, when the thread has gone. `error` is null after `terminate`. */
  onExit(error: Error | null): void;
}

const READY_TIMEOUT_MS = 30_000;
/** A thread that does not end within this is stuck, and nothing is lost with it any more. */
const STOP_TIMEOUT_MS = 3_000;
/** Heap of one worker; a leak ends that worker, not the daemon. */
const HEAP_MAX_MIB = 1_024;

/** One voice worker as a thread: starts it, posts to it, tells when it dies. */
export class WorkerThread {
  readonly #worker: Worker;
  /** Resolves at `worker-ready`; rejects with `VoiceError` when that never comes. */
  readonly ready: Promise<void>;
  codecs: readonly CodecName[] = [];
  legCount = 0;

  constructor(options: WorkerThreadOptions) {
    // From source and from `dist` alike: tsc does not rewrite this URL.
    const entry = new URL(`./voice-worker${extname(import.meta.filename)}`, import.meta.url);
    const resourceLimits = { maxOldGenerationSizeMb: HEAP_MAX_MIB };
    this.#worker = new Worker(entry, { workerData: options.workerData, resourceLimits });
    this.ready = this.#whenReady();
    // Whoever starts a thread awaits `ready`; this only keeps Node quiet until then.
    this.ready.catch(() => {});
    this.#worker.on('message', (message: FromWorker) => options.onMessage(message));
    let failure: Error | null = null;
    this.#worker.on('error', (error: Error) => {
      failure = error;
    });
    this.#worker.once('exit', () => options.onExit(failure));
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** Asks the thread to close everything and end; cuts it off when it does not. */
  async stop(): Promise<void> {
    const exited = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    const timer = setTimeout(() => void this.#worker.terminate(), STOP_TIMEOUT_MS);
    this.post({ type: 'stop-worker' });
    await exited;
    clearTimeout(timer);
  }

  /** Cuts the thread off. One that has met a browser takes the whole process with it. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #whenReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = () => {
        clearTimeout(timer);
        reject(new VoiceError('NO_VOICE_WORKER', 'a voice worker could not start'));
      };
      const timer = setTimeout(() => {
        fail();
        void this.#worker.terminate();
      }, READY_TIMEOUT_MS);
      this.#worker.once('exit', fail);
      this.#worker.on('message', (message: FromWorker) => {
        if (message.type !== 'worker-ready') return;
        this.codecs = message.codecs;
        this.#worker.off('exit', fail);
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
