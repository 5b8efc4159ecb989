import { randomInt } from 'node:crypto';

import type { SrfRequest, SrfResponse } from './drachtio.ts';
import { respond } from './plain-requests.ts';
import { cseqNumber, offerBody } from './sip-headers.ts';
import { refreshedSession } from './session-expires.ts';
import type { OfferReply, SipLegEvents } from './sip-leg.ts';
import { ACCEPT, OUTGOING_SDP_BYTES_MAX } from './sip-settings.ts';

const SDP_HEADERS = { 'Content-Type': 'application/sdp' };

/** What the offers of one leg need to know of it. */
export interface MidCallOwner {
  readonly offerMs: number;
  readonly isLive: () => boolean;
  readonly hasOwnOfferOpen: () => boolean;
  /** Runs a function of the leg's owner; false (and the call ends) when that has a bug. */
  readonly tell: (what: (events: SipLegEvents) => void) => boolean;
}

/**
 * Re-INVITE and UPDATE of the remote side (RFC 3261 §14.2, RFC 3311). One is open at a time;
 * each gets exactly one final response, whatever happens to the owner or the leg meanwhile.
 */
export class MidCallOffers {
  readonly #owner: MidCallOwner;
  #open: {
    readonly req: SrfRequest;
    readonly res: SrfResponse;
    readonly timer: NodeJS.Timeout;
  } | null = null;
  /** CSeq of the INVITE whose ACK owes us an answer to the offer in our 200. */
  #answerDueCseq: number | null;

  constructor(owner: MidCallOwner, answerDueCseq: number | null) {
    this.#owner = owner;
    this.#answerDueCseq = answerDueCseq;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  onReinvite(req: SrfRequest, res: SrfResponse): void {
    const body = offerBody(req);
    if (this.#refusedAtOnce(res)) return;
    if (body.type === 'sdp') this.#ask(req, res, body.sdp);
    else if (body.type === 'unsupported') respond(res, 415, { headers: { Accept: ACCEPT } });
    else this.#offerInResponse(req, res);
  }

  onUpdate(req: SrfRequest, res: SrfResponse): void {
    const body = offerBody(req);
    if (body.type === 'none') this.#refreshed(req, res);
    else if (this.#refusedAtOnce(res)) return;
    else if (body.type === 'sdp') this.#ask(req, res, body.sdp);
    else respond(res, 415, { headers: { Accept: ACCEPT } });
  }

  #refreshed(req: SrfRequest, res: SrfResponse): void {
    if (this.#owner.isLive()) respond(res, 200, { headers: refreshedSession(req) });
    else respond(res, 481);
  }

  /** True when this ACK owed an answer and had none: there is no session then. */
  onAck(ack: SrfRequest): boolean {
    if (this.#answerDueCseq === null || cseqNumber(ack) !== this.#answerDueCseq) return false;
    this.#answerDueCseq = null;
    const body = offerBody(ack);
    if (body.type !== 'sdp') return true;
    this.#owner.tell((events) => {
      events.onRemoteAnswer(body.sdp);
    });
    return false;
  }

  /** The leg ends: an open re-INVITE still gets its final response (RFC 3261 §15.1.2). */
  close(): void {
    if (this.#open !== null) this.#settle(this.#open.res, { type: 'status', status: 487 });
  }

  #refusedAtOnce(res: SrfResponse): boolean {
    if (!this.#owner.isLive()) respond(res, 481);
    else if (this.#owner.hasOwnOfferOpen()) respond(res, 491);
    else if (this.#open !== null || this.#answerDueCseq !== null) {
      respond(res, 500, { headers: { 'Retry-After': String(randomInt(0, 11)) } });
    } else return false;
    return true;
  }

  #offerInResponse(req: SrfRequest, res: SrfResponse): void {
    const isTold = this.#owner.tell((events) => {
      const body = events.makeOffer();
      this.#answerDueCseq = cseqNumber(req);
      respond(res, 200, { headers: { ...SDP_HEADERS, ...refreshedSession(req) }, body });
    });
    if (!isTold) respond(res, 500);
  }

  #ask(req: SrfRequest, res: SrfResponse, sdp: string): void {
    const timer = setTimeout(() => {
      this.#settle(res, { type: 'status', status: 500 });
    }, this.#owner.offerMs);
    this.#open = { req, res, timer };
    // The engine has answered a canceled re-INVITE itself.
    req.on('cancel', () => {
      this.#settle(res, null);
    });
    const isTold = this.#owner.tell((events) => {
      events.onRemoteOffer(sdp).then(
        (reply) => {
          this.#settle(res, reply);
        },
        () => {
          this.#settle(res, { type: 'status', status: 500 });
        },
      );
    });
    if (!isTold) this.#settle(res, { type: 'status', status: 500 });
  }

  #settle(
    res: SrfResponse,
    reply: OfferReply | { readonly type: 'status'; readonly status: number } | null,
  ): void {
    if (this.#open?.res !== res) return;
    clearTimeout(this.#open.timer);
    const headers = { ...SDP_HEADERS, ...refreshedSession(this.#open.req) };
    this.#open = null;
    if (reply === null) return;
    if (reply.type !== 'answer') respond(res, reply.status);
    else if (Buffer.byteLength(reply.sdp) > OUTGOING_SDP_BYTES_MAX) respond(res, 500);
    else respond(res, 200, { headers, body: reply.sdp });
  }
}
