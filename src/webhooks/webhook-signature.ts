import { createHmac } from 'node:crypto';
import type { WebhookSecret } from '../storage/webhook-secret-repository.ts';

export interface SignedEvent {
  /** What names of headers begin with, `X-Trunkline`. */
  readonly prefix: string;
  /** Those that are valid, the current one last. */
  readonly secrets: readonly WebhookSecret[];
  readonly body: string;
  readonly nowMs: number;
}

/**
 * `sha256=` and the HMAC-SHA256 of `timestamp.body`. While a secret that was replaced is still
 * valid it goes on signing, and its successor signs in a header of its own: whoever takes either
 * header with either secret never misses a beat.
 */
export function signatureHeaders(event: SignedEvent): Readonly<Record<string, string>> {
  const { prefix, secrets, body, nowMs } = event;
  const timestamp = String(Math.floor(nowMs / 1000));
  const sign = ({ secret }: WebhookSecret) =>
    `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
  const [first] = secrets;
  const last = secrets.at(-1);
  if (first === undefined || last === undefined) throw new TypeError('a workspace has a secret');
  return {
    [`${prefix}-Timestamp`]: timestamp,
    [`${prefix}-Signature`]: sign(first),
    ...(first === last ? {} : { [`${prefix}-Signature-Next`]: sign(last) }),
  };
}
