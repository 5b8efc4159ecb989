/** Upper bounds in milliseconds; the last bucket has none. */
export const LATENESS_BOUNDS_MS = [0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50] as const;

/** How late ticks ran. */
export class LatenessHistogram {
  readonly counts = new Float64Array(LATENESS_BOUNDS_MS.length + 1);
  total = 0;
  maxMs = 0;

  add(ms: number): void {
    let bucket = 0;
    while (bucket < LATENESS_BOUNDS_MS.length && ms > LATENESS_BOUNDS_MS[bucket]!) bucket += 1;
    this.counts[bucket] = this.counts[bucket]! + 1;
    this.total += 1;
    if (ms > this.maxMs) this.maxMs = ms;
  }

  /** Ticks later than `boundMs`, one of the bounds. */
  countAbove(boundMs: (typeof LATENESS_BOUNDS_MS)[number]): number {
    const bucket = LATENESS_BOUNDS_MS.indexOf(boundMs);
    return this.counts.subarray(bucket + 1).reduce((sum, count) => sum + count, 0);
  }

  /** Upper bound of the bucket that holds the quantile `q` (0..1). */
  quantileMs(q: number): number {
    let seen = 0;
    for (let bucket = 0; bucket < LATENESS_BOUNDS_MS.length; bucket += 1) {
      seen += this.counts[bucket]!;
      if (seen >= q * this.total) return LATENESS_BOUNDS_MS[bucket]!;
    }
    return this.maxMs;
  }
}
