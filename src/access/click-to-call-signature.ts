import { createHmac, timingSafeEqual } from 'node:crypto';

/** How far a signed `timestamp` may be off. */
export const TIMESTAMP_TOLERANCE_MS = 300_000;

export interface SignedRequest {
  readonly secret: string;
  /** The bytes as they came: another writing of the same JSON has another signature. */
  readonly body: Uint8Array;
  /** HMAC-SHA256 in hexadecimal, of either case. */
  readonly signature: string;
  /** Unix seconds, signed in front of the body with a dot between; null: the body alone is. */
  readonly timestamp: string | null;
  readonly nowMs: number;
}

/** In constant time for signatures of the right length. */
export function isSigned({ secret, body, signature, timestamp, nowMs }: SignedRequest): boolean {
  if (!/^[0-9a-f]{64}$/i.test(signature)) return false;
  const hmac = createHmac('sha256', secret);
  if (timestamp !== null) {
    if (!/^\d{1,12}$/.test(timestamp)) return false;
    if (Math.abs(Number(timestamp) * 1000 - nowMs) > TIMESTAMP_TOLERANCE_MS) return false;
    hmac.update(`${timestamp}.`);
  }
  return timingSafeEqual(hmac.update(body).digest(), Buffer.from(signature, 'hex'));
}
