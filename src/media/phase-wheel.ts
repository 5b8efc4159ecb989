export const PHASES = 10;
export const SLOT_MS = 2;
/** After a stall, at most this many slots are run late (100 ms); the rest is skipped. */
const CATCH_UP_SLOTS_MAX = 50;

/** `missed`: whole frames that were skipped because the thread was stalled. */
export type SlotTask = (nowMs: number, missed: number) => void;

/** A place on the wheel: its task runs every 20 ms. */
export interface Seat {
  readonly isSender: boolean;
  readonly run: SlotTask;
  /** First slot in which it may run again; its phase is this modulo ten. */
  nextSlot: number;
}

/**
 * Spreads 20 ms tasks over ten phases of 2 ms. It owns no clock: `run(nowMs)` does all that is
 * due. In each slot the senders go first, then the workers (decoding, encoding ahead).
 */
export class PhaseWheel {
  readonly #originMs: number;
  readonly #phases: { readonly senders: Seat[]; readonly workers: Seat[] }[];
  #lastSlot = -1;

  slotsSkipped = 0;

  constructor(originMs: number) {
    this.#originMs = originMs;
    this.#phases = Array.from({ length: PHASES }, () => ({ senders: [], workers: [] }));
  }

  get seatCount(): number {
    let count = 0;
    for (const phase of this.#phases) count += phase.senders.length + phase.workers.length;
    return count;
  }

  timeOf(slot: number): number {
    return this.#originMs + slot * SLOT_MS;
  }

  /** Takes the emptiest phase. */
  addSender(run: SlotTask, nowMs: number): Seat {
    return this.#add(true, run, nowMs);
  }

  /** Takes the phase of `beside`, so that a leg wakes the thread once per frame, else the emptiest. */
  addWorker(run: SlotTask, nowMs: number, beside?: Seat): Seat {
    if (beside === undefined) return this.#add(false, run, nowMs);
    const seat = { isSender: false, run, nextSlot: beside.nextSlot };
    this.#listOf(seat).push(seat);
    return seat;
  }

  remove(seat: Seat): void {
    const list = this.#listOf(seat);
    const index = list.indexOf(seat);
    if (index !== -1) list.splice(index, 1);
  }

  /** Moves a seat to the first slot still to come; returns by how many slots it got earlier. */
  hurry(seat: Seat, nowMs: number): number {
    const soonest = Math.max(this.#slotAt(nowMs), this.#lastSlot) + 1;
    const gain = seat.nextSlot - soonest;
    if (gain <= 0) return 0;
    this.#move(seat, soonest);
    return gain;
  }

  /** Lets a seat run later by so many slots, from then on. */
  delay(seat: Seat, slots: number): void {
    if (slots > 0) this.#move(seat, seat.nextSlot + slots);
  }

  /** The next slot with anything to do, or -1. */
  nextBusySlot(): number {
    for (let slot = this.#lastSlot + 1; slot <= this.#lastSlot + PHASES; slot += 1) {
      const phase = this.#phases[slot % PHASES]!;
      if (phase.senders.length > 0 || phase.workers.length > 0) return slot;
    }
    return -1;
  }

  /** Runs everything due at `nowMs`: all late senders first. Returns how late the first was. */
  run(nowMs: number): number {
    const due = this.#slotAt(nowMs);
    if (due <= this.#lastSlot || this.nextBusySlot() === -1) return 0;
    const lateness = nowMs - this.timeOf(this.nextBusySlot());
    let first = this.#lastSlot + 1;
    if (due - first > CATCH_UP_SLOTS_MAX) {
      this.slotsSkipped += due - CATCH_UP_SLOTS_MAX - first;
      first = due - CATCH_UP_SLOTS_MAX;
    }
    this.#lastSlot = due;
    for (let slot = first; slot <= due; slot += 1) {
      this.#runSeats(this.#phases[slot % PHASES]!.senders, slot, nowMs);
    }
    for (let slot = first; slot <= due; slot += 1) {
      this.#runSeats(this.#phases[slot % PHASES]!.workers, slot, nowMs);
    }
    return lateness;
  }

  /** Nothing was seated for a while: start counting from now instead of catching up. */
  skipTo(nowMs: number): void {
    this.#lastSlot = Math.max(this.#lastSlot, this.#slotAt(nowMs));
  }

  #slotAt(nowMs: number): number {
    return Math.floor((nowMs - this.#originMs) / SLOT_MS);
  }

  #add(isSender: boolean, run: SlotTask, nowMs: number): Seat {
    const soonest = Math.max(this.#slotAt(nowMs), this.#lastSlot) + 1;
    let best = soonest;
    for (let slot = soonest; slot < soonest + PHASES; slot += 1) {
      if (this.#crowd(slot) < this.#crowd(best)) best = slot;
    }
    const seat = { isSender, run, nextSlot: best };
    this.#listOf(seat).push(seat);
    return seat;
  }

  #crowd(slot: number): number {
    const phase = this.#phases[slot % PHASES]!;
    return phase.senders.length + phase.workers.length;
  }

  #move(seat: Seat, slot: number): void {
    const from = this.#listOf(seat);
    const index = from.indexOf(seat);
    seat.nextSlot = slot;
    if (index === -1) return;
    from.splice(index, 1);
    this.#listOf(seat).push(seat);
  }

  #listOf(seat: Seat): Seat[] {
    const phase = this.#phases[seat.nextSlot % PHASES]!;
    return seat.isSender ? phase.senders : phase.workers;
  }

  /** From the end, since a task may remove or move its own seat. */
  #runSeats(seats: Seat[], slot: number, nowMs: number): void {
    for (let index = seats.length - 1; index >= 0; index -= 1) {
      const seat = seats[index];
      if (seat === undefined || seat.nextSlot > slot) continue;
      const missed = Math.floor((slot - seat.nextSlot) / PHASES);
      seat.nextSlot = slot + PHASES;
      seat.run(nowMs, missed);
    }
  }
}
