const PAUSES_MAX = 12;
/** Pauses longer than this are another matter than breathing. */
const PAUSE_MAX_MS = 1500;
const CUT_WAIT_MAX_MS = 600;
/** Each turn that was not cut forgets a little of the cuts before. */
const FORGET = 0.85;

/** How long this caller pauses within a sentence, learned during the call. */
export class PauseProfile {
  readonly #pauses: number[] = [];
  #cutWaitMs = 0;

  /** The caller went on speaking after this pause. */
  addPause(pauseMs: number): void {
    if (pauseMs < 60 || pauseMs > PAUSE_MAX_MS) return;
    this.#pauses.push(pauseMs);
    if (this.#pauses.length > PAUSES_MAX) this.#pauses.shift();
  }

  /** The turn was taken, and yet the caller went on after this pause. */
  addFalseCut(pauseMs: number): void {
    this.#cutWaitMs = Math.min(CUT_WAIT_MAX_MS, Math.max(this.#cutWaitMs, pauseMs * 1.15));
  }

  /** The turn was taken, and the caller let us speak. */
  addCleanTurn(): void {
    this.#cutWaitMs *= FORGET;
  }

  /** A pause that this caller seldom exceeds in mid-sentence; 0 while unknown. */
  usualPauseMs(): number {
    if (this.#pauses.length < 2) return 0;
    const sorted = [...this.#pauses].sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) * 0.8)] ?? 0;
  }

  /** Least wait even after a sentence that sounds complete. */
  leastWaitMs(): number {
    return this.#cutWaitMs;
  }
}
