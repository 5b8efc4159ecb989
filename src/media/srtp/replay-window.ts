/** Packets this far behind the newest are refused unseen; RFC 3711 §3.3.2 asks for 64 at least. */
const SIZE = 128;
const WORDS = SIZE / 32;

/** Which indices of a stream have been taken (RFC 3711 §3.3.2). Indices are numbers up to 2^48. */
export class ReplayWindow {
  readonly #seen = new Int32Array(WORDS);

  /** -1: none yet. */
  highest = -1;

  /** False for an index that was taken before, or is too old to tell. */
  isFresh(index: number): boolean {
    if (index > this.highest) return true;
    if (this.highest - index >= SIZE) return false;
    return (this.#seen[(index % SIZE) >> 5]! & (1 << (index & 31))) === 0;
  }

  /** Only for an authenticated packet whose index is fresh. */
  take(index: number): void {
    if (index > this.highest) {
      if (index - this.highest >= SIZE) this.#seen.fill(0);
      else for (let skipped = this.highest + 1; skipped < index; skipped += 1) this.#clear(skipped);
      this.highest = index;
    }
    this.#seen[(index % SIZE) >> 5]! |= 1 << (index & 31);
  }

  #clear(index: number): void {
    this.#seen[(index % SIZE) >> 5]! &= ~(1 << (index & 31));
  }
}
