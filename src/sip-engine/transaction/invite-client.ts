import type { SipResponse } from '../message/message.ts';
import type { Flow } from '../transport/transport.ts';
import type { Timer, TimerWheel } from './timer-wheel.ts';
import { type SipTimers, transactionTimeoutMs } from './timers.ts';

export type InviteClientState = 'calling' | 'proceeding' | 'completed' | 'accepted' | 'terminated';

export interface InviteClientOptions {
  readonly flow: Flow;
  readonly packet: Buffer;
  readonly wheel: TimerWheel;
  readonly timers: SipTimers;
  /** Timer B. */
  readonly timeoutMs: number;
  /** The hop-by-hop ACK for a non-2xx answer, RFC 3261 §17.1.1.3. */
  readonly buildAck: (response: SipResponse) => Buffer;
  /** Every provisional answer, the first non-2xx final one, and every 2xx until timer M. */
  readonly onResponse: (response: SipResponse, flow: Flow) => void;
  /** Timer B. Followed by `onTerminated`. */
  readonly onTimeout: () => void;
  readonly onTerminated: () => void;
}

/**
 * INVITE client transaction, RFC 3261 §17.1.1 with the Accepted state of RFC 6026.
 *
 *   calling ──1xx──▶ proceeding ──2xx──▶ accepted ──M──▶ terminated
 *      │ A resends       │ 300-699
 *      │                 ▼
 *      ├──300-699──▶ completed ──D──▶ terminated
 *      └──B──▶ terminated
 */
export class InviteClientTransaction {
  readonly #options: InviteClientOptions;
  #state: InviteClientState = 'calling';
  #ack: Buffer | undefined;
  #resendTimer: Timer | undefined;
  #endTimer: Timer | undefined;

  constructor(options: InviteClientOptions) {
    this.#options = options;
  }

  get state(): InviteClientState {
    return this.#state;
  }

  get flow(): Flow {
    return this.#options.flow;
  }

  /** The ACK of a refusal, once there was one. */
  get ack(): Buffer | undefined {
    return this.#ack;
  }

  start(): void {
    const { flow, packet, timers, timeoutMs } = this.#options;
    flow.send(packet);
    if (!flow.isReliable) this.#resendAfter(timers.t1Ms);
    this.#endTimer = this.#after(timeoutMs, () => {
      this.#options.onTimeout();
      this.#terminate();
    });
  }

  receive(response: SipResponse, flow: Flow): void {
    switch (this.#state) {
      case 'calling':
      case 'proceeding':
        return this.#receiveFirst(response, flow);
      case 'completed':
        if (response.status >= 300 && this.#ack !== undefined) this.#options.flow.send(this.#ack);
        return;
      case 'accepted':
        if (response.status >= 200 && response.status < 300)
          this.#options.onResponse(response, flow);
        return;
      case 'terminated':
        return;
    }
  }

  /** The flow is gone, or nobody waits any more: ends without a word. */
  abandon(): void {
    this.#terminate();
  }

  #receiveFirst(response: SipResponse, flow: Flow): void {
    const { wheel, timers } = this.#options;
    wheel.cancel(this.#resendTimer);
    wheel.cancel(this.#endTimer);
    if (response.status < 200) {
      this.#state = 'proceeding';
    } else if (response.status < 300) {
      this.#state = 'accepted';
      this.#endTimer = this.#after(transactionTimeoutMs(timers), () => this.#terminate());
    } else {
      this.#complete(response);
    }
    this.#options.onResponse(response, flow);
  }

  #complete(response: SipResponse): void {
    const { flow, timers } = this.#options;
    this.#state = 'completed';
    this.#ack = this.#options.buildAck(response);
    flow.send(this.#ack);
    const lingerMs = flow.isReliable ? 0 : Math.max(32_000, transactionTimeoutMs(timers));
    this.#endTimer = this.#after(lingerMs, () => this.#terminate());
  }

  #resendAfter(intervalMs: number): void {
    this.#resendTimer = this.#after(intervalMs, () => {
      this.#options.flow.send(this.#options.packet);
      this.#resendAfter(intervalMs * 2);
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
