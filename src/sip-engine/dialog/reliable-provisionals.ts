import type { Timer, TimerWheel } from '../transaction/timer-wheel.ts';
import { type SipTimers, transactionTimeoutMs } from '../transaction/timers.ts';

/** Answers that wait for a PRACK before they may be sent. */
const HELD_MAX = 8;

/**
 * The reliable provisional answers of one INVITE, RFC 3262 §3: one is resent with doubling interval
 * until its PRACK comes, later ones wait their turn.
 */
export class ReliableProvisionals {
  readonly #wheel: TimerWheel;
  readonly #timers: SipTimers;
  readonly #onTimeout: () => void;
  #sequence: number;
  #isOutstanding = false;
  #inviteSequence: number;
  #resendTimer: Timer | undefined;
  #endTimer: Timer | undefined;
  #held: (() => void)[] = [];
  /** The outstanding answer carries SDP, so a 2xx has to wait for the PRACK. */
  holdsFinal = false;

  constructor(options: {
    readonly wheel: TimerWheel;
    readonly timers: SipTimers;
    readonly firstSequence: number;
    readonly inviteSequence: number;
    readonly onTimeout: () => void;
  }) {
    this.#wheel = options.wheel;
    this.#timers = options.timers;
    this.#sequence = options.firstSequence - 1;
    this.#inviteSequence = options.inviteSequence;
    this.#onTimeout = options.onTimeout;
  }

  get isOutstanding(): boolean {
    return this.#isOutstanding;
  }

  /** RSeq for the next reliable answer. */
  nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  /** `send` was just called once; it is called again until the PRACK. */
  sent(send: () => void, hasSdp: boolean, isReliableFlow: boolean): void {
    this.#isOutstanding = true;
    this.holdsFinal = hasSdp;
    if (!isReliableFlow) this.#resendAfter(this.#timers.t1Ms, send);
    this.#endTimer = this.#wheel.schedule(transactionTimeoutMs(this.#timers), () => {
      this.stop();
      this.#onTimeout();
    });
  }

  /** Runs `send` after the outstanding answer's PRACK. False: too many wait already. */
  hold(send: () => void): boolean {
    if (this.#held.length >= HELD_MAX) return false;
    this.#held.push(send);
    return true;
  }

  /** RAck of a PRACK; false when it acknowledges nothing outstanding. */
  acknowledge(rack: string): boolean {
    const [sequence, inviteSequence, method] = rack.split(/\s+/);
    const isMatch =
      this.#isOutstanding &&
      Number(sequence) === this.#sequence &&
      Number(inviteSequence) === this.#inviteSequence &&
      method === 'INVITE';
    if (!isMatch) return false;
    this.stop();
    return true;
  }

  /** Sends what was held back, until something is outstanding again. */
  release(): void {
    while (!this.#isOutstanding) {
      const send = this.#held.shift();
      if (send === undefined) return;
      send();
    }
  }

  stop(): void {
    this.#isOutstanding = false;
    this.holdsFinal = false;
    this.#wheel.cancel(this.#resendTimer);
    this.#wheel.cancel(this.#endTimer);
  }

  #resendAfter(intervalMs: number, send: () => void): void {
    this.#resendTimer = this.#wheel.schedule(intervalMs, () => {
      send();
      this.#resendAfter(intervalMs * 2, send);
    });
  }
}
