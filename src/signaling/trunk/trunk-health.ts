/** Failures in a row that take a trunk down, and answers in a row that bring it up again. */
export const DOWN_AFTER = 3;
export const UP_AFTER = 2;
const RETRY_MIN_MS = 2_000;

export interface ProbeResult {
  readonly isAlive: boolean;
  /** 0: no answer. */
  readonly sipStatus: number;
  /** Why there was no answer, where that is known. */
  readonly why: string;
  readonly atMs: number;
}

export interface TrunkHealthStatus {
  readonly isUp: boolean;
  readonly lastProbe: ProbeResult | null;
  /** When the present state began; null before the first probe. */
  readonly sinceMs: number | null;
}

/**
 * Whether a trunk answers OPTIONS. One lost packet does not take it down, and one answer in the
 * middle of an outage does not bring it up. It owns no clock.
 *
 *        3 failures in a row
 *   up ──────────────────────▶ down
 *    ▲   2 answers in a row     │
 *    └──────────────────────────┘
 */
export class TrunkHealth {
  readonly #intervalMs: number;
  #isUp = true;
  /** Probes in a row that speak against the present state. */
  #against = 0;
  #last: ProbeResult | null = null;
  #sinceMs: number | null = null;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  get status(): TrunkHealthStatus {
    return { isUp: this.#isUp, lastProbe: this.#last, sinceMs: this.#sinceMs };
  }

  /** True when this probe changed the state. */
  probed(isAlive: boolean, sipStatus: number, nowMs: number, why = ''): boolean {
    this.#last = { isAlive, sipStatus, why, atMs: nowMs };
    this.#sinceMs ??= nowMs;
    this.#against = isAlive === this.#isUp ? 0 : this.#against + 1;
    if (this.#against < (this.#isUp ? DOWN_AFTER : UP_AFTER)) return false;
    this.#isUp = !this.#isUp;
    this.#against = 0;
    this.#sinceMs = nowMs;
    return true;
  }

  /** Time to the next probe: sooner while the state is in doubt, spread so that trunks differ. */
  nextInMs(random: number): number {
    const isDoubtful = this.#against > 0;
    const baseMs = isDoubtful
      ? Math.min(this.#intervalMs, Math.max(RETRY_MIN_MS, this.#intervalMs / 4))
      : this.#intervalMs;
    return baseMs * (0.9 + 0.2 * random);
  }
}

/** Any answer shows life, but those that say "not now" (RFC 3261 §11). */
export function showsLife(status: number): boolean {
  return status >= 200 && status < 700 && ![408, 500, 502, 503, 504].includes(status);
}
