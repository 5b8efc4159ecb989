import { HeaderList } from '../message/header-list.ts';
import { type MessageDraft, NO_BODY, type SipResponse } from '../message/message.ts';
import { serialize } from '../message/serialize.ts';
import type { Flow } from '../transport/transport.ts';
import { InviteClientTransaction } from './invite-client.ts';
import { NonInviteClientTransaction } from './non-invite-client.ts';
import { RotatingBuckets } from './rotating-buckets.ts';
import type { TimerWheel } from './timer-wheel.ts';
import { callTimeoutMs, type SipTimers, transactionTimeoutMs } from './timers.ts';

/** Why a request got no answer from the network. */
export type ClientFailure = 'timeout' | 'flow-lost';

export interface ClientRequest {
  readonly method: string;
  /** Its top Via holds `branch` and names this flow's transport. */
  readonly draft: MessageDraft;
  readonly branch: string;
  readonly flow: Flow;
  /** Of an INVITE: it begins a call, so somebody waits. */
  readonly isFirst?: boolean;
  readonly onResponse: (response: SipResponse, flow: Flow) => void;
  readonly onFailure: (failure: ClientFailure) => void;
  /** The transaction is over; no further call follows. */
  readonly onTerminated?: () => void;
}

interface Entry {
  readonly request: ClientRequest;
  readonly transaction: InviteClientTransaction | NonInviteClientTransaction;
}

export interface ClientTransactionsOptions {
  readonly wheel: TimerWheel;
  readonly timers: SipTimers;
  readonly transactionsMax: number;
}

/** All client transactions, found by branch and method (RFC 3261 §17.1.3). */
export class ClientTransactions {
  readonly #options: ClientTransactionsOptions;
  readonly #live = new Map<string, Entry>();
  /** ACKs of refused INVITEs, for repeated refusals: what timer D is for. */
  readonly #acks: RotatingBuckets<Buffer>;

  constructor(options: ClientTransactionsOptions) {
    this.#options = options;
    const nowMs = options.wheel.nowMs;
    this.#acks = new RotatingBuckets({
      minAgeMs: 32_000,
      entriesMax: options.transactionsMax,
      nowMs,
    });
  }

  get size(): number {
    return this.#live.size;
  }

  get isFull(): boolean {
    return this.#live.size >= this.#options.transactionsMax;
  }

  /** Requests of ours that nobody has answered finally. */
  get waitingSize(): number {
    let count = 0;
    for (const { transaction } of this.#live.values()) {
      if (transaction.state !== 'accepted' && transaction.state !== 'completed') count += 1;
    }
    return count;
  }

  /** Sends the request and returns its octets. */
  start(request: ClientRequest): Buffer {
    const key = `${request.branch}|${request.method}`;
    const packet = serialize(request.draft);
    const { wheel, timers } = this.#options;
    const common = {
      flow: request.flow,
      packet,
      wheel,
      timers,
      onResponse: request.onResponse,
      onTimeout: () => request.onFailure('timeout'),
      onTerminated: () => {
        this.#live.delete(key);
        request.onTerminated?.();
      },
    };
    const transaction =
      request.method === 'INVITE'
        ? new InviteClientTransaction({
            ...common,
            timeoutMs:
              request.isFirst === true ? callTimeoutMs(timers) : transactionTimeoutMs(timers),
            buildAck: (refusal) => ackFor(request, refusal),
          })
        : new NonInviteClientTransaction(common);
    this.#live.set(key, { request, transaction });
    transaction.start();
    return packet;
  }

  receive(response: SipResponse, flow: Flow): boolean {
    const key = `${response.via.params.get('branch') ?? ''}|${response.cseq.method}`;
    const entry = this.#live.get(key);
    if (entry === undefined) return this.#repeatAck(key, response, flow);
    entry.transaction.receive(response, flow);
    if (entry.transaction.state === 'completed') {
      const ack = entry.transaction instanceof InviteClientTransaction && entry.transaction.ack;
      if (ack && !flow.isReliable) this.#acks.set(key, ack, this.#options.wheel.nowMs);
      // What is left of the transaction is one remembered packet, or nothing.
      entry.transaction.abandon();
    }
    return true;
  }

  abandon(branch: string, method: string): void {
    this.#live.get(`${branch}|${method}`)?.transaction.abandon();
  }

  flowClosed(flow: Flow): void {
    for (const { request, transaction } of this.#live.values()) {
      if (transaction.flow !== flow) continue;
      const isWaiting = transaction.state !== 'accepted' && transaction.state !== 'completed';
      transaction.abandon();
      if (isWaiting) request.onFailure('flow-lost');
    }
  }

  #repeatAck(key: string, response: SipResponse, flow: Flow): boolean {
    if (response.cseq.method !== 'INVITE' || response.status < 300) return false;
    const ack = this.#acks.get(key, this.#options.wheel.nowMs);
    if (ack === undefined) return false;
    flow.send(ack);
    return true;
  }
}

/** RFC 3261 §17.1.1.3: the INVITE's Request-URI, top Via, Route and From; the refusal's To. */
function ackFor(request: ClientRequest, refusal: SipResponse): Buffer {
  const invite = request.draft;
  const headers = new HeaderList();
  headers.append('Via', invite.headers.list('via')[0] ?? '');
  headers.append('Max-Forwards', '70');
  for (const route of invite.headers.lines('route')) headers.append('Route', route);
  headers.append('From', invite.headers.first('from') ?? '');
  headers.append('To', refusal.headers.first('to') ?? '');
  headers.append('Call-ID', invite.headers.first('call-id') ?? '');
  headers.append('CSeq', `${refusal.cseq.sequence} ACK`);
  const startLine = invite.startLine.replace(/^INVITE /, 'ACK ');
  return serialize({ startLine, headers, body: NO_BODY });
}
