import assert from 'node:assert/strict';
import { RateLimiter } from '../../../src/lib/rate-limiter.ts';

describe('a rate limiter', () => {
  it('allows so many per key and window, and says when the next one is allowed', () => {
    const limiter = new RateLimiter({ max: 2, windowMs: 1000 });
    assert.deepEqual(limiter.take('a', 100), { isAllowed: true, left: 1 });
    assert.deepEqual(limiter.take('a', 200), { isAllowed: true, left: 0 });
    assert.deepEqual(limiter.take('a', 300), { isAllowed: false, retryAfterMs: 800 });
    assert.deepEqual(limiter.take('b', 300), { isAllowed: true, left: 1 });
    assert.deepEqual(limiter.take('a', 1100), { isAllowed: true, left: 1 });
  });

  it('remembers no more keys than it may', () => {
    const limiter = new RateLimiter({ max: 1, windowMs: 1000, keysMax: 2 });
    for (const key of ['a', 'b', 'c']) limiter.take(key, 0);
    assert.equal(limiter.take('c', 1).isAllowed, false);
    assert.equal(limiter.take('b', 1).isAllowed, false);
    // The oldest was forgotten: it begins anew.
    assert.equal(limiter.take('a', 1).isAllowed, true);
  });
});
