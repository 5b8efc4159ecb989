import { randomBytes } from 'node:crypto';
import { quoted } from './auth-params.ts';
import { type DigestChallenge, readChallenges } from './digest-challenge.ts';
import { digestResponse, formatDigestAlgorithm } from './digest-hash.ts';

export interface DigestCredentials {
  readonly username: string;
  readonly password: string;
  /** Answer only this realm; null: whichever asks. */
  readonly realm: string | null;
}

/** Who asked: the far end (401) or a proxy on the way (407). */
export type ChallengeStatus = 401 | 407;

/**
 * What a challenge means: `answer` it with the next `authorize`; or the credentials are `wrong`;
 * or it is `unanswerable`: no algorithm, quality or realm that we have.
 */
export type ChallengeVerdict = 'answer' | 'wrong' | 'unanswerable';

/** Realms answered in one request. */
export const DIGEST_REALMS_MAX = 8;
/** Stale nonces in a row before we believe that the server is out of its mind. */
const STALE_MAX = 3;
const NC_MAX = 0xffff_ffff;

const HEADERS: Record<ChallengeStatus, string> = {
  401: 'Authorization',
  407: 'Proxy-Authorization',
};

interface Held {
  readonly status: ChallengeStatus;
  readonly challenge: DigestChallenge;
  nc: number;
  staleCount: number;
  /** This nonce was taken once, so being asked anew says nothing of the password. */
  hasWorked: boolean;
}

/**
 * Answers Digest challenges for one user (RFC 3261 §22, RFC 7616, RFC 8760). It holds the last
 * nonce of each realm, so that a later request carries credentials at once; nothing is sent here.
 */
export class DigestClient {
  readonly #credentials: DigestCredentials;
  readonly #newCnonce: () => string;
  readonly #held = new Map<string, Held>();

  constructor(
    credentials: DigestCredentials,
    newCnonce: () => string = () => randomBytes(12).toString('base64url'),
  ) {
    this.#credentials = credentials;
    this.#newCnonce = newCnonce;
  }

  /** Takes a 401 or 407 with all its challenges, repeated headers joined by commas. */
  challenged(status: ChallengeStatus, header: string): ChallengeVerdict {
    const { realm } = this.#credentials;
    const ours = readChallenges(header).filter(
      (challenge) => realm === null || challenge.realm === realm,
    );
    // One challenge for each realm: the strongest, as they come sorted.
    const best = new Map<string, DigestChallenge>();
    for (const challenge of ours) {
      if (!best.has(challenge.realm)) best.set(challenge.realm, challenge);
    }
    let verdict: ChallengeVerdict = 'unanswerable';
    for (const challenge of best.values()) {
      const next = this.#take(status, challenge);
      if (next === 'wrong') return 'wrong';
      if (next === 'answer') verdict = 'answer';
    }
    return verdict;
  }

  /** The headers that answer what was asked so far; none when nobody asked. */
  authorize(request: {
    readonly method: string;
    readonly uri: string;
  }): readonly { readonly name: string; readonly value: string }[] {
    return [...this.#held.values()].flatMap((held) => {
      held.nc += 1;
      const value = this.#credentialsFor(held, request);
      return value === null ? [] : [{ name: HEADERS[held.status], value }];
    });
  }

  /** The credentials were taken: a later challenge is about the nonce, not about the password. */
  accepted(): void {
    for (const [key, held] of this.#held) {
      held.staleCount = 0;
      held.hasWorked = true;
      // Nobody counts that far, and a nonce must not be used twice with one count.
      if (held.nc >= NC_MAX - 1) this.#held.delete(key);
    }
  }

  /** Forgets every nonce: another server, or another time. */
  reset(): void {
    this.#held.clear();
  }

  #take(status: ChallengeStatus, challenge: DigestChallenge): ChallengeVerdict {
    const key = `${status} ${challenge.realm}`;
    const before = this.#held.get(key);
    if (before === undefined && this.#held.size >= DIGEST_REALMS_MAX) return 'unanswerable';
    let staleCount = 0;
    if (before !== undefined && before.nc > 0) {
      const isRenewed = before.hasWorked && challenge.nonce !== before.challenge.nonce;
      // RFC 7616 §3.3: without `stale` the password is wrong, unless this nonce had worked.
      if (!challenge.isStale && !isRenewed) return 'wrong';
      staleCount = before.staleCount + 1;
      if (staleCount > STALE_MAX) return 'wrong';
    }
    this.#held.set(key, { status, challenge, nc: 0, staleCount, hasWorked: false });
    return 'answer';
  }

  #credentialsFor(
    { challenge, nc: count }: Held,
    { method, uri }: { readonly method: string; readonly uri: string },
  ): string | null {
    const { username, password } = this.#credentials;
    const { realm, nonce, opaque, algorithm, qop } = challenge;
    const nc = count.toString(16).padStart(8, '0');
    const cnonce = this.#newCnonce();
    const input = { algorithm, username, realm, password, nonce, qop, nc, cnonce, method, uri };
    const texts = [username, realm, nonce, uri].map(quoted);
    const [user, inRealm, forNonce, forUri] = texts;
    if (texts.includes(null)) return null;
    const parts = [
      `username=${user}`,
      `realm=${inRealm}`,
      `nonce=${forNonce}`,
      `uri=${forUri}`,
      `response="${digestResponse(input)}"`,
      `algorithm=${formatDigestAlgorithm(algorithm)}`,
    ];
    if (qop !== null) parts.push(`qop=${qop}`, `nc=${nc}`);
    // RFC 7616 §3.4: cnonce goes with qop; a session key needs it in any case.
    if (qop !== null || algorithm.isSession) parts.push(`cnonce="${cnonce}"`);
    const echoed = opaque === null ? null : quoted(opaque);
    if (echoed !== null) parts.push(`opaque=${echoed}`);
    return `Digest ${parts.join(', ')}`;
  }
}
