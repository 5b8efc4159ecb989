import type { SrfDialog, SrfLateOffer, SrfRequest, SrfResponse } from './drachtio.ts';
import type { EngineConnection } from './engine-connection.ts';
import { EstablishedLeg } from './established-leg.ts';
import { ENGINE_LOST_END, endOfRefusal } from './leg-end.ts';
import { SignalingError } from './signaling-error.ts';
import { formatParty } from './sip-address.ts';
import { isMadeByEngine } from './plain-request-client.ts';
import { cseqNumber, isHeaderSafe, offerBody } from './sip-headers.ts';
import type { SipLeg, SipLegEnd, SipLegEvents } from './sip-leg.ts';
import type { SignalingLog, SignalingTimeouts } from './sip-settings.ts';
import { OUTGOING_SDP_BYTES_MAX } from './sip-settings.ts';

export interface DialRequest {
  /** Whom to call: `sip:user@host[:port][;transport=…]`. */
  readonly uri: string;
  /** Without a host the engine puts its own address. */
  readonly from: { readonly user: string; readonly host?: string; readonly displayName?: string };
  /** null: the other side offers in its 200, and `DialEvents.onLateOffer` answers. */
  readonly offerSdp: string | null;
  /** At most 32; of those that a dialog is made of, Contact alone. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Next hop, when it is not the URI's own host. */
  readonly proxy?: string;
  /** How long it may ring. */
  readonly timeoutMs: number;
  /** Aborting cancels the call; the result is then an end without a reason. */
  readonly signal: AbortSignal;
  /**
   * Told of each refusal that is not our own doing. Headers given back send the INVITE again in
   * the same call, with the next CSeq: credentials, a longer session. Null: it is refused.
   */
  readonly onRefusal?: (refusal: DialRefusal) => Readonly<Record<string, string>> | null;
}

/** A final answer of 300 or more. */
export interface DialRefusal {
  readonly status: number;
  /** It reached nobody: the engine gave up, or could not send it. */
  readonly isFromEngine: boolean;
  /** Repeated headers joined by commas. */
  readonly get: (name: string) => string | undefined;
}

/** What happens before the answer. Early media comes with the description of the far side. */
export type DialProgress =
  | { readonly type: 'ringing'; readonly sipStatus: number }
  | { readonly type: 'early-media'; readonly sipStatus: number; readonly sdp: string };

/** Everything the owner of an outbound leg is told, before and after the answer. */
export interface DialEvents extends SipLegEvents {
  onProgress(progress: DialProgress): void;
  /** The answer to the offer of a 200; null hangs up. Left out: there is none to give. */
  onLateOffer?(offerSdp: string): Promise<string | null>;
}

export type DialResult =
  | {
      readonly type: 'answered';
      readonly leg: SipLeg;
      readonly answerSdp: string;
      /** Host that the responses came from; absent: the engine did not say. */
      readonly answerAddress?: string;
    }
  | ({ readonly type: 'ended' } & SipLegEnd);

export const DIAL_HEADERS_MAX = 32;
/** Times one INVITE is sent again with other headers. */
const RESENDS_MAX = 6;

const RESERVED = new Set(
  'via from to call-id cseq content-length content-type max-forwards route record-route'.split(' '),
);

/** Throws `SignalingError` for what cannot be sent as it is. */
export function checkDialRequest({ uri, headers = {}, offerSdp, proxy }: DialRequest): void {
  const isUri = (text: string) => /^(sips?:[^\s<>"]{1,256}|tel:\+?[0-9*#.()-]{1,64})$/i.test(text);
  const names = Object.keys(headers);
  const areHeaders =
    names.length <= DIAL_HEADERS_MAX &&
    names.every((name) => /^[A-Za-z0-9-]{1,64}$/.test(name) && !RESERVED.has(name.toLowerCase())) &&
    Object.values(headers).every((value) => value.length <= 1_024 && isHeaderSafe(value));
  if (!isUri(uri) || (proxy !== undefined && !isUri(proxy)) || !areHeaders) {
    throw new SignalingError('HEADER_MALFORMED', 'an address or header cannot be sent');
  }
  if (Buffer.byteLength(offerSdp ?? '') > OUTGOING_SDP_BYTES_MAX) {
    throw new SignalingError('SDP_TOO_LARGE', 'the offer is too large to be sent');
  }
}

/**
 * One outbound INVITE.
 *
 *   calling ──1xx──▶ calling ──2xx──▶ settled (a leg lives)
 *      │                └──3xx-6xx──▶ settled
 *      └──abort, no answer in time──▶ canceling ──487, any refusal, or timeout──▶ settled
 *                                         └──2xx: it was too late; ACK, BYE──▶ settled
 */
export class OutboundDial {
  readonly #connection: EngineConnection;
  readonly #request: DialRequest;
  readonly #events: DialEvents;
  readonly #timeouts: SignalingTimeouts;
  readonly #log: SignalingLog;
  #state: 'calling' | 'canceling' | 'settled' = 'calling';
  #invite: SrfRequest | null = null;
  /** Answer of a reliable provisional response: the 200 need not repeat it (RFC 3262 §5). */
  #earlyAnswerSdp = '';
  #answerAddress = '';
  #cancelEnd: SipLegEnd | null = null;
  #resends = 0;
  #timer: NodeJS.Timeout | null = null;
  #untrack: (() => void) | null = null;
  #resolve: (result: DialResult) => void = () => {};
  readonly #onAbort = () => {
    this.#cancel({ reason: null, sipStatus: 487, detail: null });
  };

  constructor(
    connection: EngineConnection,
    request: DialRequest,
    events: DialEvents,
    timeouts: SignalingTimeouts,
    log: SignalingLog,
  ) {
    this.#connection = connection;
    this.#request = request;
    this.#events = events;
    this.#timeouts = timeouts;
    this.#log = log;
  }

  /** Call once. Never rejects. */
  run(): Promise<DialResult> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#untrack = this.#connection.track(() => {
        this.#settle({ type: 'ended', ...ENGINE_LOST_END });
      });
      if (this.#untrack === null) {
        this.#settle({ type: 'ended', reason: 'at-capacity', sipStatus: null, detail: null });
        return;
      }
      const { signal, timeoutMs } = this.#request;
      if (signal.aborted) {
        this.#settle({ type: 'ended', reason: null, sipStatus: null, detail: null });
        return;
      }
      signal.addEventListener('abort', this.#onAbort, { once: true });
      this.#timer = setTimeout(() => {
        this.#cancel({ reason: 'no-answer', sipStatus: 487, detail: null });
      }, timeoutMs);
      this.#send({ From: formatParty(this.#request.from) });
    });
  }

  /** @param identity From, and what ties a repeated INVITE to the one before */
  #send(identity: Readonly<Record<string, string>>): void {
    const { uri, headers = {}, offerSdp, proxy } = this.#request;
    const type: Record<string, string> =
      offerSdp === null ? {} : { 'Content-Type': 'application/sdp' };
    const options = {
      ...(offerSdp === null ? { noAck: true } : { localSdp: offerSdp }),
      headers: { ...headers, ...identity, ...type },
      ...(proxy === undefined ? {} : { proxy }),
    };
    const progress = {
      cbRequest: (_error: unknown, invite?: SrfRequest) => {
        this.#invite = invite ?? null;
        invite?.on('response', (res) => {
          if (res.status < 300) this.#answerAddress = res.source_address;
        });
        // Aborted before the engine had even echoed the INVITE.
        if (this.#state === 'canceling') this.#sendCancel();
      },
      cbProvisional: (res: SrfResponse) => {
        this.#onProvisional(res);
      },
    };
    try {
      this.#connection.srf.createUAC(uri, options, progress, (error, answered) => {
        if (answered === undefined) this.#onRefused(error);
        else if ('sdp' in answered) void this.#onLateOffer(answered);
        else this.#onAnswered(answered);
      });
    } catch (error) {
      // srf asserts that it has a connection; when it has none, the loss is about to be told.
      this.#onRefused(error);
    }
  }

  #onProvisional(res: SrfResponse): void {
    if (this.#state !== 'calling' || res.status <= 100) return;
    const body = offerBody(res);
    const sipStatus = res.status;
    if (body.type === 'sdp' && res.has('rseq')) this.#earlyAnswerSdp = body.sdp;
    try {
      if (body.type === 'sdp') {
        this.#events.onProgress({ type: 'early-media', sipStatus, sdp: body.sdp });
      } else if (sipStatus === 180) {
        this.#events.onProgress({ type: 'ringing', sipStatus });
      }
    } catch (error) {
      this.#log.error({ err: error }, 'the owner of an outbound call threw');
      this.#cancel({ reason: 'internal-error', sipStatus: 487, detail: null });
    }
  }

  /** The other side waits for our answer in the ACK. Never rejects. */
  async #onLateOffer(late: SrfLateOffer): Promise<void> {
    try {
      const isWanted = this.#state === 'calling';
      const answerSdp = isWanted ? ((await this.#events.onLateOffer?.(late.sdp)) ?? null) : null;
      if (answerSdp !== null && this.#state === 'calling') {
        this.#onAnswered(await late.ack(answerSdp));
        return;
      }
    } catch (error) {
      this.#log.error({ err: error }, 'the offer of a 200 could not be answered');
    }
    await late.destroy().catch(() => {});
    const refused: SipLegEnd = { reason: 'no-common-codec', sipStatus: 200, detail: null };
    this.#settle({ type: 'ended', ...(this.#cancelEnd ?? refused) });
  }

  #onAnswered(dialog: SrfDialog): void {
    const sdp = dialog.remote.sdp ?? '';
    const answerSdp = sdp === '' ? this.#earlyAnswerSdp : sdp;
    if (this.#state !== 'calling') {
      // The 200 crossed our CANCEL. srf has acknowledged it; now it is hung up.
      dialog.destroy({ headers: {} }, () => {});
      this.#settle({ type: 'ended', ...(this.#cancelEnd ?? ENGINE_LOST_END) });
      return;
    }
    const leg = new EstablishedLeg({
      connection: this.#connection,
      dialog,
      events: this.#events,
      timeouts: this.#timeouts,
      log: this.#log,
      isAckDue: false,
      answerDueCseq: null,
    });
    const address = this.#answerAddress;
    const from = address === '' ? {} : { answerAddress: address };
    this.#settle({ type: 'answered', leg, answerSdp, ...from });
  }

  #onRefused(error: unknown): void {
    if (this.#cancelEnd !== null) {
      this.#settle({ type: 'ended', ...this.#cancelEnd });
      return;
    }
    const refusal = refusalOf(error);
    if (refusal === null) this.#log.warn({}, 'the engine did not send an INVITE');
    const again = this.#answerTo(refusal);
    if (again !== null) {
      this.#send(again);
      return;
    }
    const { status, get } = refusal ?? UNSENT;
    this.#settle({ type: 'ended', ...endOfRefusal(status, get('reason')) });
  }

  /** Headers of the INVITE that shall follow; null when none shall. */
  #answerTo(refusal: DialRefusal | null): Readonly<Record<string, string>> | null {
    const further = this.#request.onRefusal?.(refusal ?? UNSENT) ?? null;
    const invite = this.#invite;
    if (further === null || invite === null || this.#state !== 'calling') return null;
    const cseq = cseqNumber(invite);
    const [from, callId] = [invite.get('from'), invite.get('call-id')];
    this.#resends += 1;
    if (this.#resends > RESENDS_MAX || cseq === null) return null;
    if (from === undefined || callId === undefined) return null;
    this.#invite = null;
    return { ...further, From: from, 'Call-ID': callId, CSeq: `${cseq + 1} INVITE` };
  }

  #cancel(end: SipLegEnd): void {
    if (this.#state !== 'calling') return;
    this.#state = 'canceling';
    this.#cancelEnd = end;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#settle({ type: 'ended', ...end });
    }, this.#timeouts.cancelMs);
    this.#sendCancel();
  }

  #sendCancel(): void {
    try {
      this.#invite?.cancel({}, () => {});
    } catch (error) {
      this.#log.warn({ err: error }, 'CANCEL could not be sent');
    }
  }

  #settle(result: DialResult): void {
    if (this.#state === 'settled') return;
    this.#state = 'settled';
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.#untrack?.();
    this.#resolve(result);
  }
}

/** What never left the engine. */
const UNSENT: DialRefusal = { status: 503, isFromEngine: true, get: () => undefined };

/** A refusal is a SipError with the response; null for anything else: it never left the engine. */
function refusalOf(error: unknown): DialRefusal | null {
  if (typeof error !== 'object' || error === null || !('status' in error)) return null;
  const { status } = error;
  if (typeof status !== 'number') return null;
  const response = 'res' in error && isResponse(error.res) ? error.res : null;
  return {
    status,
    isFromEngine: response === null || isMadeByEngine(response),
    get: (name) => response?.get(name),
  };
}

const isResponse = (value: unknown): value is SrfResponse =>
  typeof value === 'object' && value !== null && 'source_address' in value && 'get' in value;
