import assert from 'node:assert/strict';

import {
  DOWN_AFTER,
  showsLife,
  TrunkHealth,
  UP_AFTER,
} from '../../../../src/signaling/trunk/trunk-health.ts';

describe('the health of a trunk', () => {
  it('is good until several probes in a row say otherwise, and back after several answers', () => {
    const health = new TrunkHealth(30_000);
    const states: boolean[] = [];
    for (const isAlive of [
      true,
      false,
      false,
      true,
      false,
      false,
      false,
      true,
      false,
      true,
      true,
    ]) {
      health.probed(isAlive, isAlive ? 200 : 0, states.length);
      states.push(health.status.isUp);
    }
    assert.deepEqual(states, [
      true,
      true,
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      true,
    ]);
    assert.equal(DOWN_AFTER, 3);
    assert.equal(UP_AFTER, 2);
    assert.deepEqual(health.status.lastProbe, { isAlive: true, sipStatus: 200, why: '', atMs: 10 });
    assert.equal(health.status.sinceMs, 10);
  });

  it('is looked at sooner while it is in doubt', () => {
    const health = new TrunkHealth(30_000);
    assert.equal(health.nextInMs(0.5), 30_000);
    health.probed(false, 0, 1);
    assert.equal(health.nextInMs(0.5), 7_500);
    assert.ok(health.nextInMs(0) >= 6_750 && health.nextInMs(0.999) <= 8_250);
    assert.equal(new TrunkHealth(1_000).nextInMs(0.5), 1_000);
  });

  it('is shown by any answer but those that say "not now"', () => {
    for (const status of [200, 302, 401, 403, 404, 405, 481, 501, 603])
      assert.ok(showsLife(status));
    for (const status of [0, 408, 500, 502, 503, 504]) assert.ok(!showsLife(status));
  });
});
