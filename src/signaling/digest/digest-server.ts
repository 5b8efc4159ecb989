import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type AuthItem, parseAuthItems } from './auth-params.ts';
import {
  type DigestHash,
  digestResponseBySecret,
  digestSecret,
  formatDigestAlgorithm,
  hexHash,
  parseDigestAlgorithm,
} from './digest-hash.ts';
import { NonceUses } from './nonce-uses.ts';

export interface DigestServerOptions {
  readonly realm: string;
  /** What nonces are signed with; at least 16 bytes. */
  readonly key: Buffer;
  /** In the order they are offered, best first (RFC 8760 §2.3). */
  readonly algorithms?: readonly DigestHash[];
  /** How long a nonce may be used, and how long one that we made is remembered. */
  readonly nonceLifetimeMs?: number;
  /** Nonces in use that are remembered; the oldest is given up as stale. */
  readonly noncesMax?: number;
}

/**
 * The verdict on a request. `challenge` asks (again); `isStale` then says that the password was
 * right. `refuse` is for credentials that are wrong: they count against their source.
 */
export type DigestVerdict =
  | { readonly type: 'accept'; readonly username: string }
  | { readonly type: 'challenge'; readonly isStale: boolean }
  | { readonly type: 'refuse'; readonly why: 'malformed' | 'wrong-credentials' };

/** A user's password, or HA1 for each algorithm offered; null for a user there is not. */
export type DigestSecrets = string | Readonly<Partial<Record<DigestHash, string>>> | null;

/** What is authenticated. `uri` null: the Request-URI may have been rewritten on its way. */
export interface DigestRequest {
  readonly method: string;
  readonly uri: string | null;
}

const NONCE_BYTES = 6 + 10;
const SIGNATURE_BYTES = 16;
const HOUR_MS = 3_600_000;

/**
 * Challenges and verifies (RFC 7616 §3.3, RFC 8760). A nonce is its time, ten random bytes and
 * a signature, so an unanswered challenge costs no memory:
 *
 *    0        6               16               32
 *   +--------+----------------+----------------+
 *   | ms     | random         | HMAC-SHA-256   |  base64url
 *   +--------+----------------+----------------+
 *
 * Only a nonce that came back with the right password is remembered, with its counts.
 */
export class DigestServer {
  readonly #options: Required<DigestServerOptions>;
  readonly #uses: NonceUses;

  constructor(options: DigestServerOptions) {
    if (options.key.length < 16) throw new TypeError('a digest key needs 16 bytes');
    const defaults = {
      algorithms: ['SHA-256', 'MD5'],
      nonceLifetimeMs: HOUR_MS,
      noncesMax: 10_000,
    } as const;
    this.#options = { ...defaults, ...options };
    this.#uses = new NonceUses(this.#options.noncesMax);
  }

  /** One header value for each algorithm, all with one nonce. */
  challenge(nowMs: number, isStale = false): readonly string[] {
    const { realm, algorithms } = this.#options;
    const nonce = this.#mint(nowMs);
    const name = realm.replace(/["\\]/g, '\\$&');
    return algorithms.map((hash) => {
      const algorithm = formatDigestAlgorithm({ hash, isSession: false });
      const base = `Digest realm="${name}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"`;
      return isStale ? `${base}, stale=true` : base;
    });
  }

  /**
   * Judges the credentials of a request. `secretsOf` gives null for a user there is not; the
   * work done is the same.
   */
  verify(
    header: string | undefined,
    request: DigestRequest,
    secretsOf: (username: string) => DigestSecrets,
    nowMs: number,
  ): DigestVerdict {
    if (header === undefined) return { type: 'challenge', isStale: false };
    const items = parseAuthItems(header);
    if (items === null) return { type: 'refuse', why: 'malformed' };
    const mine = this.#mine(items);
    // Credentials for someone else further on say nothing to us (RFC 3261 §22.3).
    if (mine === undefined) return { type: 'challenge', isStale: false };
    return this.#judge(mine.params, request, secretsOf, nowMs);
  }

  /** Who a request says it is from, before anything is verified; null when it says nothing. */
  claimedUser(header: string | undefined): string | null {
    const items = header === undefined ? null : parseAuthItems(header);
    return this.#mine(items ?? [])?.params.get('username') ?? null;
  }

  #mine(items: readonly AuthItem[]): AuthItem | undefined {
    const { realm } = this.#options;
    return items.find(({ scheme, params }) => scheme === 'digest' && params.get('realm') === realm);
  }

  #judge(
    params: ReadonlyMap<string, string>,
    request: DigestRequest,
    secretsOf: (username: string) => DigestSecrets,
    nowMs: number,
  ): DigestVerdict {
    const given = this.#read(params, request);
    if (given === null) return { type: 'refuse', why: 'malformed' };
    const { username, nonce, nc } = given;
    const mintedAtMs = this.#mintedAtMs(nonce);
    // A nonce of another process, or of nobody: ask with one of ours.
    if (mintedAtMs === null) return { type: 'challenge', isStale: false };

    const secrets = secretsOf(username);
    const { hash } = given.algorithm;
    const password = typeof secrets === 'string' ? secrets : 'nobody';
    const ownSecret = digestSecret(hash, { ...given, password });
    const known = typeof secrets === 'string' ? ownSecret : secrets?.[hash];
    const by = { ...given, ...request, uri: given.uri };
    const expected = digestResponseBySecret(known ?? ownSecret, by);
    const isRight = equalInConstantTime(expected, given.response) && known !== undefined;
    if (!isRight) return { type: 'refuse', why: 'wrong-credentials' };

    const ageMs = nowMs - mintedAtMs;
    const isFresh = ageMs >= 0 && ageMs <= this.#options.nonceLifetimeMs;
    if (!isFresh || !this.#uses.take(nonce, mintedAtMs, Number.parseInt(nc, 16))) {
      return { type: 'challenge', isStale: true };
    }
    return { type: 'accept', username };
  }

  /** The parameters of credentials for a challenge of ours; null for any others. */
  #read(params: ReadonlyMap<string, string>, { uri: requestUri }: DigestRequest) {
    const get = (name: string) => params.get(name) ?? '';
    const algorithm = parseDigestAlgorithm(params.get('algorithm'));
    const isOffered = algorithm !== null && this.#options.algorithms.includes(algorithm.hash);
    if (algorithm === null || !isOffered || algorithm.isSession) return null;
    const [nc, cnonce, uri, response] = [get('nc'), get('cnonce'), get('uri'), get('response')];
    // We always offer qop, so credentials without it are a downgrade.
    const isWhole =
      get('qop').toLowerCase() === 'auth' && cnonce !== '' && /^[0-9a-f]{8}$/i.test(nc);
    if (!isWhole || get('username') === '' || (requestUri !== null && uri !== requestUri))
      return null;
    const { realm } = this.#options;
    const [username, nonce] = [get('username'), get('nonce')];
    return { algorithm, qop: 'auth', realm, username, nonce, nc, cnonce, uri, response } as const;
  }

  #mint(nowMs: number): string {
    const body = Buffer.alloc(NONCE_BYTES);
    body.writeUIntBE(Math.floor(nowMs), 0, 6);
    randomBytes(NONCE_BYTES - 6).copy(body, 6);
    return Buffer.concat([body, this.#sign(body)]).toString('base64url');
  }

  /** When we made a nonce; null when we did not. */
  #mintedAtMs(nonce: string): number | null {
    const bytes = Buffer.from(nonce, 'base64url');
    if (bytes.length !== NONCE_BYTES + SIGNATURE_BYTES || bytes.toString('base64url') !== nonce) {
      return null;
    }
    const body = bytes.subarray(0, NONCE_BYTES);
    const isOurs = timingSafeEqual(this.#sign(body), bytes.subarray(NONCE_BYTES));
    return isOurs ? body.readUIntBE(0, 6) : null;
  }

  #sign(body: Buffer): Buffer {
    const { key, realm } = this.#options;
    const mac = createHmac('sha256', key).update(realm).update(body).digest();
    return mac.subarray(0, SIGNATURE_BYTES);
  }
}

/** Hashing first makes the lengths equal, and the comparison blind to where texts differ. */
function equalInConstantTime(a: string, b: string): boolean {
  const [left, right] = [a, b.toLowerCase()].map((text) => Buffer.from(hexHash('SHA-256', text)));
  return left !== undefined && right !== undefined && timingSafeEqual(left, right);
}
