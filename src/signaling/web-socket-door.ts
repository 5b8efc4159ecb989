import { randomBytes } from 'node:crypto';
import { RateLimiter } from '../lib/rate-limiter.ts';
import { DigestServer } from './digest/digest-server.ts';
import type { SrfRequest, SrfResponse } from './drachtio.ts';
import type { InboundInvite } from './inbound-invite.ts';
import { respond } from './plain-requests.ts';
import { transportOf } from './request-transport.ts';
import { parseParty } from './sip-address.ts';
import type { SignalingLog } from './sip-settings.ts';
import type {
  WebSocketAuthorizer,
  WebSocketRefusal,
  WebSocketRequest,
  WebSocketUser,
} from './web-socket-authorizer.ts';

export interface WebSocketDoorOptions {
  /** Null: nobody may sign in. */
  readonly authorizer: WebSocketAuthorizer | null;
  readonly log: SignalingLog;
  /** Unix time that never jumps back. */
  readonly nowMs: () => number;
}

type Verdict =
  | { readonly type: 'signed-in'; readonly user: WebSocketUser }
  | { readonly type: 'refuse'; readonly status: number; readonly headers: Record<string, string> };

const NONCE_LIFETIME_MS = 300_000;
/** Wrong passwords for one name from one address, and from all addresses; more are not looked at. */
const WRONG_PER_SOURCE_MAX = 10;
const WRONG_PER_NAME_MAX = 100;
const WRONG_WINDOW_MS = 60_000;
const FORBIDDEN: Verdict = { type: 'refuse', status: 403, headers: {} };

/**
 * The gate of requests that come by WebSocket: nothing but a password opens it, least of all the
 * address they come from. Without an authorizer it stays shut.
 */
export class WebSocketDoor {
  readonly #options: WebSocketDoorOptions;
  readonly #digest: DigestServer | null;
  readonly #wrongBySource = new RateLimiter({
    max: WRONG_PER_SOURCE_MAX,
    windowMs: WRONG_WINDOW_MS,
  });
  readonly #wrongByName = new RateLimiter({ max: WRONG_PER_NAME_MAX, windowMs: WRONG_WINDOW_MS });

  constructor(options: WebSocketDoorOptions) {
    this.#options = options;
    const { authorizer } = options;
    this.#digest =
      authorizer === null
        ? null
        : new DigestServer({
            realm: authorizer.realm,
            key: randomBytes(32),
            nonceLifetimeMs: NONCE_LIFETIME_MS,
          });
  }

  /** What a request without credentials is told at once; null when it has to be looked at. */
  refusalAtOnce(req: SrfRequest): Verdict | null {
    if (this.#digest === null) return FORBIDDEN;
    return req.has('authorization') ? null : this.#challenge(this.#digest, false);
  }

  /** True when the caller may call; else the INVITE was refused. Never rejects. */
  async admitCall(invite: InboundInvite, req: SrfRequest): Promise<boolean> {
    const { authorizer, log } = this.#options;
    try {
      const verdict = await this.#signIn(req);
      if (verdict.type === 'refuse') {
        invite.refuse(verdict.status, { headers: verdict.headers });
        return false;
      }
      const { user } = verdict;
      // Canceled meanwhile: nobody's token is used up by that.
      if (invite.isSettled || authorizer === null) return false;
      const may = await authorizer.authorizeCall(user, requestOf(req, 'INVITE'));
      if (may.type === 'refuse') {
        invite.refuse(may.status, { headers: refusalHeaders(may) });
        return false;
      }
      invite.signedInAs = user.username;
      return !invite.isSettled;
    } catch (error) {
      log.error({ err: error }, 'a call by WebSocket could not be judged');
      invite.refuse(500);
      return false;
    }
  }

  /** Answers a REGISTER. Never rejects. */
  async register(req: SrfRequest, res: SrfResponse): Promise<void> {
    const { authorizer, log } = this.#options;
    try {
      const verdict = this.refusalAtOnce(req) ?? (await this.#signIn(req));
      if (verdict.type === 'refuse' || authorizer === null) {
        const { status, headers } =
          verdict.type === 'refuse' ? verdict : { status: 403, headers: {} };
        respond(res, status, { headers });
        return;
      }
      const answer = await authorizer.register(verdict.user, requestOf(req, 'REGISTER'));
      if (answer.type === 'refuse') {
        respond(res, answer.status, { headers: refusalHeaders(answer) });
        return;
      }
      const headers: Record<string, string> = { Date: new Date().toUTCString() };
      if (answer.contacts.length > 0) headers['Contact'] = answer.contacts.join(', ');
      respond(res, 200, { headers });
    } catch (error) {
      log.error({ err: error }, 'a REGISTER by WebSocket could not be judged');
      respond(res, 500);
    }
  }

  async #signIn(req: SrfRequest): Promise<Verdict> {
    const { authorizer, nowMs } = this.#options;
    const digest = this.#digest;
    if (digest === null || authorizer === null) return FORBIDDEN;
    const header = req.get('authorization');
    const username = digest.claimedUser(header);
    if (username === null) return this.#challenge(digest, false);
    const source = `${req.source_address} ${username}`;
    const isTired =
      this.#wrongBySource.isFull(source, nowMs()) || this.#wrongByName.isFull(username, nowMs());
    if (isTired) return FORBIDDEN;
    const user = await authorizer.findUser(username);
    const asked = { method: req.method, uri: req.uri };
    const secretsOf = (name: string) => (name === user?.username ? user.secrets : null);
    const verdict = digest.verify(header, asked, secretsOf, nowMs());
    if (verdict.type === 'accept' && user !== null) return { type: 'signed-in', user };
    if (verdict.type === 'challenge') return this.#challenge(digest, verdict.isStale);
    this.#wrongBySource.take(source, nowMs());
    this.#wrongByName.take(username, nowMs());
    return FORBIDDEN;
  }

  #challenge(digest: DigestServer, isStale: boolean): Verdict {
    const challenges = digest.challenge(this.#options.nowMs(), isStale);
    return { type: 'refuse', status: 401, headers: challengeHeaders(challenges) };
  }
}

/**
 * Challenges may not be joined by commas (RFC 3261 §7.3.1), and srf would join repeated names:
 * the further ones go as lines of their own inside the first value.
 */
export function challengeHeaders(challenges: readonly string[]): Record<string, string> {
  if (challenges.length === 0) return {};
  return { 'WWW-Authenticate': challenges.join('\r\nWWW-Authenticate: ') };
}

function refusalHeaders(refusal: WebSocketRefusal): Record<string, string> {
  const { retryAfterSeconds, minExpiresSeconds } = refusal;
  // The password was right: the engine shall not count this toward a ban.
  const headers: Record<string, string> = { 'Trunkline-Refusal': 'policy' };
  if (retryAfterSeconds !== undefined)
    headers['Retry-After'] = String(Math.ceil(retryAfterSeconds));
  if (minExpiresSeconds !== undefined) headers['Min-Expires'] = String(minExpiresSeconds);
  return headers;
}

function requestOf(req: SrfRequest, method: WebSocketRequest['method']): WebSocketRequest {
  return {
    method,
    transport: transportOf(req) === 'wss' ? 'wss' : 'ws',
    from: parseParty(req.get('from') ?? ''),
    to: parseParty(req.get('to') ?? ''),
    dialed: parseParty(req.uri),
    sipCallId: req.get('call-id') ?? '',
    sourceAddress: req.source_address,
    sourcePort: req.source_port,
    get: (name) => req.get(name),
  };
}
