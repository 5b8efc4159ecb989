import type { DigestHash } from './digest/digest-hash.ts';
import type { SipParty } from './sip-leg.ts';

/**
 * A request that came by WebSocket. Its source address proves nothing: behind a reverse proxy on
 * this machine every browser of the world comes from loopback.
 */
export interface WebSocketRequest {
  readonly method: 'INVITE' | 'REGISTER';
  readonly transport: 'ws' | 'wss';
  readonly from: SipParty;
  readonly to: SipParty;
  /** Request-URI: what was dialed; of a REGISTER the domain alone. */
  readonly dialed: SipParty;
  readonly sipCallId: string;
  /** The connection it came by: a next hop `sip:ADDRESS:PORT;transport=ws` leads back to it. */
  readonly sourceAddress: string;
  readonly sourcePort: number;
  /** A header, its repetitions joined by commas. */
  get(name: string): string | undefined;
}

/** Someone who may sign in: HA1 of RFC 7616 §3.4.2, in hexadecimal, never the password. */
export interface WebSocketUser {
  readonly username: string;
  /** `digestSecret` of each; browsers' libraries know MD5 alone. */
  readonly secrets: Readonly<Record<Exclude<DigestHash, 'SHA-512-256'>, string>>;
}

/** No to a user whose password was right. */
export interface WebSocketRefusal {
  readonly type: 'refuse';
  readonly status: 403 | 404 | 423 | 480 | 486 | 500 | 503;
  readonly retryAfterSeconds?: number;
  /** For 423: the shortest time that is taken. */
  readonly minExpiresSeconds?: number;
}

export type WebSocketCallVerdict = { readonly type: 'take' } | WebSocketRefusal;

/** `contacts`: all bindings of the address of record now, as header values with `;expires=`. */
export type WebSocketRegisterVerdict =
  | { readonly type: 'registered'; readonly contacts: readonly string[] }
  | WebSocketRefusal;

/**
 * Who may sign in over WebSocket, and what they may do. `signaling` does the digest (challenges,
 * nonces, replays, constant time); this says whose secret to compare with and what follows.
 * Nothing may be rejected: a failure of one's own is a refusal with 500 or 503.
 */
export interface WebSocketAuthorizer {
  /** What challenges name, and what the secrets were made with. Never changes. */
  readonly realm: string;
  /** Null for a name that nobody has; the client cannot tell that from a wrong password. */
  findUser(username: string): Promise<WebSocketUser | null>;
  /**
   * Asked once for each INVITE, after its credentials were right: a token for one call is used up
   * here. What is taken reaches `onInvite` as an invite whose `signedInAs` is the username.
   */
  authorizeCall(user: WebSocketUser, request: WebSocketRequest): Promise<WebSocketCallVerdict>;
  /** Adds, renews, lists or removes bindings (RFC 3261 §10.3), and says which there are now. */
  register(user: WebSocketUser, request: WebSocketRequest): Promise<WebSocketRegisterVerdict>;
}
