/** Cancels what `after` was to do; does nothing once that was done. */
export type CancelTimer = () => void;

/** Time, as the conversation sees it: a test brings its own. */
export interface Clock {
  /** Unix milliseconds with fractions; never runs backwards. */
  nowMs(): number;
  after(delayMs: number, task: () => void): CancelTimer;
}

/** The machine's clock: monotonic, anchored to Unix time when the process began. */
export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or as soon as `signal` aborts. */
export function pauseFor(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
