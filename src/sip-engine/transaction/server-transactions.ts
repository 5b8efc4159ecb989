import { MAGIC_COOKIE } from '../core/ids.ts';
import { fromTag, type SipRequest } from '../message/message.ts';
import type { Flow } from '../transport/transport.ts';
import { InviteServerTransaction } from './invite-server.ts';
import { NonInviteServerTransaction } from './non-invite-server.ts';
import { RotatingBuckets } from './rotating-buckets.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type { SipTimers } from './timers.ts';

export type ServerTransaction = InviteServerTransaction | NonInviteServerTransaction;

export interface ServerTransactionsOptions {
  readonly wheel: TimerWheel;
  readonly timers: SipTimers;
  readonly transactionsMax: number;
  /** How many finished transactions are remembered. */
  readonly finishedMax: number;
}

/** Swallow what comes again: a confirmed or accepted INVITE. */
const ABSORB = Buffer.alloc(0);

/** All server transactions. A finished one leaves only the packet that answers its repetitions. */
export class ServerTransactions {
  readonly #options: ServerTransactionsOptions;
  readonly #live = new Map<string, ServerTransaction>();
  readonly #finished: RotatingBuckets<Buffer>;

  constructor(options: ServerTransactionsOptions) {
    this.#options = options;
    this.#finished = new RotatingBuckets({
      minAgeMs: 64 * options.timers.t1Ms,
      entriesMax: options.finishedMax,
      nowMs: options.wheel.nowMs,
    });
  }

  get size(): number {
    return this.#live.size;
  }

  get finishedSize(): number {
    return this.#finished.size;
  }

  get isFull(): boolean {
    return this.#live.size >= this.#options.transactionsMax;
  }

  /** Deals with a request that belongs to a known transaction. False: it is new (or an ACK for a 2xx). */
  absorb(request: SipRequest, flow: Flow): boolean {
    const key = transactionKey(request);
    const live = this.#live.get(key);
    if (live !== undefined) {
      if (request.method !== 'ACK') live.receiveRetransmission(flow);
      else if (live instanceof InviteServerTransaction) this.#acknowledge(key, live);
      return true;
    }
    const answer = this.#finished.get(key, this.#options.wheel.nowMs);
    if (answer === undefined) return false;
    if (answer.length > 0 && request.method !== 'ACK') flow.send(answer);
    return true;
  }

  has(key: string): boolean {
    return this.#live.has(key) || this.#finished.get(key, this.#options.wheel.nowMs) !== undefined;
  }

  startInvite(request: SipRequest, flow: Flow, onAckMissing: () => void): InviteServerTransaction {
    const key = transactionKey(request);
    const transaction = new InviteServerTransaction({
      flow,
      wheel: this.#options.wheel,
      timers: this.#options.timers,
      onAckMissing,
      onTerminated: () => this.#live.delete(key),
    });
    this.#live.set(key, transaction);
    return transaction;
  }

  startNonInvite(request: SipRequest, flow: Flow): NonInviteServerTransaction {
    const key = transactionKey(request);
    const transaction = new NonInviteServerTransaction({
      flow,
      onCompleted: (packet) => {
        this.#live.delete(key);
        if (!flow.isReliable) this.#finished.set(key, packet, this.#options.wheel.nowMs);
      },
    });
    this.#live.set(key, transaction);
    return transaction;
  }

  /** Forgets a request nobody will answer. */
  drop(request: SipRequest): void {
    this.#live.delete(transactionKey(request));
  }

  /** Answers an INVITE. After a 2xx the transaction is reduced to swallowing repetitions. */
  respondInvite(
    request: SipRequest,
    live: InviteServerTransaction,
    status: number,
    packet: Buffer,
  ): void {
    live.respond(status, packet);
    if (live.state === 'accepted') this.#reduce(transactionKey(request), live);
  }

  #acknowledge(key: string, live: InviteServerTransaction): void {
    live.receiveAck();
    if (live.state === 'confirmed') this.#reduce(key, live);
  }

  #reduce(key: string, live: InviteServerTransaction): void {
    live.abandon();
    this.#finished.set(key, ABSORB, this.#options.wheel.nowMs);
  }
}

/**
 * RFC 3261 §17.2.3. The ACK of a refusal and a CANCEL carry their INVITE's branch;
 * without the magic cookie the request is matched as RFC 2543 had it.
 */
export function transactionKey(request: SipRequest, method = request.method): string {
  const keyMethod = method === 'ACK' ? 'INVITE' : method;
  const { via } = request;
  const branch = via.params.get('branch') ?? '';
  if (branch.startsWith(MAGIC_COOKIE) && branch.length > MAGIC_COOKIE.length) {
    return `${branch}|${via.host}:${via.port ?? ''}|${keyMethod}`;
  }
  const { callId, cseq, uri } = request;
  return `2543|${uri}|${fromTag(request)}|${callId}|${cseq.sequence}|${via.host}:${via.port ?? ''}|${branch}|${keyMethod}`;
}
