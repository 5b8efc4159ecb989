import { createHash } from 'node:crypto';

/** Best first: the order in which a client picks. */
export const DIGEST_ALGORITHMS = ['SHA-512-256', 'SHA-256', 'MD5'] as const;

export type DigestHash = (typeof DIGEST_ALGORITHMS)[number];

/** An algorithm as a challenge names it (RFC 7616 §3.3, RFC 8760 §2.1). */
export interface DigestAlgorithm {
  readonly hash: DigestHash;
  /** `-sess`: the key is bound to nonce and cnonce. */
  readonly isSession: boolean;
}

const NODE_NAMES: Record<DigestHash, string> = {
  'SHA-512-256': 'sha512-256',
  'SHA-256': 'sha256',
  MD5: 'md5',
};

/** Without a name it is MD5. Null: not understood, and the challenge is not for us. */
export function parseDigestAlgorithm(name: string | undefined): DigestAlgorithm | null {
  const text = (name ?? 'MD5').toUpperCase();
  const isSession = text.endsWith('-SESS');
  const base = isSession ? text.slice(0, -'-SESS'.length) : text;
  const hash = DIGEST_ALGORITHMS.find((known) => known === base);
  return hash === undefined ? null : { hash, isSession };
}

export function formatDigestAlgorithm({ hash, isSession }: DigestAlgorithm): string {
  return isSession ? `${hash}-sess` : hash;
}

export function hexHash(hash: DigestHash, text: string): string {
  return createHash(NODE_NAMES[hash]).update(text, 'utf8').digest('hex');
}

/** Everything a response is made of. `qop` null is RFC 2069, without nc and cnonce. */
export interface DigestInput {
  readonly algorithm: DigestAlgorithm;
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly nonce: string;
  readonly qop: 'auth' | null;
  /** Eight hexadecimal digits. */
  readonly nc: string;
  readonly cnonce: string;
  readonly method: string;
  readonly uri: string;
}

/** HA1 of RFC 7616 §3.4.2: what a server keeps instead of a password. */
export function digestSecret(
  hash: DigestHash,
  { username, realm, password }: Pick<DigestInput, 'username' | 'realm' | 'password'>,
): string {
  return hexHash(hash, `${username}:${realm}:${password}`);
}

/** The `response` of RFC 7616 §3.4.1, in lower-case hexadecimal. */
export function digestResponse(input: DigestInput): string {
  return digestResponseBySecret(digestSecret(input.algorithm.hash, input), input);
}

/** The same from HA1, which must be of the algorithm's hash. */
export function digestResponseBySecret(
  secret: string,
  input: Omit<DigestInput, 'username' | 'realm' | 'password'>,
): string {
  const { algorithm, nonce, qop, nc, cnonce, method, uri } = input;
  const { hash, isSession } = algorithm;
  const key = isSession ? hexHash(hash, `${secret}:${nonce}:${cnonce}`) : secret;
  const request = hexHash(hash, `${method}:${uri}`);
  const middle = qop === null ? nonce : `${nonce}:${nc}:${cnonce}:${qop}`;
  return hexHash(hash, `${key}:${middle}:${request}`);
}
