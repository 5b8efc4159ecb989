/**
 * A map that forgets by the bucketful: an entry lives at least `minAgeMs` and at most
 * `minAgeMs * buckets / (buckets - 1)`. Keeping what a finished transaction must remember this way
 * costs one map entry and no timer.
 */
export class RotatingBuckets<V> {
  #buckets: Map<string, V>[];
  readonly #spanMs: number;
  readonly #entriesMax: number;
  #rotateAtMs: number;
  #size = 0;

  constructor(options: {
    readonly minAgeMs: number;
    readonly entriesMax: number;
    readonly nowMs: number;
  }) {
    const buckets = 5;
    this.#buckets = Array.from({ length: buckets }, () => new Map());
    this.#spanMs = options.minAgeMs / (buckets - 1);
    this.#entriesMax = options.entriesMax;
    this.#rotateAtMs = options.nowMs + this.#spanMs;
  }

  get size(): number {
    return this.#size;
  }

  /** Nothing is kept beyond `entriesMax`: a lost entry only costs one extra answer. */
  set(key: string, value: V, nowMs: number): void {
    this.#rotate(nowMs);
    const newest = this.#buckets[0];
    if (newest === undefined || this.#size >= this.#entriesMax) return;
    if (!newest.has(key)) this.#size += 1;
    newest.set(key, value);
  }

  get(key: string, nowMs: number): V | undefined {
    this.#rotate(nowMs);
    for (const bucket of this.#buckets) {
      const value = bucket.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  delete(key: string): void {
    for (const bucket of this.#buckets) if (bucket.delete(key)) this.#size -= 1;
  }

  #rotate(nowMs: number): void {
    let turns = 0;
    while (nowMs >= this.#rotateAtMs) {
      if (turns < this.#buckets.length) {
        this.#size -= this.#buckets.pop()?.size ?? 0;
        this.#buckets.unshift(new Map());
        turns += 1;
      }
      this.#rotateAtMs += this.#spanMs;
    }
  }
}
