import type { SrfRequest, SrfResponse, SrfSendOptions } from '../drachtio.ts';
import { respond } from '../plain-requests.ts';
import { SignalingError } from '../signaling-error.ts';
import { isHeaderSafe } from '../sip-headers.ts';
import { readRefer } from './inbound-refer.ts';
import type { InboundRefer, ReferRequest, ReferResult } from './refer.ts';
import { ReferSubscription } from './refer-subscription.ts';

const REFER_HEADER_CHARACTERS_MAX = 1_024;

/** What the transfers of one leg need of it. */
export interface TransferOwner {
  readonly requestMs: number;
  readonly newsMs: number;
  readonly contact: () => string | undefined;
  readonly isLive: () => boolean;
  /** Sends a request in the dialog; rejects when nobody answers. */
  readonly request: (
    options: SrfSendOptions & { readonly method: string },
    timeoutMs: number,
  ) => Promise<{ readonly status: number; get(name: string): string | undefined }>;
  readonly tell: (what: (events: { onRefer?(refer: InboundRefer): void }) => void) => boolean;
}

/** REFER both ways in one dialog, and the NOTIFYs that follow it (RFC 3515, RFC 5589). */
export class LegTransfers {
  readonly #owner: TransferOwner;
  #subscription: ReferSubscription | null = null;
  /** REFERs of theirs that were accepted; from the second on NOTIFY must say which. */
  #accepted = 0;

  constructor(owner: TransferOwner) {
    this.#owner = owner;
  }

  /** Sends REFER and resolves with its end. Rejects only for what cannot be sent as it is. */
  refer({ referTo, referredBy, onProgress }: ReferRequest): Promise<ReferResult> {
    const values = [referTo, referredBy];
    const areSafe = values.every(
      (value) => value.length <= REFER_HEADER_CHARACTERS_MAX && isHeaderSafe(value),
    );
    if (!areSafe) {
      return Promise.reject(new SignalingError('HEADER_MALFORMED', 'a REFER cannot be sent so'));
    }
    if (this.#subscription?.isOver === false) {
      return Promise.reject(new SignalingError('REFER_PENDING', 'another REFER is still open'));
    }
    const { newsMs, requestMs, contact, request } = this.#owner;
    const subscription = new ReferSubscription({ newsMs, onProgress });
    this.#subscription = subscription;
    const ownContact = contact();
    const headers = {
      'Refer-To': referTo,
      'Referred-By': referredBy,
      ...(ownContact === undefined ? {} : { Contact: ownContact }),
    };
    request({ method: 'REFER', headers }, requestMs).then(
      (response) => {
        const isUnsubscribed = /^\s*false\b/i.test(response.get('refer-sub') ?? '');
        subscription.onAnswer(response.status, isUnsubscribed);
      },
      () => subscription.onUnanswered(),
    );
    return subscription.result;
  }

  onNotify(req: SrfRequest, res: SrfResponse): void {
    const subscription = this.#subscription;
    const isAboutRefer = /^\s*refer\s*(;|$)/i.test(req.get('event') ?? '');
    if (!isAboutRefer || subscription === null || subscription.isOver) return respond(res, 481);
    respond(res, 200);
    subscription.onNotify(req);
  }

  onRefer(req: SrfRequest, res: SrfResponse): void {
    if (!this.#owner.isLive()) return respond(res, 481);
    const event =
      this.#accepted === 0 ? 'refer' : `refer;id=${Number.parseInt(req.get('cseq') ?? '', 10)}`;
    const refer = readRefer(req, res, event, (headers, body) => this.#notify(headers, body));
    if (refer === null) return;
    const isTold = this.#owner.tell((events) => {
      if (events.onRefer === undefined) refer.refuse(603);
      else events.onRefer(refer);
    });
    if (isTold) this.#accepted += 1;
    else refer.refuse(603);
  }

  /** The dialog is over. */
  close(): void {
    this.#subscription?.onLegEnded();
  }

  #notify(headers: Record<string, string>, body: string): void {
    if (!this.#owner.isLive()) return;
    const { request, requestMs, contact } = this.#owner;
    const ownContact = contact();
    const all = ownContact === undefined ? headers : { ...headers, Contact: ownContact };
    // Whoever referred us may be gone already; what it does not hear is its own loss.
    request({ method: 'NOTIFY', headers: all, body }, requestMs).catch(() => {});
  }
}
