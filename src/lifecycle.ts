import type { Logger } from './observability/logger.ts';

/** Something with a life of its own: a server, a pool, a database, a worker. */
export interface Part {
  readonly name: string;
  start(): Promise<void>;
  /**
   * Finishes work in hand. When `hurry` aborts, gives up what is left and returns. It may
   * have been aborted already.
   */
  stop(hurry: AbortSignal): Promise<void>;
  /** While stopping: what it still waits for, such as `3 calls live`; null when nothing. */
  waitingFor?(): string | null;
}

export interface LifecycleOptions {
  readonly log: Logger;
  /** How often a stop says what it waits for. */
  readonly reportEveryMs?: number;
  /** How long a part may take to give up once it has been told to hurry. */
  readonly hurryGraceMs?: number;
}

/** Starts parts in order and stops them in reverse. One use: a stopped one stays stopped. */
export class Lifecycle {
  readonly #log: Logger;
  readonly #reportEveryMs: number;
  readonly #hurryGraceMs: number;
  readonly #started: Part[] = [];
  #stopping: Promise<boolean> | null = null;

  constructor(options: LifecycleOptions) {
    this.#log = options.log;
    this.#reportEveryMs = options.reportEveryMs ?? 5000;
    this.#hurryGraceMs = options.hurryGraceMs ?? 5000;
  }

  /**
   * Rejects with the first part's failure, after those before it have been stopped.
   * When `abort` fires between two parts, stops as well and resolves to false.
   */
  async start(parts: readonly Part[], abort?: AbortSignal): Promise<boolean> {
    for (const part of parts) {
      if (abort?.aborted === true) break;
      try {
        await part.start();
        this.#started.push(part);
      } catch (error) {
        this.#log.error({ part: part.name, err: error }, 'a part failed to start');
        await this.stop(AbortSignal.abort());
        throw error;
      }
    }
    if (abort?.aborted !== true) return true;
    await this.stop(AbortSignal.abort());
    return false;
  }

  /** Resolves to true when every part stopped without failing. Idempotent. */
  stop(hurry: AbortSignal): Promise<boolean> {
    this.#stopping ??= this.#stopAll(hurry);
    return this.#stopping;
  }

  async #stopAll(hurry: AbortSignal): Promise<boolean> {
    let isClean = true;
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) {
      isClean = (await this.#stopOne(part, hurry)) && isClean;
    }
    return isClean;
  }

  async #stopOne(part: Part, hurry: AbortSignal): Promise<boolean> {
    const report = () => {
      const what = part.waitingFor?.() ?? null;
      if (what !== null) this.#log.info({ part: part.name }, `draining: ${what}`);
    };
    report();
    const reports = setInterval(report, this.#reportEveryMs);
    const overdue = rejectAfterHurry(hurry, this.#hurryGraceMs);
    try {
      await Promise.race([part.stop(hurry), overdue.promise]);
      this.#log.debug({ part: part.name }, 'part stopped');
      return true;
    } catch (error) {
      this.#log.error({ part: part.name, err: error }, 'a part failed to stop');
      return false;
    } finally {
      clearInterval(reports);
      overdue.cancel();
    }
  }
}

function rejectAfterHurry(hurry: AbortSignal, graceMs: number) {
  let timer: NodeJS.Timeout | undefined;
  let begin = () => {};
  const promise = new Promise<never>((_, reject) => {
    begin = () => {
      const late = () => reject(new Error(`did not stop within ${graceMs} ms of being hurried`));
      timer = setTimeout(late, graceMs);
    };
  });
  if (hurry.aborted) begin();
  else hurry.addEventListener('abort', begin, { once: true });
  const cancel = () => {
    clearTimeout(timer);
    hurry.removeEventListener('abort', begin);
  };
  return { promise, cancel };
}

export interface StopRequest {
  /** For the log: `SIGTERM`, `bug`. */
  readonly name: string;
  /** Nothing can be relied on any more: stop at once, and say that it failed. */
  readonly isBug: boolean;
}

/** Tells when the process is asked to stop. `SIGTERM` and `SIGINT` mean the same. */
export interface StopRequests {
  /** Calls `listener` at each request. Returns what takes the listener away. */
  onRequest(listener: (request: StopRequest) => void): () => void;
}

export interface RunOptions extends LifecycleOptions {
  readonly parts: readonly Part[];
  readonly requests: StopRequests;
  readonly drainTimeoutMs: number;
  /** Called once everything runs. */
  onReady?(): void;
  /** Called once, at the first request. */
  onDrain?(): void;
}

/**
 * Runs parts until asked to stop. The first request drains: live calls may finish. The second
 * request, or the drain timeout, hangs up at once. Resolves to the exit code: 0 when all
 * stopped as it should, 1 when a part failed to start or to stop.
 */
export async function runUntilAsked(options: RunOptions): Promise<number> {
  const { log, parts, requests, drainTimeoutMs } = options;
  const lifecycle = new Lifecycle(options);
  const [asked, hurry] = [new AbortController(), new AbortController()];
  let isBroken = false;
  const unlisten = requests.onRequest(({ name, isBug }) => {
    isBroken ||= isBug;
    if (asked.signal.aborted || isBug) {
      log.warn({ signal: name }, 'stopping at once');
      hurry.abort();
    }
    if (asked.signal.aborted) return;
    log.info({ signal: name, drainTimeoutMs }, 'asked to stop: draining');
    asked.abort();
    options.onDrain?.();
  });

  let deadline: NodeJS.Timeout | undefined;
  try {
    if (!(await lifecycle.start(parts, asked.signal))) return isBroken ? 1 : 0;
    options.onReady?.();
    await aborted(asked.signal);
    deadline = setTimeout(() => {
      log.warn({ drainTimeoutMs }, 'drain timeout reached: stopping at once');
      hurry.abort();
    }, drainTimeoutMs);
    const isClean = await lifecycle.stop(hurry.signal);
    log.info({ isClean }, 'stopped');
    return isClean && !isBroken ? 0 : 1;
  } catch {
    // Lifecycle has logged which part failed, and why.
    return 1;
  } finally {
    clearTimeout(deadline);
    unlisten();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
