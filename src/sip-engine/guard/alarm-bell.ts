/** Lines in one span; more are counted only. */
const LINES_MAX = 10;
const SPAN_MS = 10_000;

/** Keeps a flood of events from becoming a flood of log lines. Owns no clock. */
export class AlarmBell {
  #sinceMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #silenced = 0;

  /** How many alarms were silenced before this one; null when this one is silenced too. */
  ring(nowMs: number): number | null {
    if (nowMs - this.#sinceMs >= SPAN_MS) {
      this.#sinceMs = nowMs;
      this.#lines = 0;
    }
    this.#lines += 1;
    if (this.#lines > LINES_MAX) {
      this.#silenced += 1;
      return null;
    }
    const silenced = this.#silenced;
    this.#silenced = 0;
    return silenced;
  }
}
