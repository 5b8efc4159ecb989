import type { AttemptResult } from '../storage/webhook-repository.ts';
import type { PostResult } from './webhook-client.ts';

export interface RetryPlan {
  /** The first included. */
  readonly attemptsMax: number;
  /** Before the second attempt; each further pause is three times as long. */
  readonly firstPauseMs: number;
}

const PAUSE_MAX_MS = 6 * 3_600_000;
const GROWTH = 3;
/** Pauses differ by so much either way, so that what failed together does not come again together. */
const JITTER = 0.2;

/**
 * What follows from one attempt. Everything but a 2xx is tried again, except where that is
 * pointless: an address that may not be reached, and 410, by which a server says never again.
 *
 * @param attempts those made, this one included
 * @param random from 0 to 1
 */
export function afterAttempt(
  result: PostResult,
  attempts: number,
  plan: RetryPlan,
  nowMs: number,
  random: number,
): AttemptResult {
  const responseCode = result.type === 'answered' ? result.status : null;
  const common = { responseCode, responseTimeMs: result.timeMs, atMs: nowMs };
  if (responseCode !== null && responseCode >= 200 && responseCode < 300) {
    return { ...common, status: 'delivered', failure: null, nextAttemptAtMs: nowMs };
  }
  const what = result.type === 'answered' ? `HTTP ${result.status}` : result.why;
  const isPointless = responseCode === 410 || what === 'address-not-allowed';
  if (isPointless || attempts >= plan.attemptsMax) {
    const why = isPointless ? 'not tried again' : `given up after ${attempts} attempts`;
    return { ...common, status: 'failed', failure: `${what}: ${why}`, nextAttemptAtMs: nowMs };
  }
  const growing = plan.firstPauseMs * GROWTH ** (attempts - 1);
  const pauseMs = Math.min(growing, PAUSE_MAX_MS) * (1 - JITTER + 2 * JITTER * random);
  const askedMs = result.type === 'answered' ? (result.retryAfterMs ?? 0) : 0;
  const nextAttemptAtMs = nowMs + Math.max(pauseMs, askedMs);
  return { ...common, status: 'pending', failure: what, nextAttemptAtMs };
}
