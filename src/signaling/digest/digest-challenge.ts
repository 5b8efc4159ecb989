import { type AuthItem, parseAuthItems } from './auth-params.ts';
import { DIGEST_ALGORITHMS, type DigestAlgorithm, parseDigestAlgorithm } from './digest-hash.ts';

/** A Digest challenge that we can answer. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | null;
  readonly algorithm: DigestAlgorithm;
  /** null: a server of RFC 2069, which offers none. */
  readonly qop: 'auth' | null;
  /** Our password may be right: only the nonce was too old. */
  readonly isStale: boolean;
}

const VALUE_CHARACTERS_MAX = 1_024;

/**
 * All challenges of a header that we understand, strongest first; for equal strength in the
 * server's order (RFC 8760 §2.4). Those of other schemes, unknown algorithms or `auth-int`
 * alone are left out.
 */
export function readChallenges(header: string): readonly DigestChallenge[] {
  const challenges = (parseAuthItems(header) ?? [])
    .filter(({ scheme }) => scheme === 'digest')
    .map(toChallenge)
    .filter((challenge) => challenge !== null);
  return challenges.sort((a, b) => rank(a) - rank(b));
}

/** Hash counts most, then qop, then `-sess`. */
function rank({ algorithm: { hash, isSession }, qop }: DigestChallenge): number {
  return DIGEST_ALGORITHMS.indexOf(hash) * 4 + (qop === null ? 2 : 0) + (isSession ? 0 : 1);
}

function toChallenge({ params }: AuthItem): DigestChallenge | null {
  const realm = params.get('realm');
  const nonce = params.get('nonce');
  const opaque = params.get('opaque') ?? null;
  const algorithm = parseDigestAlgorithm(params.get('algorithm'));
  if (realm === undefined || nonce === undefined || nonce === '' || algorithm === null) return null;
  if ([realm, nonce, opaque ?? ''].some(({ length }) => length > VALUE_CHARACTERS_MAX)) return null;
  const offered = params
    .get('qop')
    ?.toLowerCase()
    .split(/[,\s]+/);
  // An empty qop is a server that means none.
  const isPlain = offered === undefined || offered.every((word) => word === '');
  if (!isPlain && !offered.includes('auth')) return null;
  const isStale = params.get('stale')?.toLowerCase() === 'true';
  return { realm, nonce, opaque, algorithm, qop: isPlain ? null : 'auth', isStale };
}
