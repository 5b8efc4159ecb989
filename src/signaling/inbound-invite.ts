import type { SrfDialog, SrfRequest, SrfResponse } from './drachtio.ts';
import { engineErrorText } from './drachtio.ts';
import type { EngineConnection } from './engine-connection.ts';
import { EstablishedLeg } from './established-leg.ts';
import { ENGINE_LOST_END } from './leg-end.ts';
import { respond } from './plain-requests.ts';
import { SignalingError } from './signaling-error.ts';
import { parseParty } from './sip-address.ts';
import { transportOf } from './request-transport.ts';
import { cseqNumber, keptHeaders, optionTags, plainText, reasonText } from './sip-headers.ts';
import type { SipInvite, SipLeg, SipLegEnd, SipLegEvents, SipParty } from './sip-leg.ts';
import type { SignalingLog, SignalingTimeouts } from './sip-settings.ts';
import { OUTGOING_SDP_BYTES_MAX } from './sip-settings.ts';

export interface InboundInviteOptions {
  readonly connection: EngineConnection;
  readonly req: SrfRequest;
  readonly res: SrfResponse;
  /** null: a late offer. */
  readonly offerSdp: string | null;
  readonly trunk: string | null;
  /** Contact of our answers; null: the engine's own. */
  readonly contact: string | null;
  readonly replaces: SipLeg | null;
  readonly timeouts: SignalingTimeouts;
  readonly log: SignalingLog;
}

/**
 * An INVITE on its way to a verdict.
 *
 *   waiting ──answer──▶ answering ──200 sent──▶ settled (a leg lives)
 *      ├── refuse ──────────┼──────────────────▶ settled
 *      └── CANCEL, engine lost, no verdict in time ──▶ settled
 */
export class InboundInvite implements SipInvite {
  readonly sipCallId: string;
  readonly from: SipParty;
  readonly to: SipParty;
  readonly dialed: SipParty;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly transport: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly offerSdp: string | null;
  readonly trunk: string | null;
  readonly replaces: SipLeg | null;
  signedInAs: string | null = null;
  readonly #options: InboundInviteOptions;
  readonly #untrack: (() => void) | null;
  readonly #verdictTimer: NodeJS.Timeout;
  #state: 'waiting' | 'answering' | 'settled' = 'waiting';
  #isRinging = false;
  /** Runs once the reliable 180 was acknowledged; null while nothing waits for that. */
  #isPrackDue = false;
  #afterPrack: (() => void) | null = null;
  #rejectAnswer: (error: SignalingError) => void = () => {};
  #canceledEnd: SipLegEnd | null = null;
  #onCanceled: ((end: SipLegEnd) => void) | null = null;

  constructor(options: InboundInviteOptions) {
    const { req, connection, timeouts } = options;
    this.#options = options;
    this.sipCallId = req.get('call-id') ?? '';
    this.from = parseParty(req.get('from') ?? '');
    this.to = parseParty(req.get('to') ?? '');
    this.dialed = parseParty(req.uri);
    this.sourceAddress = req.source_address;
    this.sourcePort = req.source_port;
    this.transport = transportOf(req);
    this.headers = keptHeaders(req);
    this.offerSdp = options.offerSdp;
    this.trunk = options.trunk;
    this.replaces = options.replaces;
    req.on('cancel', (cancel) => {
      const detail = reasonText(cancel);
      this.#cancel({ reason: 'caller-canceled', sipStatus: 487, detail }, 'INVITE_CANCELED');
    });
    this.#verdictTimer = setTimeout(() => {
      this.#giveUp();
    }, timeouts.verdictMs);
    this.#untrack = connection.track(() => {
      this.#cancel(ENGINE_LOST_END, 'ENGINE_LOST');
    });
  }

  /** It ended, or has its verdict: nobody need be told of it any more. */
  get isSettled(): boolean {
    return this.#state === 'settled';
  }

  /** False when there are too many calls: the INVITE must be refused, and was not announced. */
  get isTracked(): boolean {
    return this.#untrack !== null;
  }

  ring(): void {
    if (this.#state !== 'waiting' || this.#isRinging) return;
    this.#isRinging = true;
    const { req, res } = this.#options;
    if (!optionTags(req, 'require').includes('100rel')) {
      res.send(180, { headers: this.#contactHeader }, () => {});
      return;
    }
    this.#isPrackDue = true;
    const onPrack = () => {
      this.#isPrackDue = false;
      this.#afterPrack?.();
    };
    const onSent = (error: unknown) => {
      // An engine that cannot send it reliably has not sent it: nothing will be acknowledged.
      if (error) onPrack();
    };
    const headers = { ...this.#contactHeader, Require: '100rel' };
    res.send(180, { headers }, onSent, onPrack);
  }

  answer(sdp: string, events: SipLegEvents): Promise<SipLeg> {
    return new Promise((resolve, reject) => {
      const refusal = this.#whyNotAnswer(sdp);
      if (refusal !== null) {
        reject(refusal);
        return;
      }
      this.#state = 'answering';
      this.#rejectAnswer = reject;
      const send = () => {
        this.#send200(sdp, (dialog) => {
          const leg = this.#establish(dialog, events);
          resolve(leg);
        });
      };
      // A 200 must not pass a reliable 180 that is still open (RFC 3262 §3).
      if (this.#isPrackDue) this.#afterPrack = send;
      else send();
    });
  }

  refuse(
    status: number,
    options: {
      readonly retryAfterSeconds?: number;
      readonly reasonText?: string;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): void {
    if (status < 300 || status > 699) throw new TypeError(`${status} does not refuse a call`);
    if (this.#state !== 'waiting') return;
    this.#settle();
    const { retryAfterSeconds, reasonText: text } = options;
    const headers: Record<string, string> = { ...options.headers };
    if (retryAfterSeconds !== undefined) {
      headers['Retry-After'] = String(Math.max(0, Math.ceil(retryAfterSeconds)));
    }
    if (text !== undefined) headers['Warning'] = `399 trunkline "${plainText(text)}"`;
    respond(this.#options.res, status, { headers });
  }

  onCanceled(listener: (end: SipLegEnd) => void): void {
    if (this.#canceledEnd === null) this.#onCanceled = listener;
    else listener(this.#canceledEnd);
  }

  #whyNotAnswer(sdp: string): SignalingError | null {
    if (this.#canceledEnd?.reason === 'sip-engine-lost') {
      return new SignalingError('ENGINE_LOST', 'the connection to the SIP engine is gone');
    }
    if (this.#canceledEnd !== null) {
      return new SignalingError('INVITE_CANCELED', 'the INVITE has ended already');
    }
    if (this.#state !== 'waiting') {
      return new SignalingError('INVITE_SETTLED', 'the INVITE has its verdict already');
    }
    if (Buffer.byteLength(sdp) > OUTGOING_SDP_BYTES_MAX) {
      return new SignalingError('SDP_TOO_LARGE', 'the answer is too large to be sent');
    }
    return null;
  }

  get #contactHeader(): Record<string, string> {
    const { contact } = this.#options;
    return contact === null ? {} : { Contact: contact };
  }

  #send200(sdp: string, onDialog: (dialog: SrfDialog) => void): void {
    if (this.#state !== 'answering') return;
    const { connection, req, res } = this.#options;
    const headers = { ...this.#contactHeader, 'Content-Type': 'application/sdp' };
    connection.srf.createUAS(req, res, { localSdp: sdp, headers }, (error, dialog) => {
      if (dialog !== undefined && this.#state === 'answering') onDialog(dialog);
      // Settled meanwhile, yet the engine took our 200: nobody wants that dialog.
      else if (dialog !== undefined) dialog.destroy({ headers: {} }, () => {});
      else this.#answerFailed(error);
    });
  }

  #establish(dialog: SrfDialog, events: SipLegEvents): EstablishedLeg {
    const { connection, req, timeouts, log, offerSdp } = this.#options;
    this.#settle();
    return new EstablishedLeg({
      connection,
      dialog,
      events,
      timeouts,
      log,
      isAckDue: true,
      answerDueCseq: offerSdp === null ? cseqNumber(req) : null,
    });
  }

  /** The engine knows the transaction no more: it has answered a CANCEL that crossed our 200. */
  #answerFailed(error: unknown): void {
    if (this.#state !== 'answering') return;
    this.#settle();
    const isCanceled = /unknown transaction|request terminated/i.test(engineErrorText(error));
    const code = isCanceled ? 'INVITE_CANCELED' : 'ENGINE_REFUSED';
    this.#rejectAnswer(new SignalingError(code, 'our 200 was not sent', { cause: error }));
  }

  /** Ends the INVITE without a verdict of ours. */
  #cancel(end: SipLegEnd, code: 'INVITE_CANCELED' | 'ENGINE_LOST'): void {
    if (this.#state === 'settled') return;
    const wasAnswering = this.#state === 'answering';
    this.#canceledEnd = end;
    this.#settle();
    if (wasAnswering) {
      this.#rejectAnswer(new SignalingError(code, 'the INVITE ended before it was answered'));
      return;
    }
    try {
      this.#onCanceled?.(end);
    } catch (error) {
      this.#options.log.error({ err: error }, 'the owner of an INVITE threw at its end');
    }
  }

  #giveUp(): void {
    const { res, log } = this.#options;
    if (this.#state === 'settled') return;
    log.error({ state: this.#state }, 'an INVITE had no verdict in time');
    this.#cancel({ reason: 'internal-error', sipStatus: 500, detail: null }, 'INVITE_CANCELED');
    respond(res, 500);
  }

  #settle(): void {
    this.#state = 'settled';
    this.#afterPrack = null;
    clearTimeout(this.#verdictTimer);
    this.#untrack?.();
  }
}
