import type { SipResponse } from '../message/message.ts';
import type { Flow } from '../transport/transport.ts';
import type { Timer, TimerWheel } from './timer-wheel.ts';
import { type SipTimers, transactionTimeoutMs } from './timers.ts';

export type NonInviteClientState = 'trying' | 'proceeding' | 'completed' | 'terminated';

export interface NonInviteClientOptions {
  readonly flow: Flow;
  readonly packet: Buffer;
  readonly wheel: TimerWheel;
  readonly timers: SipTimers;
  /** Provisional answers and the first final one. */
  readonly onResponse: (response: SipResponse, flow: Flow) => void;
  /** Timer F. Followed by `onTerminated`. */
  readonly onTimeout: () => void;
  readonly onTerminated: () => void;
}

/**
 * Non-INVITE client transaction, RFC 3261 §17.1.2.
 *
 *   trying ──1xx──▶ proceeding ──200-699──▶ completed ──K──▶ terminated
 *      │ E resends     │ every T2
 *      └──F──▶ terminated ◀──F──┘
 */
export class NonInviteClientTransaction {
  readonly #options: NonInviteClientOptions;
  #state: NonInviteClientState = 'trying';
  #resendTimer: Timer | undefined;
  #endTimer: Timer | undefined;

  constructor(options: NonInviteClientOptions) {
    this.#options = options;
  }

  get state(): NonInviteClientState {
    return this.#state;
  }

  get flow(): Flow {
    return this.#options.flow;
  }

  start(): void {
    const { flow, packet, timers } = this.#options;
    flow.send(packet);
    if (!flow.isReliable) this.#resendAfter(timers.t1Ms);
    this.#endTimer = this.#after(transactionTimeoutMs(timers), () => {
      this.#options.onTimeout();
      this.#terminate();
    });
  }

  receive(response: SipResponse, flow: Flow): void {
    if (this.#state === 'completed' || this.#state === 'terminated') return;
    if (response.status < 200) {
      this.#state = 'proceeding';
      this.#options.onResponse(response, flow);
      return;
    }
    this.#state = 'completed';
    const { wheel, timers } = this.#options;
    wheel.cancel(this.#resendTimer);
    wheel.cancel(this.#endTimer);
    this.#endTimer = this.#after(this.flow.isReliable ? 0 : timers.t4Ms, () => this.#terminate());
    this.#options.onResponse(response, flow);
  }

  /** The flow is gone, or nobody waits any more: ends without a word. */
  abandon(): void {
    this.#terminate();
  }

  #resendAfter(intervalMs: number): void {
    this.#resendTimer = this.#after(intervalMs, () => {
      const { flow, packet, timers } = this.#options;
      flow.send(packet);
      const nextMs = this.#state === 'proceeding' ? timers.t2Ms : intervalMs * 2;
      this.#resendAfter(Math.min(nextMs, timers.t2Ms));
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
    this.#options.onTerminated();
  }
}
