import { createHmac, timingSafeEqual } from 'node:crypto';
import { randomText } from '../lib/random-id.ts';
import type { WebCallRepository } from '../storage/web-call-repository.ts';

/**
 * What we hand out and know again without having kept it:
 * prefix `_` id `.` key id `.` expiry `.` subject `.` signature of all before it.
 *
 * `wct` lets the holder of a shared key call an agent once, `owt` an owner. `wsc` is an owner's
 * credential for SIP; its subject is `workspace~user`.
 */
export type SignedPrefix = 'wct' | 'owt' | 'wsc';

export interface SignedBody {
  readonly prefix: SignedPrefix;
  /** Different in every token. */
  readonly id: string;
  /** Of the key that the token was given for. */
  readonly keyId: string;
  readonly expiresAtMs: number;
  readonly subject: string;
}

const BODY = /^(wct|owt|wsc)_(\w{16})\.((?:shk|key)_\w{16})\.(\d{10,16})\.([\w~-]{1,160})$/;
const SIGNATURE_LENGTH = 43;
const ID_LENGTH = 16;

/** Signs with the one secret that every process of a database shares. */
export class SignedTokens {
  readonly #webCalls: Pick<WebCallRepository, 'signingSecret'>;
  readonly #nowMs: () => number;
  #secret: Promise<string> | null = null;

  constructor(webCalls: Pick<WebCallRepository, 'signingSecret'>, nowMs: () => number) {
    this.#webCalls = webCalls;
    this.#nowMs = nowMs;
  }

  /** Body and signature; the token is both with a dot between them. */
  async sign(fields: Omit<SignedBody, 'id'>): Promise<readonly [body: string, signature: string]> {
    const { prefix, keyId, expiresAtMs, subject } = fields;
    const body = `${prefix}_${randomText(ID_LENGTH)}.${keyId}.${expiresAtMs}.${subject}`;
    return [body, await this.#signatureOf(body)];
  }

  /** Null for what we did not sign, and for what has expired. */
  async read(token: string): Promise<SignedBody | null> {
    const body = token.slice(0, -SIGNATURE_LENGTH - 1);
    const known = await this.signatureOf(body);
    return known !== null && isSame(token.slice(body.length), `.${known}`) ? readBody(body) : null;
  }

  /** The signature that makes a body a token; null for one that is malformed or has expired. */
  async signatureOf(body: string): Promise<string | null> {
    const fields = readBody(body);
    if (fields === null || this.#nowMs() >= fields.expiresAtMs) return null;
    return this.#signatureOf(body);
  }

  async #signatureOf(body: string): Promise<string> {
    // A failure is not remembered: the next token tries again.
    this.#secret ??= this.#webCalls.signingSecret(this.#nowMs()).catch((error: unknown) => {
      this.#secret = null;
      throw error;
    });
    const hmac = createHmac('sha256', await this.#secret);
    return hmac.update(body).digest('base64url');
  }
}

/** Reads a body without judging it. */
export function readBody(body: string): SignedBody | null {
  const [, prefix = '', id = '', keyId = '', expiry = '', subject = ''] = BODY.exec(body) ?? [];
  if (prefix !== 'wct' && prefix !== 'owt' && prefix !== 'wsc') return null;
  return { prefix, id, keyId, expiresAtMs: Number(expiry), subject };
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
