import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SpeechError } from '../../speech-error.ts';

/**
 * A thread that keeps dying is started anew this often within the window; then requests fail
 * until the window has passed. A death now and then in months of calls does not count up.
 */
const STARTS_MAX = 10;
const STARTS_WINDOW_MS = 10 * 60_000;

export interface EngineThreadOptions<Reply> {
  /** Name of the thread's file in this folder, without extension. */
  readonly file: string;
  readonly onMessage: (message: Reply) => void;
  /** The thread died: whatever it was asked is lost. The next `post` starts another. */
  readonly onLost: (error: SpeechError) => void;
}

/**
 * A thread for work that would hold up the ticker: 14 ms of synthesis for each second of
 * speech, 50 ms for a new decoder. One of each kind per voice worker. What crosses is audio in
 * pieces of 60 ms and more, and only while somebody speaks.
 */
export class EngineThread<Request, Reply> {
  readonly #options: EngineThreadOptions<Reply>;
  #worker: Worker | null = null;
  #startsMs: readonly number[] = [];
  #isClosed = false;

  constructor(options: EngineThreadOptions<Reply>) {
    this.#options = options;
  }

  /** Starts the thread when there is none. Throws `SPEECH_ENGINE_FAILED`. */
  post(message: Request, transfer: ArrayBuffer[] = []): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(message, transfer);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }

  #start(): Worker {
    if (this.#isClosed) throw new SpeechError('SPEECH_ENGINE_FAILED', 'the engine was closed');
    const nowMs = performance.now();
    this.#startsMs = this.#startsMs.filter((startMs) => nowMs - startMs < STARTS_WINDOW_MS);
    if (this.#startsMs.length >= STARTS_MAX) {
      throw new SpeechError('SPEECH_ENGINE_FAILED', 'the engine died too often');
    }
    this.#startsMs = [...this.#startsMs, nowMs];
    // The extension differs between source and build.
    const file = `./${this.#options.file}${extname(import.meta.filename)}`;
    const worker = new Worker(new URL(file, import.meta.url));
    worker.on('message', (message: Reply) => this.#options.onMessage(message));
    worker.on('error', (cause) => this.#lost(worker, cause));
    worker.on('exit', () => this.#lost(worker, null));
    return worker;
  }

  #lost(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#options.onLost(
      new SpeechError('SPEECH_ENGINE_FAILED', 'the engine died', { cause, retryable: true }),
    );
  }
}
