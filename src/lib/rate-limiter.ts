export interface RateLimiterOptions {
  /** Requests of one key in one window. */
  readonly max: number;
  readonly windowMs: number;
  /** Keys remembered; the longest known is forgotten first. */
  readonly keysMax?: number;
}

export type RateVerdict =
  | { readonly isAllowed: true; readonly left: number }
  | { readonly isAllowed: false; readonly retryAfterMs: number };

interface Window {
  readonly beganAtMs: number;
  count: number;
}

/** Counts per key in windows that begin with a key's first request. Time is an argument. */
export class RateLimiter {
  readonly #options: Required<RateLimiterOptions>;
  readonly #windows = new Map<string, Window>();

  constructor(options: RateLimiterOptions) {
    this.#options = { keysMax: 10_000, ...options };
  }

  /** Counts one request. A refused one does not count. */
  take(key: string, nowMs: number): RateVerdict {
    const { max, windowMs } = this.#options;
    const window = this.#windowOf(key, nowMs);
    if (window.count >= max) {
      return { isAllowed: false, retryAfterMs: window.beganAtMs + windowMs - nowMs };
    }
    window.count += 1;
    return { isAllowed: true, left: max - window.count };
  }

  /** Whether one more would be refused; counts nothing and remembers nothing. */
  isFull(key: string, nowMs: number): boolean {
    const window = this.#windows.get(key);
    if (window === undefined || nowMs - window.beganAtMs >= this.#options.windowMs) return false;
    return window.count >= this.#options.max;
  }

  #windowOf(key: string, nowMs: number): Window {
    const known = this.#windows.get(key);
    if (known !== undefined && nowMs - known.beganAtMs < this.#options.windowMs) return known;
    // Deleted first, so that the map stays in the order of beginnings.
    this.#windows.delete(key);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size >= this.#options.keysMax && oldest !== undefined) {
      this.#windows.delete(oldest);
    }
    const window = { beganAtMs: nowMs, count: 0 };
    this.#windows.set(key, window);
    return window;
  }
}
