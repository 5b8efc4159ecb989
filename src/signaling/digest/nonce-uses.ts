/** Counts below the highest by this much or more are taken for replays. */
const WINDOW = 32;

interface Use {
  readonly mintedAtMs: number;
  highest: number;
  /** Bit n: the count `highest - n` was seen. */
  seen: number;
}

/**
 * Which nonce counts were used (RFC 7616 §3.4: nc). Each may be used once; over UDP they may
 * overtake each other, hence the window. It owns no clock: the oldest gives way when it is full.
 */
export class NonceUses {
  readonly #max: number;
  readonly #uses = new Map<string, Use>();
  /** Nonces minted up to here may have been forgotten: unknown ones among them are not taken. */
  #forgottenUpToMs = Number.NEGATIVE_INFINITY;

  constructor(noncesMax: number) {
    this.#max = noncesMax;
  }

  get size(): number {
    return this.#uses.size;
  }

  /** True for the first use of this count. False: a replay, or too old to tell. */
  take(nonce: string, mintedAtMs: number, count: number): boolean {
    if (count < 1) return false;
    const use = this.#uses.get(nonce);
    if (use === undefined) return this.#begin(nonce, mintedAtMs, count);
    const ahead = count - use.highest;
    if (ahead > 0) {
      use.seen = ahead >= WINDOW ? 1 : ((use.seen << ahead) | 1) >>> 0;
      use.highest = count;
      return true;
    }
    if (-ahead >= WINDOW) return false;
    const bit = (1 << -ahead) >>> 0;
    if ((use.seen & bit) !== 0) return false;
    use.seen = (use.seen | bit) >>> 0;
    return true;
  }

  #begin(nonce: string, mintedAtMs: number, count: number): boolean {
    if (mintedAtMs <= this.#forgottenUpToMs) return false;
    if (this.#uses.size >= this.#max) this.#forgetOldest();
    this.#uses.set(nonce, { mintedAtMs, highest: count, seen: 1 });
    return true;
  }

  /** A map keeps its order: the first is the one that was used first. */
  #forgetOldest(): void {
    const [nonce, use] = this.#uses.entries().next().value ?? [];
    if (nonce === undefined || use === undefined) return;
    this.#uses.delete(nonce);
    this.#forgottenUpToMs = Math.max(this.#forgottenUpToMs, use.mintedAtMs);
  }
}
