import assert from 'node:assert/strict';
import { afterAttempt } from '../../../src/webhooks/retry-plan.ts';
import type { PostResult } from '../../../src/webhooks/webhook-client.ts';

describe('the plan of retries', () => {
  const plan = { attemptsMax: 4, firstPauseMs: 1000 };
  const answered = (status: number, retryAfterMs: number | null = null): PostResult => ({
    type: 'answered',
    status,
    retryAfterMs,
    timeMs: 5,
  });
  const after = (result: PostResult, attempts = 1, random = 0.5) =>
    afterAttempt(result, attempts, plan, 10_000, random);

  it('is over with any 2xx', () => {
    for (const status of [200, 201, 204, 299]) {
      assert.equal(after(answered(status)).status, 'delivered');
    }
  });

  it('waits three times as long each time, a fifth more or less', () => {
    const pauses = [1, 2, 3].map((n) => after(answered(500), n).nextAttemptAtMs - 10_000);
    assert.deepEqual(pauses, [1000, 3000, 9000]);
    assert.equal(after(answered(500), 1, 0).nextAttemptAtMs, 10_800);
    assert.equal(after(answered(500), 1, 1).nextAttemptAtMs, 11_200);
    const long = { attemptsMax: 20, firstPauseMs: 3_600_000 };
    const last = afterAttempt(answered(500), 15, long, 0, 0.5);
    assert.equal(last.nextAttemptAtMs, 21_600_000, 'six hours at most');
  });

  it('waits as long as the server asks, when that is longer', () => {
    assert.equal(after(answered(429, 60_000)).nextAttemptAtMs, 70_000);
    assert.equal(after(answered(429, 10)).nextAttemptAtMs, 11_000);
  });

  it('gives up with a reason when attempts are used up, or pointless', () => {
    const last = after(answered(503), 4);
    assert.equal(last.status, 'failed');
    assert.equal(last.failure, 'HTTP 503: given up after 4 attempts');
    assert.equal(after(answered(410)).failure, 'HTTP 410: not tried again');
    const inner = after({ type: 'failed', why: 'address-not-allowed', timeMs: 1 });
    assert.equal(inner.failure, 'address-not-allowed: not tried again');
    const stalled = after({ type: 'failed', why: 'timeout', timeMs: 1 });
    assert.deepEqual([stalled.status, stalled.failure], ['pending', 'timeout']);
    assert.equal(after(answered(302)).status, 'pending');
  });
});
