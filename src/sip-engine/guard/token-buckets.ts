export interface TokenBucketsOptions {
  readonly perSecond: number;
  readonly burst: number;
  /** Keys remembered. When all are busy, further ones share one bucket. */
  readonly keysMax: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

const IDLE_MS = 60_000;
/** Looking for idle ones costs time: not more often than this. */
const SWEEP_MS = 1000;

/** How much each key has done lately, in a bounded table. Owns no clock. */
export class TokenBuckets {
  readonly #options: TokenBucketsOptions;
  readonly #buckets = new Map<string, Bucket>();
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: TokenBucketsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** False: too much. */
  take(key: string, nowMs: number): boolean {
    const { perSecond, burst } = this.#options;
    const bucket = this.#bucketOf(key, nowMs);
    const earned = ((nowMs - bucket.atMs) / 1000) * perSecond;
    bucket.tokens = Math.min(burst, bucket.tokens + earned);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #bucketOf(wanted: string, nowMs: number): Bucket {
    const known = this.#buckets.get(wanted);
    if (known !== undefined) return known;
    const { burst, keysMax } = this.#options;
    if (this.#buckets.size >= keysMax) this.#forgetIdle(nowMs);
    const key = this.#buckets.size >= keysMax ? '' : wanted;
    const bucket = this.#buckets.get(key) ?? { tokens: burst, atMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #forgetIdle(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < SWEEP_MS) return;
    this.#sweptAtMs = nowMs;
    for (const [key, { atMs }] of this.#buckets) {
      if (nowMs - atMs > IDLE_MS) this.#buckets.delete(key);
    }
  }
}
