import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { allowsNumber, effectiveCaps, NO_CAPS } from '../../../src/billing/caps.ts';
import { priceMicros } from '../../../src/billing/rate-call.ts';
import { type Spent, type Standing, roomForCall } from '../../../src/billing/room-for-call.ts';
import type { Caps, Tariff } from '../../../src/model/billing.ts';

const TARIFF: Tariff = {
  perMinuteMicros: 60_000,
  setupMicros: 0,
  firstSeconds: 60,
  nextSeconds: 60,
  currency: 'EUR',
  isFree: false,
};
const NOTHING: Spent = { calls: 0, seconds: 0, micros: 0 };
const FRESH: Standing = {
  day: { ended: NOTHING, held: NOTHING },
  month: { ended: NOTHING, held: NOTHING },
  liveCalls: 0,
};
const caps = (change: Partial<Caps>) => effectiveCaps(NO_CAPS, { ...NO_CAPS, ...change }, null);
const WANTED = { timeLimitSeconds: 900, tariff: TARIFF };
const after = (ended: Partial<Spent>, held: Partial<Spent> = {}): Standing => {
  const sums = { ended: { ...NOTHING, ...ended }, held: { ...NOTHING, ...held } };
  return { day: sums, month: sums, liveCalls: sums.held.calls };
};

describe('room for one more call', () => {
  it('is all that it wants where nothing is capped', () => {
    const room = roomForCall(caps({}), FRESH, WANTED);
    assert.ok(room.hasRoom);
    assert.equal(room.timeLimitSeconds, 900);
  });

  it('is what is left, when that is less: the call is made shorter', () => {
    const room = roomForCall(caps({ minutesPerDay: 10 }), after({ seconds: 300 }), WANTED);
    assert.deepEqual(room, {
      hasRoom: true,
      timeLimitSeconds: 270,
      holdSeconds: 300,
      holdMicros: 300_000,
    });
  });

  it('is all or nothing for who must not be made shorter', () => {
    const whole = { ...WANTED, isWhole: true };
    const left = (seconds: number) =>
      roomForCall(caps({ minutesPerDay: 20 }), after({ seconds: 1200 - seconds }), whole);
    assert.equal(left(930).hasRoom, true);
    assert.deepEqual(left(929), {
      hasRoom: false,
      reason: 'quota-exceeded',
      cap: 'minutesPerDay',
    });
  });

  it('counts what live calls may still come to', () => {
    const standing = after({ seconds: 300 }, { seconds: 290, calls: 1 });
    assert.deepEqual(roomForCall(caps({ minutesPerDay: 10 }), standing, WANTED), {
      hasRoom: false,
      reason: 'quota-exceeded',
      cap: 'minutesPerDay',
    });
  });

  it('is as long as the money lasts, and none when it would not last half a minute', () => {
    const some = roomForCall(caps({ microsPerMonth: 180_000 }), FRESH, WANTED);
    assert.ok(some.hasRoom);
    assert.equal(some.timeLimitSeconds, 150);
    assert.equal(some.holdMicros, 180_000);
    const none = roomForCall(caps({ microsPerMonth: 59_999 }), FRESH, WANTED);
    assert.deepEqual(none, { hasRoom: false, reason: 'spend-cap-reached', cap: 'microsPerMonth' });
    // What costs nothing is not held back by money.
    assert.ok(roomForCall(caps({ microsPerMonth: 0 }), FRESH, { ...WANTED, tariff: null }).hasRoom);
  });

  it('is none when all calls of the day, or at once, are there', () => {
    const busy = roomForCall(caps({ callsAtOnce: 2 }), after({}, { calls: 2 }), WANTED);
    assert.ok(!busy.hasRoom && busy.reason === 'workspace-busy');
    const done = roomForCall(caps({ callsPerDay: 3 }), after({ calls: 2 }, { calls: 1 }), WANTED);
    assert.ok(!done.hasRoom && done.reason === 'quota-exceeded');
  });

  it('never passes a cap, whatever calls come and however long they last', () => {
    const limits = fc.record({
      minutesPerDay: fc.option(fc.integer({ min: 0, max: 200 })),
      callsPerDay: fc.option(fc.integer({ min: 0, max: 20 })),
      microsPerDay: fc.option(fc.integer({ min: 0, max: 5_000_000 })),
      callsAtOnce: fc.option(fc.integer({ min: 0, max: 10 })),
    });
    const price = fc.record({
      perMinuteMicros: fc.integer({ min: 0, max: 500_000 }),
      setupMicros: fc.integer({ min: 0, max: 100_000 }),
      firstSeconds: fc.integer({ min: 1, max: 90 }),
      nextSeconds: fc.integer({ min: 1, max: 90 }),
    });
    const call = fc.record({
      price,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      ends: fc.boolean(),
    });
    fc.assert(
      fc.property(limits, fc.array(call, { maxLength: 40 }), (change, calls) => {
        const set = caps(change);
        let [ended, held] = [NOTHING, NOTHING];
        for (const { price: of, share, ends } of calls) {
          const standing = { day: { ended, held }, month: { ended, held }, liveCalls: held.calls };
          const tariff = { ...of, currency: 'EUR', isFree: false };
          const room = roomForCall(set, standing, { timeLimitSeconds: 600, tariff });
          if (!room.hasRoom) continue;
          if (ends) {
            // As long as may be, or shorter, with a goodbye beyond the limit.
            const seconds = Math.max(1, Math.floor(room.holdSeconds * share));
            ended = add(ended, { calls: 1, seconds, micros: priceMicros(seconds, tariff) });
          } else held = add(held, { calls: 1, seconds: room.holdSeconds, micros: room.holdMicros });
          const all = add(ended, held);
          assert.ok(all.seconds <= (change.minutesPerDay ?? Infinity) * 60);
          assert.ok(all.micros <= (change.microsPerDay ?? Infinity));
          assert.ok(all.calls <= (change.callsPerDay ?? Infinity));
          assert.ok(held.calls <= (change.callsAtOnce ?? Infinity));
        }
      }),
    );
  });
});

describe('the caps of a workspace', () => {
  const demo: Caps = { ...NO_CAPS, minutesPerDay: 100, callsAtOnce: 10, destinations: ['+34'] };

  it('are those of its type, until the operator says otherwise', () => {
    assert.equal(effectiveCaps(demo, null, null).minutesPerDay, 100);
    const raised = effectiveCaps(demo, { ...NO_CAPS, minutesPerDay: 500 }, null);
    assert.equal(raised.minutesPerDay, 500);
    // Mandatory: what is not set is not taken away [R35].
    assert.equal(raised.callsAtOnce, 10);
  });

  it('are what the owner asks for, where that is less', () => {
    const own = (change: Partial<Caps>) => effectiveCaps(demo, null, { ...NO_CAPS, ...change });
    assert.equal(own({ minutesPerDay: 20 }).minutesPerDay, 20);
    assert.equal(own({ minutesPerDay: 2000 }).minutesPerDay, 100);
    assert.equal(own({ microsPerDay: 5 }).microsPerDay, 5);
  });

  it('let a number be called that every list allows', () => {
    const both = effectiveCaps(demo, null, { ...NO_CAPS, destinations: ['+346', '+1'] });
    assert.equal(allowsNumber(both, '+34611222333'), true);
    assert.equal(allowsNumber(both, '+34911222333'), false);
    assert.equal(allowsNumber(both, '+12125550100'), false);
    assert.equal(allowsNumber(caps({ destinations: ['+'] }), '+12125550100'), true);
    assert.equal(allowsNumber(caps({ destinations: [] }), '+12125550100'), false);
    assert.equal(allowsNumber(caps({}), '112'), true);
  });
});

function add(a: Spent, b: Spent): Spent {
  return { calls: a.calls + b.calls, seconds: a.seconds + b.seconds, micros: a.micros + b.micros };
}
