import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import type { SrfDialog, SrfRequest, SrfResponse, SrfSendOptions } from './drachtio.ts';
import { engineErrorText } from './drachtio.ts';
import type { EngineConnection } from './engine-connection.ts';
import { infoDigit } from './info-digit.ts';
import { ENGINE_LOST_END, endOfBye } from './leg-end.ts';
import { MidCallOffers } from './mid-call-offers.ts';
import { answerOptions, answerPlainRequest, respond } from './plain-requests.ts';
import { SignalingError } from './signaling-error.ts';
import { plainText } from './sip-headers.ts';
import type { SipLeg, SipLegEnd, SipLegEvents } from './sip-leg.ts';
import type { SignalingLog, SignalingTimeouts } from './sip-settings.ts';
import { ACCEPT, OUTGOING_SDP_BYTES_MAX } from './sip-settings.ts';
import { LegTransfers } from './transfer/leg-transfers.ts';
import type { ReferRequest, ReferResult } from './transfer/refer.ts';
import { type DialogIdentity, dialogKey } from './transfer/replaces.ts';

/** Re-INVITEs sent again after 491 before giving up. */
export const GLARE_RETRIES_MAX = 3;
/** In-dialog requests of ours under way at once; more are refused. */
export const REQUESTS_OPEN_MAX = 16;

export interface EstablishedLegOptions {
  readonly connection: EngineConnection;
  readonly dialog: SrfDialog;
  readonly events: SipLegEvents;
  readonly timeouts: SignalingTimeouts;
  readonly log: SignalingLog;
  /** We are the callee: our 200 is still to be acknowledged. */
  readonly isAckDue: boolean;
  /** CSeq of the INVITE that we answered with an offer of ours. */
  readonly answerDueCseq: number | null;
}

/**
 * An established dialog. Its listeners must be attached in the very callback that brings the
 * dialog: a BYE in the same TCP read would be missed otherwise.
 *
 *   live ──hangUp / a bug / no answer in the ACK──▶ ending ──BYE answered, or timeout──▶ ended
 *     └──────── BYE, engine lost, 408 or 481 to a request of ours ────────────────────▶ ended
 */
export class EstablishedLeg implements SipLeg {
  readonly sipCallId: string;
  readonly identity: DialogIdentity;
  readonly #options: EstablishedLegOptions;
  readonly #offers: MidCallOffers;
  readonly #transfers: LegTransfers;
  readonly #openRequests = new Set<(error: SignalingError) => void>();
  readonly #untrack: (() => void) | null;
  #state: 'live' | 'ending' | 'ended' = 'live';
  #isAckDue: boolean;
  /** Our BYE waits for the ACK, which it may not overtake. */
  #isByeOwed = false;
  /** `sendOffer` is at work; while it waits out a glare, offers of theirs are welcome. */
  #isOffering = false;
  #isOfferOnWire = false;
  #byeHeaders: Record<string, string> = {};
  /** Settles when the leg has ended, for `hangUp`. */
  readonly #ended: Promise<void>;
  #resolveEnded: () => void = () => {};
  #end: SipLegEnd | null = null;
  #byeTimer: NodeJS.Timeout | null = null;

  constructor(options: EstablishedLegOptions) {
    const { dialog, connection, timeouts } = options;
    this.#options = options;
    this.sipCallId = dialog.sip.callId;
    this.identity = { ...dialog.sip, remoteTarget: dialog.remote.uri };
    this.#isAckDue = options.isAckDue;
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#offers = new MidCallOffers(
      {
        offerMs: timeouts.offerMs,
        isLive: () => this.#state === 'live',
        hasOwnOfferOpen: () => this.#isOfferOnWire,
        tell: (what) => this.#tell(what),
      },
      options.answerDueCseq,
    );
    this.#transfers = new LegTransfers({
      requestMs: timeouts.requestMs,
      newsMs: timeouts.referMs,
      contact: () => dialog.local.contact,
      isLive: () => this.#state === 'live',
      request: (request, timeoutMs) => this.#request(request, timeoutMs),
      tell: (what) => this.#tell(what),
    });
    this.#listen(dialog);
    connection.legs.set(this.#key, this);
    this.#untrack = connection.track(() => {
      this.#isByeOwed = false;
      this.#finish(ENGINE_LOST_END);
    });
    if (this.#untrack === null)
      this.#close({ reason: 'at-capacity', sipStatus: null, detail: null });
  }

  hangUp(reason?: { readonly q850: number; readonly text: string }): Promise<void> {
    if (reason !== undefined && this.#state === 'live') {
      const { q850, text } = reason;
      this.#byeHeaders = { Reason: `Q.850;cause=${q850};text="${plainText(text)}"` };
    }
    this.#close({ reason: null, sipStatus: null, detail: null });
    return this.#ended;
  }

  async sendOffer(sdp: string): Promise<string> {
    if (Buffer.byteLength(sdp) > OUTGOING_SDP_BYTES_MAX) {
      throw new SignalingError('SDP_TOO_LARGE', 'the offer is too large to be sent');
    }
    if (this.#isOffering) {
      throw new SignalingError('OFFER_PENDING', 'another offer of ours is still open');
    }
    this.#isOffering = true;
    try {
      for (let attempt = 0; ; attempt += 1) {
        const response = this.#offers.isOpen ? null : await this.#sendInvite(sdp);
        if (response !== null) return response;
        if (attempt === GLARE_RETRIES_MAX) throw refused(491);
        await this.#waitOutGlare();
      }
    } finally {
      this.#isOffering = false;
    }
  }

  refer(request: ReferRequest): Promise<ReferResult> {
    return this.#transfers.refer(request);
  }

  async sendInfoDigit(digit: string): Promise<void> {
    if (!/^[0-9*#A-D]$/.test(digit)) {
      throw new SignalingError('HEADER_MALFORMED', 'not a key of a telephone');
    }
    const { status } = await this.#request(
      {
        method: 'INFO',
        headers: { 'Content-Type': 'application/dtmf-relay' },
        body: `Signal=${digit}\r\nDuration=160\r\n`,
      },
      this.#options.timeouts.requestMs,
    );
    if (status >= 300) throw refused(status);
  }

  get #key(): string {
    const { callId, localTag, remoteTag } = this.identity;
    return dialogKey(callId, localTag, remoteTag);
  }

  #listen(dialog: SrfDialog): void {
    const { log } = this.#options;
    dialog.on('destroy', (bye, engineReason) => {
      this.#isByeOwed = false;
      this.#finish(endOfBye(bye, engineReason));
    });
    dialog.on('ack', (ack) => {
      this.#onAck(ack);
    });
    dialog.on('modify', (req, res) => {
      this.#offers.onReinvite(req, res);
    });
    dialog.on('update', (req, res) => {
      this.#offers.onUpdate(req, res);
    });
    dialog.on('info', (req, res) => {
      this.#onInfo(req, res);
    });
    dialog.on('options', (_req, res) => {
      answerOptions(res, false);
    });
    dialog.on('refer', (req, res) => {
      this.#transfers.onRefer(req, res);
    });
    dialog.on('notify', (req, res) => {
      this.#transfers.onNotify(req, res);
    });
    for (const method of ['message', 'publish', 'subscribe'] as const) {
      dialog.on(method, (req, res) => {
        log.info({ method }, 'an in-dialog request we do not take');
        answerPlainRequest(req, res, false);
      });
    }
  }

  #onAck(ack: SrfRequest): void {
    this.#isAckDue = false;
    if (this.#isByeOwed) {
      this.#isByeOwed = false;
      this.#sendBye();
    } else if (this.#state === 'live' && this.#offers.onAck(ack)) {
      this.#close({ reason: 'bad-offer', sipStatus: null, detail: 'no answer in the ACK' });
    }
  }

  #onInfo(req: SrfRequest, res: SrfResponse): void {
    if (this.#state !== 'live') return respond(res, 481);
    const info = infoDigit(req);
    if (info.type === 'unsupported') return respond(res, 415, { headers: { Accept: ACCEPT } });
    respond(res, 200);
    if (info.type === 'digit')
      this.#tell((events) => {
        events.onDigit(info.digit);
      });
  }

  /** Runs a function of the owner; when that throws, this call ends and no other. */
  #tell(what: (events: SipLegEvents) => void): boolean {
    try {
      what(this.#options.events);
      return true;
    } catch (error) {
      this.#options.log.error({ err: error }, 'the owner of a leg threw');
      this.#close({ reason: 'internal-error', sipStatus: null, detail: null });
      return false;
    }
  }

  /** Begins to end: BYE now, or as soon as our 200 is acknowledged. */
  #close(end: SipLegEnd): void {
    if (this.#state !== 'live') return;
    this.#state = 'ending';
    this.#end = end;
    this.#offers.close();
    this.#byeTimer = setTimeout(() => {
      this.#finish(null);
    }, this.#options.timeouts.byeMs);
    if (this.#isAckDue) this.#isByeOwed = true;
    else this.#sendBye();
  }

  #sendBye(): void {
    // The engine answers for a BYE that nobody answers, so this comes in any case.
    this.#options.dialog.destroy({ headers: this.#byeHeaders }, () => {
      this.#finish(null);
    });
  }

  /** Ends the leg, once. `end` is null when `#close` has said why already. */
  #finish(end: SipLegEnd | null): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#offers.close();
    this.#options.connection.legs.delete(this.#key);
    if (this.#byeTimer !== null) clearTimeout(this.#byeTimer);
    this.#untrack?.();
    const code = end === ENGINE_LOST_END ? 'ENGINE_LOST' : 'LEG_ENDED';
    for (const reject of this.#openRequests) {
      reject(new SignalingError(code, 'the leg ended while a request was under way'));
    }
    this.#openRequests.clear();
    this.#transfers.close();
    try {
      // The first cause wins: a BYE of theirs that crosses ours changes nothing.
      this.#options.events.onEnded(this.#end ?? end ?? ENGINE_LOST_END);
    } catch (error) {
      this.#options.log.error({ err: error }, 'the owner of a leg threw at its end');
    }
    this.#resolveEnded();
  }

  /** Sends a re-INVITE; null stands for glare. */
  async #sendInvite(sdp: string): Promise<string | null> {
    const { dialog, timeouts } = this.#options;
    const contact = dialog.local.contact;
    this.#isOfferOnWire = true;
    const response = await this.#request(
      {
        method: 'INVITE',
        headers: {
          'Content-Type': 'application/sdp',
          ...(contact === undefined ? {} : { Contact: contact }),
        },
        body: sdp,
      },
      timeouts.reinviteMs,
    ).finally(() => {
      this.#isOfferOnWire = false;
    });
    if (response.status === 491) return null;
    const body = response.body ?? '';
    if (response.status >= 300 || body === '') throw refused(response.status);
    return body;
  }

  /** RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s. */
  async #waitOutGlare(): Promise<void> {
    const isCaller = !this.#options.isAckDue;
    const waitMs = isCaller ? randomInt(2_100, 4_001) : randomInt(0, 2_001);
    await delay(waitMs, undefined, { ref: false });
    if (this.#state !== 'live') throw new SignalingError('LEG_ENDED', 'the leg has ended');
  }

  #request(
    options: SrfSendOptions & { readonly method: string },
    timeoutMs: number,
  ): Promise<SrfResponse> {
    return new Promise((resolve, reject) => {
      if (this.#state !== 'live' || this.#openRequests.size >= REQUESTS_OPEN_MAX) {
        const code = this.#state === 'live' ? 'ENGINE_REFUSED' : 'LEG_ENDED';
        reject(new SignalingError(code, 'no request can be sent on this leg'));
        return;
      }
      const fail = (error: SignalingError) => {
        clearTimeout(timer);
        this.#openRequests.delete(fail);
        reject(error);
      };
      const timer = setTimeout(() => {
        fail(new SignalingError('REQUEST_TIMEOUT', 'nobody answered in time', { retryable: true }));
      }, timeoutMs);
      this.#openRequests.add(fail);
      this.#options.dialog.request(options, (error, response) => {
        if (response !== undefined && response.status < 200) return;
        if (!this.#openRequests.delete(fail)) return;
        clearTimeout(timer);
        if (response === undefined) fail(this.#engineRefusal(error));
        else resolve(response);
        if (mayTellOfDialog(options.method, response?.status)) {
          this.#endIfUnknown(response?.status ?? null);
        }
      });
    });
  }

  #engineRefusal(error: unknown): SignalingError {
    const text = engineErrorText(error);
    if (/unable to find dialog/i.test(text)) this.#endIfUnknown(481);
    return new SignalingError('ENGINE_REFUSED', 'the engine did not send the request', {
      cause: error,
    });
  }

  /** 408 and 481 to a request of ours mean that the dialog is no more (RFC 3261 §12.2.1.2). */
  #endIfUnknown(sipStatus: number | null): void {
    if (sipStatus !== 408 && sipStatus !== 481) return;
    this.#close({ reason: 'caller-lost', sipStatus, detail: null });
  }
}

/**
 * NOTIFY may be unknown where the dialog is not, and a REFER that is not understood may go
 * unanswered (RFC 5057 §5.1): neither ends a call.
 */
const mayTellOfDialog = (method: string, status: number | undefined): boolean =>
  method !== 'NOTIFY' && !(method === 'REFER' && status === 408);

const refused = (sipStatus: number): SignalingError =>
  new SignalingError('REQUEST_REFUSED', `the remote side answered ${sipStatus}`, {
    facts: { sipStatus },
    retryable: sipStatus === 491,
  });
