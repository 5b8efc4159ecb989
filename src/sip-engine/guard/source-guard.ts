export interface GuardLimits {
  /** Packets a source may send, each second and at once. */
  readonly packetsPerSecond: number;
  readonly packetsBurst: number;
  /** Sources remembered. When all are busy, further ones share one bucket. */
  readonly sourcesMax: number;
  /** Event loop later than this: new requests get 503. */
  readonly lagMs: number;
  readonly connectionsMax: number;
  readonly connectionsPerSourceMax: number;
  readonly connectionIdleMs: number;
}

export const DEFAULT_GUARD_LIMITS: GuardLimits = {
  packetsPerSecond: 20_000,
  packetsBurst: 40_000,
  sourcesMax: 10_000,
  lagMs: 500,
  connectionsMax: 2000,
  connectionsPerSourceMax: 500,
  connectionIdleMs: 3_600_000,
};

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Overload is over when the loop has been on time for this long. */
const RECOVERY_MS = 1000;

/** Decides, before a packet is parsed, whether its source is heard at all. Owns no clock. */
export class SourceGuard {
  readonly limits: GuardLimits;
  allow: (address: string) => boolean;
  droppedUnknown = 0;
  droppedRate = 0;
  readonly #buckets = new Map<string, Bucket>();
  #lateUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly limits: GuardLimits;
    readonly allow: (address: string) => boolean;
  }) {
    this.limits = options.limits;
    this.allow = options.allow;
  }

  admit(address: string, nowMs: number): boolean {
    if (!isLoopback(address) && !this.allow(address)) {
      this.droppedUnknown += 1;
      return false;
    }
    const bucket = this.#bucketOf(address, nowMs);
    const { packetsPerSecond, packetsBurst } = this.limits;
    const earned = ((nowMs - bucket.atMs) / 1000) * packetsPerSecond;
    bucket.tokens = Math.min(packetsBurst, bucket.tokens + earned);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) {
      this.droppedRate += 1;
      return false;
    }
    bucket.tokens -= 1;
    return true;
  }

  /** Tells whether the engine should refuse new work, given how late its last timer was. */
  isLate(latenessMs: number, nowMs: number): boolean {
    if (latenessMs > this.limits.lagMs) this.#lateUntilMs = nowMs + RECOVERY_MS;
    return nowMs < this.#lateUntilMs;
  }

  #bucketOf(address: string, nowMs: number): Bucket {
    const known = this.#buckets.get(address);
    if (known !== undefined) return known;
    if (this.#buckets.size >= this.limits.sourcesMax) this.#forgetIdle(nowMs);
    const key = this.#buckets.size >= this.limits.sourcesMax ? '' : address;
    const bucket = this.#buckets.get(key) ?? { tokens: this.limits.packetsBurst, atMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #forgetIdle(nowMs: number): void {
    for (const [address, { atMs }] of this.#buckets) {
      if (nowMs - atMs > 60_000) this.#buckets.delete(address);
    }
  }
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}
