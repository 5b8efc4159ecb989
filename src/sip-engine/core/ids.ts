import { createHash, randomBytes } from 'node:crypto';
import type { SipRequest } from '../message/message.ts';
import { fromTag } from '../message/message.ts';

/** RFC 3261 §8.1.1.7: what every branch of ours begins with. */
export const MAGIC_COOKIE = 'z9hG4bK';

const POOL_BYTES = 4096;
const TOKEN_BYTES = 9;
let pool = randomBytes(POOL_BYTES);
let used = 0;

/** 72 random bits as 18 hex digits: tags, branches, transaction ids. */
export function randomToken(): string {
  if (used + TOKEN_BYTES > POOL_BYTES) {
    pool = randomBytes(POOL_BYTES);
    used = 0;
  }
  used += TOKEN_BYTES;
  return pool.toString('hex', used - TOKEN_BYTES, used);
}

export function newBranch(): string {
  return MAGIC_COOKIE + randomToken();
}

/** First CSeq of a dialog or request of ours. */
export function firstCSeq(): number {
  return 1 + (Number.parseInt(randomToken().slice(0, 6), 16) & 0xffff);
}

const tagSalt = randomBytes(16);

/** The To tag of a stateless answer: the same for each copy of a request (RFC 3261 §8.2.7). */
export function statelessTag(request: SipRequest): string {
  return createHash('sha1')
    .update(tagSalt)
    .update(request.callId)
    .update(fromTag(request))
    .update(String(request.cseq.sequence))
    .digest('hex')
    .slice(0, 16);
}
