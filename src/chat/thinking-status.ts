/** A label is shown at least so long before the next one. */
export const LABEL_SHOWN_MS_MIN = 500;
/** After so long without anything new the agent is said to be working. */
export const SILENCE_MS = 10_000;

export const THINKING = 'Thinking…';
export const LOOKING_UP = 'Looking something up…';
export const WORKING = 'Working…';

/**
 * Which label says what the agent is doing, and when. Labels are ours alone: never a tool's
 * name, arguments or results. It owns no clock: `note` what happens, `take` when `dueAtMs`.
 */
export class ThinkingStatus {
  #shown: string | null = null;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #waiting: string | null = null;
  #lastEventAtMs: number;

  constructor(nowMs: number) {
    this.#lastEventAtMs = nowMs;
  }

  /** The agent does this now. A label still waiting was too short to be worth showing. */
  note(label: string, nowMs: number): void {
    this.#lastEventAtMs = nowMs;
    this.#waiting = label === this.#shown ? null : label;
  }

  /** Words came: they say more than any label. */
  spoke(nowMs: number): void {
    this.#lastEventAtMs = nowMs;
    this.#waiting = null;
    this.#shown = null;
    this.#shownAtMs = Number.NEGATIVE_INFINITY;
  }

  /** When `take` may next have something to say. */
  dueAtMs(): number {
    const mayShowAtMs = this.#shownAtMs + LABEL_SHOWN_MS_MIN;
    if (this.#waiting !== null) return mayShowAtMs;
    if (this.#shown === WORKING) return Number.POSITIVE_INFINITY;
    return Math.max(mayShowAtMs, this.#lastEventAtMs + SILENCE_MS);
  }

  /** The label to show from now on; null: the one before stays. */
  take(nowMs: number): string | null {
    if (nowMs < this.dueAtMs()) return null;
    const label = this.#waiting ?? WORKING;
    this.#waiting = null;
    this.#shown = label;
    this.#shownAtMs = nowMs;
    return label;
  }
}
