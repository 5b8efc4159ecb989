import { isIPv6 } from 'node:net';
import type { onRequestAsyncHookHandler } from 'fastify';
import { RateLimiter } from '../lib/rate-limiter.ts';
import { HttpError } from './errors.ts';

const MINUTE_MS = 60_000;

/**
 * Refuses an address that asks a public door too often (429). It has nothing to do with the
 * limit of keys. Doors that share a hook share its count.
 */
export function limitByAddress(
  requestsPerMinute: number,
  nowMs: () => number = () => performance.now(),
): onRequestAsyncHookHandler {
  const limiter = new RateLimiter({ max: requestsPerMinute, windowMs: MINUTE_MS });
  return async (request) => {
    const verdict = limiter.take(networkOf(request.ip), nowMs());
    if (verdict.isAllowed) return;
    const retryAfterSeconds = Math.ceil(verdict.retryAfterMs / 1000);
    throw new HttpError('RATE_LIMITED', undefined, { retryAfterSeconds });
  };
}

/** Who is counted as one: an IPv4 address, or the /64 that one IPv6 subscriber has to himself. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
