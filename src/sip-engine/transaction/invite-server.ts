import type { Flow } from '../transport/transport.ts';
import type { Timer, TimerWheel } from './timer-wheel.ts';
import { type SipTimers, transactionTimeoutMs } from './timers.ts';

export type InviteServerState =
  | 'proceeding'
  | 'accepted'
  | 'completed'
  | 'confirmed'
  | 'terminated';

export interface InviteServerOptions {
  readonly flow: Flow;
  readonly wheel: TimerWheel;
  readonly timers: SipTimers;
  /** Timer H: our non-2xx answer was never acknowledged. Followed by `onTerminated`. */
  readonly onAckMissing: () => void;
  readonly onTerminated: () => void;
}

/**
 * INVITE server transaction, RFC 3261 §17.2.1 with the Accepted state of RFC 6026.
 *
 *   proceeding ──2xx──▶ accepted ──L──▶ terminated
 *       │ 300-699
 *       ▼
 *   completed ──ACK──▶ confirmed ──I──▶ terminated
 *       └──H──▶ terminated
 *
 * G resends the answer in `completed`. The 2xx is resent by the dialog until its ACK.
 */
export class InviteServerTransaction {
  readonly #options: InviteServerOptions;
  #state: InviteServerState = 'proceeding';
  #flow: Flow;
  #last: Buffer | undefined;
  #resendTimer: Timer | undefined;
  #endTimer: Timer | undefined;

  constructor(options: InviteServerOptions) {
    this.#options = options;
    this.#flow = options.flow;
  }

  get state(): InviteServerState {
    return this.#state;
  }

  /** The same INVITE again, perhaps from a rebound port. */
  receiveRetransmission(flow: Flow): void {
    this.#flow = flow;
    if (this.#last === undefined) return;
    if (this.#state === 'proceeding' || this.#state === 'completed') flow.send(this.#last);
  }

  receiveAck(): void {
    if (this.#state !== 'completed') return;
    this.#options.wheel.cancel(this.#resendTimer);
    this.#options.wheel.cancel(this.#endTimer);
    this.#state = 'confirmed';
    if (this.#flow.isReliable) this.#terminate();
    else this.#endTimer = this.#after(this.#options.timers.t4Ms, () => this.#terminate());
  }

  /** Sends an answer. Anything after the final one is ignored. */
  respond(status: number, packet: Buffer): void {
    if (this.#state !== 'proceeding') return;
    this.#last = packet;
    this.#flow.send(packet);
    if (status < 200) return;
    const timeoutMs = transactionTimeoutMs(this.#options.timers);
    if (status < 300) {
      this.#state = 'accepted';
      this.#last = undefined;
      this.#endTimer = this.#after(timeoutMs, () => this.#terminate());
      return;
    }
    this.#state = 'completed';
    if (!this.#flow.isReliable) this.#resendAfter(this.#options.timers.t1Ms);
    this.#endTimer = this.#after(timeoutMs, () => {
      this.#options.onAckMissing();
      this.#terminate();
    });
  }

  /** Ends at once and sends nothing. */
  abandon(): void {
    this.#terminate();
  }

  #resendAfter(intervalMs: number): void {
    this.#resendTimer = this.#after(intervalMs, () => {
      if (this.#last !== undefined) this.#flow.send(this.#last);
      this.#resendAfter(Math.min(intervalMs * 2, this.#options.timers.t2Ms));
    });
  }

  #after(delayMs: number, fire: () => void): Timer {
    return this.#options.wheel.schedule(delayMs, fire);
  }

  #terminate(): void {
    if (this.#state === 'terminated') return;
    this.#options.wheel.cancel(this.#resendTimer);
    this.#options.wheel.cancel(this.#endTimer);
    this.#state = 'terminated';
    this.#last = undefined;
    this.#options.onTerminated();
  }
}
