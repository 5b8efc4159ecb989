import type { Flow } from '../transport/transport.ts';

export type NonInviteServerState = 'trying' | 'proceeding' | 'completed';

export interface NonInviteServerOptions {
  readonly flow: Flow;
  /**
   * The final answer went out. The transaction is over; whoever keeps transactions remembers
   * `packet` for 64 × T1 (timer J) when the flow is unreliable.
   */
  readonly onCompleted: (packet: Buffer) => void;
}

/**
 * Non-INVITE server transaction, RFC 3261 §17.2.2.
 *
 *   trying ──1xx──▶ proceeding ──200-699──▶ completed
 *      └───────────200-699──────────────────▲
 */
export class NonInviteServerTransaction {
  readonly #options: NonInviteServerOptions;
  #state: NonInviteServerState = 'trying';
  #flow: Flow;
  #last: Buffer | undefined;

  constructor(options: NonInviteServerOptions) {
    this.#options = options;
    this.#flow = options.flow;
  }

  get state(): NonInviteServerState {
    return this.#state;
  }

  /** In `trying` there is nothing to repeat yet. */
  receiveRetransmission(flow: Flow): void {
    this.#flow = flow;
    if (this.#last !== undefined) flow.send(this.#last);
  }

  respond(status: number, packet: Buffer): void {
    if (this.#state === 'completed') return;
    this.#last = packet;
    this.#flow.send(packet);
    this.#state = status < 200 ? 'proceeding' : 'completed';
    if (this.#state === 'completed') this.#options.onCompleted(packet);
  }
}
