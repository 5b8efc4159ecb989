/** One pending timer. Cancel it on the wheel that made it. */
export interface Timer {
  readonly dueTick: number;
  fire: (() => void) | undefined;
}

/** Resolution of every SIP timer. */
export const TICK_MS = 10;
const SLOTS = 1024;

/**
 * A hashed timer wheel that owns no clock: `advance` brings the time.
 *
 * Scheduling and canceling are O(1); a canceled timer leaves at its slot's next turn.
 * During a long jump timers fire in order and may schedule others inside the jump.
 */
export class TimerWheel {
  readonly #slots: Timer[][] = Array.from({ length: SLOTS }, () => []);
  #tick: number;
  #live = 0;

  /** Called when a timer is scheduled; a shell that sleeps may have to wake earlier. */
  onSchedule: ((delayMs: number) => void) | undefined;

  constructor(nowMs = 0) {
    this.#tick = Math.floor(nowMs / TICK_MS);
  }

  get nowMs(): number {
    return this.#tick * TICK_MS;
  }

  /** Timers that have neither fired nor been canceled. */
  get size(): number {
    return this.#live;
  }

  schedule(delayMs: number, fire: () => void): Timer {
    const dueTick = this.#tick + Math.max(1, Math.ceil(delayMs / TICK_MS));
    const timer: Timer = { dueTick, fire };
    this.#slots[dueTick % SLOTS]?.push(timer);
    this.#live += 1;
    this.onSchedule?.(delayMs);
    return timer;
  }

  cancel(timer: Timer | undefined): void {
    if (timer?.fire === undefined) return;
    timer.fire = undefined;
    this.#live -= 1;
  }

  advance(nowMs: number): void {
    const target = Math.floor(nowMs / TICK_MS);
    while (this.#tick < target) {
      this.#tick += 1;
      if (this.#live > 0) this.#turn();
      else if (target - this.#tick > SLOTS) this.#tick = target;
    }
  }

  #turn(): void {
    const at = this.#tick % SLOTS;
    const slot = this.#slots[at];
    if (slot === undefined || slot.length === 0) return;
    this.#slots[at] = [];
    for (const timer of slot) {
      if (timer.fire === undefined) continue;
      if (timer.dueTick > this.#tick) {
        this.#slots[at].push(timer);
        continue;
      }
      const fire = timer.fire;
      timer.fire = undefined;
      this.#live -= 1;
      fire();
    }
  }

  /**
   * Time until the next timer fires, at most one turn of the wheel; undefined when idle. Canceled
   * timers and those of a later turn wake nobody: most timers of a call are of that kind.
   */
  msToNext(): number | undefined {
    if (this.#live === 0) return undefined;
    for (let ahead = 1; ahead < SLOTS; ahead++) {
      const dueTick = this.#tick + ahead;
      const slot = this.#slots[dueTick % SLOTS] ?? [];
      for (const timer of slot) {
        if (timer.dueTick === dueTick && timer.fire !== undefined) return ahead * TICK_MS;
      }
    }
    return SLOTS * TICK_MS;
  }
}
