import { backOffMs, STABLE_AFTER_MS } from './back-off.ts';
import type { SrfClient, SrfRequest, SrfResponse } from './drachtio.ts';
import type { EngineAddress } from './engine-connection.ts';
import { EngineConnection } from './engine-connection.ts';
import { InboundInvite } from './inbound-invite.ts';
import { ENGINE_LOST_END } from './leg-end.ts';
import type { DialEvents, DialRequest, DialResult } from './outbound-dial.ts';
import { checkDialRequest, OutboundDial } from './outbound-dial.ts';
import type { PlainRequest, PlainResult } from './plain-request-client.ts';
import { sendPlainRequest } from './plain-request-client.ts';
import { answerPlainRequest, respond, ROUTED_METHODS } from './plain-requests.ts';
import { isWebSocket, transportOf } from './request-transport.ts';
import { SignalingError } from './signaling-error.ts';
import type { InboundRequest, InboundVerdict } from './trunk/inbound-policy.ts';
import { offerBody, unsupportedExtensions } from './sip-headers.ts';
import type { SipInvite, SipLeg } from './sip-leg.ts';
import type { SignalingLog, SignalingTimeouts } from './sip-settings.ts';
import { ACCEPT, SIGNALING_TIMEOUTS } from './sip-settings.ts';
import type { WebSocketAuthorizer } from './web-socket-authorizer.ts';
import { isSessionTooShort, MIN_SESSION_SECONDS } from './session-expires.ts';
import { dialogKey, parseReplaces } from './transfer/replaces.ts';
import { challengeHeaders, WebSocketDoor } from './web-socket-door.ts';

export interface SipEngineOptions extends EngineAddress {
  /** Every new call. It may not throw; when it does, the INVITE is refused with 500. */
  readonly onInvite: (invite: SipInvite) => void;
  /** Each time a connection stands; `contacts` are where the engine listens. */
  readonly onConnected?: (contacts: readonly string[]) => void;
  /** Each time one is lost, after all its calls were told. */
  readonly onLost?: (why: string) => void;
  /** Name of the trunk a source belongs to, null for none. */
  readonly trunkOf?: (sourceAddress: string) => string | null;
  /** Judges every INVITE before anything is made of it; takes the place of `trunkOf`. */
  readonly admit?: (request: InboundRequest) => InboundVerdict;
  /** Contact of our answers to a trunk, by its name and the transport; null: the engine's own. */
  readonly contactFor?: (trunk: string, transport: string) => string | null;
  /** Who may sign in by WebSocket. Left out: nobody, whatever address the request comes from. */
  readonly webSockets?: WebSocketAuthorizer;
  readonly timeouts?: Partial<SignalingTimeouts>;
  readonly log: SignalingLog;
}

/** SIP as the rest of the daemon sees it, whichever engine stands behind it. */
export interface SipSignaling {
  readonly isConnected: boolean;
  /** INVITEs and legs alive now. */
  readonly callCount: number;
  /** Resolves when connected, at once or by one of the next attempts; rejects after `close`. */
  whenConnected(): Promise<void>;
  /**
   * Calls someone. Resolves with a leg or a typed end; rejects with `SignalingError` only for a
   * request that cannot be sent as it is.
   */
  dial(request: DialRequest, events: DialEvents): Promise<DialResult>;
  /** Sends REGISTER or OPTIONS. Rejects only for what cannot be written into a message. */
  request(request: PlainRequest): Promise<PlainResult>;
  /** From now on OPTIONS is answered with 503. INVITEs still come: their owner refuses them. */
  drain(): void;
  /** Lets go of the engine. What is still alive ends with `sip-engine-lost`. Idempotent. */
  close(): Promise<void>;
}

/** Connects to the engine and stays connected, with growing waits, until `close`. */
export function connectSipEngine(options: SipEngineOptions): SipSignaling {
  return new SipEngineClient(options);
}

class SipEngineClient implements SipSignaling {
  readonly #options: SipEngineOptions;
  readonly #timeouts: SignalingTimeouts;
  readonly #door: WebSocketDoor;
  #connection: EngineConnection;
  #isConnected = false;
  #isDraining = false;
  #isClosed = false;
  #failures = 0;
  #readyAtMs = 0;
  #retryTimer: NodeJS.Timeout | null = null;
  #waiting: { resolve: () => void; reject: (error: SignalingError) => void }[] = [];
  #onClosed: (() => void) | null = null;

  constructor(options: SipEngineOptions) {
    this.#options = options;
    this.#timeouts = { ...SIGNALING_TIMEOUTS, ...options.timeouts };
    this.#door = new WebSocketDoor({
      authorizer: options.webSockets ?? null,
      log: options.log,
      nowMs: () => performance.timeOrigin + performance.now(),
    });
    this.#connection = this.#open();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get callCount(): number {
    return this.#connection.callCount;
  }

  whenConnected(): Promise<void> {
    if (this.#isConnected) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (this.#isClosed) reject(new SignalingError('ENGINE_LOST', 'signaling is closed'));
      else this.#waiting.push({ resolve, reject });
    });
  }

  async dial(request: DialRequest, events: DialEvents): Promise<DialResult> {
    checkDialRequest(request);
    if (!this.#isConnected) return { type: 'ended', ...ENGINE_LOST_END };
    const { log } = this.#options;
    return new OutboundDial(this.#connection, request, events, this.#timeouts, log).run();
  }

  async request(request: PlainRequest): Promise<PlainResult> {
    if (!this.#isConnected) return { type: 'unanswered', why: 'no connection to the SIP engine' };
    return sendPlainRequest(this.#connection, request);
  }

  drain(): void {
    this.#isDraining = true;
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isClosed = true;
    for (const { reject } of this.#waiting.splice(0)) {
      reject(new SignalingError('ENGINE_LOST', 'signaling is closed'));
    }
    if (this.#retryTimer !== null) {
      clearTimeout(this.#retryTimer);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#onClosed = resolve;
      this.#connection.closeSoon('signaling is closed');
    });
  }

  #open(): EngineConnection {
    const connection: EngineConnection = new EngineConnection(
      this.#options,
      (srf) => {
        this.#register(srf);
      },
      this.#timeouts,
      {
        onReady: (contacts) => {
          this.#onReady(contacts);
        },
        onLost: (why) => {
          this.#onLost(why);
        },
      },
    );
    return connection;
  }

  #onReady(contacts: readonly string[]): void {
    this.#isConnected = true;
    this.#readyAtMs = performance.now();
    this.#options.log.info({ contacts }, 'connected to the SIP engine');
    this.#options.onConnected?.(contacts);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #onLost(why: string): void {
    const wasStable = this.#isConnected && performance.now() - this.#readyAtMs > STABLE_AFTER_MS;
    const wasConnected = this.#isConnected;
    this.#isConnected = false;
    this.#failures = wasStable ? 1 : this.#failures + 1;
    if (wasConnected) this.#options.onLost?.(why);
    if (this.#isClosed) {
      this.#onClosed?.();
      return;
    }
    const waitMs = backOffMs(this.#failures, Math.random());
    this.#options.log.warn({ why, waitMs }, 'no connection to the SIP engine');
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      this.#connection = this.#open();
    }, waitMs);
  }

  /** All handlers stand before the connection does: srf registers late ones many times over. */
  #register(srf: SrfClient): void {
    for (const method of ROUTED_METHODS) {
      srf.use(method, (req, res) => {
        const isByWebSocket = isWebSocket(transportOf(req));
        if (req.method === 'INVITE') this.#onInvite(req, res, isByWebSocket);
        else if (req.method === 'REGISTER' && isByWebSocket) void this.#door.register(req, res);
        else answerPlainRequest(req, res, this.#isDraining);
      });
    }
    // Without this srf answers 404 and, since the socket is ours, hangs up on the engine.
    srf.use((req, res) => {
      answerPlainRequest(req, res, this.#isDraining);
    });
  }

  #admit(req: SrfRequest): InboundVerdict {
    const { admit, trunkOf } = this.#options;
    const { method, uri, source_address: sourceAddress } = req;
    if (admit === undefined) return { type: 'take', trunk: trunkOf?.(sourceAddress) ?? null };
    return admit({ method, uri, sourceAddress, authorization: req.get('authorization') });
  }

  #onInvite(req: SrfRequest, res: SrfResponse, isByWebSocket: boolean): void {
    const refusal = refusalAtOnce(req);
    if (refusal !== null) {
      respond(res, refusal.status, { headers: refusal.headers });
      return;
    }
    if (isByWebSocket) {
      void this.#onWebSocketInvite(req, res);
      return;
    }
    const verdict = this.#admit(req);
    if (verdict.type === 'refuse') {
      respond(res, verdict.status, { headers: challengeHeaders(verdict.challenges) });
      return;
    }
    const invite = this.#inviteOf(req, res, verdict.trunk);
    if (invite !== null) this.#announce(invite);
  }

  /** Never by a trunk and never trusted for its address: what counts is who signed in. */
  async #onWebSocketInvite(req: SrfRequest, res: SrfResponse): Promise<void> {
    const refusal = this.#door.refusalAtOnce(req);
    if (refusal?.type === 'refuse') {
      respond(res, refusal.status, { headers: refusal.headers });
      return;
    }
    // Made first, so that a CANCEL is not missed while its caller is looked up.
    const invite = this.#inviteOf(req, res, null);
    if (invite !== null && (await this.#door.admitCall(invite, req))) this.#announce(invite);
  }

  /** Null when it was refused: it replaces nothing we have, or there are too many calls. */
  #inviteOf(req: SrfRequest, res: SrfResponse, trunk: string | null): InboundInvite | null {
    const body = offerBody(req);
    const replaced = replacedBy(req, this.#connection.legs);
    if (typeof replaced === 'number') {
      respond(res, replaced);
      return null;
    }
    const invite = new InboundInvite({
      connection: this.#connection,
      req,
      res,
      offerSdp: body.type === 'sdp' ? body.sdp : null,
      trunk,
      contact:
        trunk === null ? null : (this.#options.contactFor?.(trunk, transportOf(req)) ?? null),
      replaces: replaced,
      timeouts: this.#timeouts,
      log: this.#options.log,
    });
    if (invite.isTracked) return invite;
    invite.refuse(503, { retryAfterSeconds: 10 });
    return null;
  }

  #announce(invite: InboundInvite): void {
    const { log, onInvite } = this.#options;
    try {
      onInvite(invite);
    } catch (error) {
      log.error({ err: error }, 'the taker of INVITEs threw');
      invite.refuse(500);
    }
  }
}

/** The leg whose place an INVITE wants, null when it wants none; or why it cannot (RFC 3891 §3). */
function replacedBy(
  req: SrfRequest,
  legs: ReadonlyMap<string, SipLeg>,
): SipLeg | null | 400 | 481 | 486 {
  const header = req.get('replaces');
  if (header === undefined) return null;
  const replaces = header.includes(',') ? null : parseReplaces(header);
  if (replaces === null) return 400;
  const leg = legs.get(dialogKey(replaces.callId, replaces.toTag, replaces.fromTag));
  if (leg === undefined) return 481;
  return replaces.isEarlyOnly ? 486 : leg;
}

/** What no agent could take, and so nobody is asked about. */
function refusalAtOnce(
  req: SrfRequest,
): { readonly status: number; readonly headers: Record<string, string> } | null {
  if (/;\s*tag\s*=/i.test((req.get('to') ?? '').replace(/<[^>]*>/, ''))) {
    return { status: 481, headers: {} };
  }
  const extensions = unsupportedExtensions(req);
  if (extensions.length > 0) {
    return { status: 420, headers: { Unsupported: extensions.join(', ').slice(0, 256) } };
  }
  // srf would send the 200 and then fail to make a dialog of it.
  if (!req.has('contact')) return { status: 400, headers: {} };
  if (offerBody(req).type === 'unsupported') return { status: 415, headers: { Accept: ACCEPT } };
  if (isSessionTooShort(req)) {
    return { status: 422, headers: { 'Min-SE': String(MIN_SESSION_SECONDS) } };
  }
  return null;
}
