import { LatenessHistogram } from './lateness-histogram.ts';
import { PhaseWheel, PHASES, type Seat, SLOT_MS, type SlotTask } from './phase-wheel.ts';

/** Timers count whole milliseconds; what is left below this is waited for exactly. */
const EXACT_WAIT_MS = 1.1;
/** A sleep this short is not worth a system call. */
const WORTHLESS_WAIT_MS = 0.03;
/** How fast `load` follows, per run. */
const LOAD_SMOOTHING = 0.01;

/**
 * The clock of one voice worker: runs a `PhaseWheel` on time. Every deadline counts from the
 * same origin, so nothing drifts. Timers fire up to a millisecond late, so it wakes early and
 * sleeps the last fraction in `Atomics.wait`, which costs no CPU; packets that come meanwhile
 * wait in the kernel for less than a millisecond.
 */
export class Ticker {
  readonly #wheel: PhaseWheel;
  readonly #sleepCell = new Int32Array(new SharedArrayBuffer(4));
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #nextSlot = -1;
  #isRunning = false;
  #free: (() => void)[] = [];
  #lastRunAtMs = 0;

  readonly lateness = new LatenessHistogram();
  /** Part of the time spent in tasks lately, 0..1. */
  load = 0;

  constructor() {
    this.#wheel = new PhaseWheel(performance.now());
  }

  get slotsSkipped(): number {
    return this.#wheel.slotsSkipped;
  }

  /** Calls `run` every 20 ms, before any worker of the same slot. */
  addSender(run: SlotTask): Seat {
    return this.#seated((nowMs) => this.#wheel.addSender(run, nowMs));
  }

  /** Calls `run` every 20 ms, in the slack after sending, in the slot of `beside`. */
  addWorker(run: SlotTask, beside: Seat): Seat {
    return this.#seated((nowMs) => this.#wheel.addWorker(run, nowMs, beside));
  }

  /** Runs `work` after what is being read from the sockets, and after whoever has to send by then. */
  whenFree(work: () => void): void {
    if (this.#free.length === 0) setImmediate(this.#runFree);
    this.#free.push(work);
  }

  readonly #runFree = (): void => {
    const works = this.#free;
    this.#free = [];
    for (const work of works) {
      if (this.#isDue) this.#wake();
      work();
    }
  };

  get #isDue(): boolean {
    return this.#nextSlot !== -1 && performance.now() >= this.#wheel.timeOf(this.#nextSlot);
  }

  remove(seat: Seat): void {
    this.#wheel.remove(seat);
    if (this.#wheel.seatCount === 0) this.#stop();
  }

  /** Runs the seat within 2 ms and keeps that phase; returns the milliseconds gained, 0 to 18. */
  hurry(seat: Seat): number {
    const gained = this.#wheel.hurry(seat, performance.now());
    if (gained > 0 && !this.#isRunning) this.#schedule();
    return gained * SLOT_MS;
  }

  delay(seat: Seat, ms: number): void {
    this.#wheel.delay(seat, Math.round(ms / SLOT_MS));
  }

  #seated(add: (nowMs: number) => Seat): Seat {
    const nowMs = performance.now();
    if (this.#wheel.seatCount === 0) this.#wheel.skipTo(nowMs);
    const seat = add(nowMs);
    if (!this.#isRunning) this.#schedule();
    return seat;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#nextSlot = -1;
  }

  #schedule(): void {
    const slot = this.#wheel.nextBusySlot();
    if (slot === -1) return this.#stop();
    if (slot === this.#nextSlot) return;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#nextSlot = slot;
    this.#sleepUntil(this.#wheel.timeOf(slot));
  }

  #sleepUntil(deadlineMs: number): void {
    const remainingMs = deadlineMs - performance.now();
    // Never straight on: packets and everybody else's work come in between.
    if (remainingMs < EXACT_WAIT_MS) this.#immediate = setImmediate(this.#wake);
    else this.#timer = setTimeout(this.#wake, Math.floor(remainingMs));
  }

  readonly #wake = (): void => {
    const deadlineMs = this.#wheel.timeOf(this.#nextSlot);
    const remainingMs = deadlineMs - performance.now();
    if (remainingMs >= EXACT_WAIT_MS) return this.#sleepUntil(deadlineMs);
    if (remainingMs > WORTHLESS_WAIT_MS) Atomics.wait(this.#sleepCell, 0, 0, remainingMs);
    this.#run(Math.max(performance.now(), deadlineMs));
    this.#nextSlot = -1;
    this.#schedule();
  };

  #run(nowMs: number): void {
    this.#isRunning = true;
    this.lateness.add(this.#wheel.run(nowMs));
    this.#isRunning = false;
    const elapsedMs = Math.max(SLOT_MS / PHASES, nowMs - this.#lastRunAtMs);
    const busy = Math.min(1, (performance.now() - nowMs) / elapsedMs);
    this.load += (busy - this.load) * LOAD_SMOOTHING;
    this.#lastRunAtMs = nowMs;
  }
}
