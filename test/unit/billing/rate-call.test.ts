import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  affordableSeconds,
  airtimeMicros,
  billedSeconds,
  MICROS_MAX,
  priceMicros,
  rateCall,
  STEP_SECONDS_MAX,
} from '../../../src/billing/rate-call.ts';
import type { Price, Tariff } from '../../../src/model/billing.ts';

const TARIFF: Tariff = {
  perMinuteMicros: 12_000,
  setupMicros: 0,
  firstSeconds: 60,
  nextSeconds: 60,
  currency: 'EUR',
  isFree: false,
};
const DAY_SECONDS = 86_400;

const anyPrice: fc.Arbitrary<Price> = fc.record({
  perMinuteMicros: fc.oneof(fc.integer({ min: 0, max: 5_000_000 }), fc.constant(MICROS_MAX)),
  setupMicros: fc.integer({ min: 0, max: MICROS_MAX }),
  firstSeconds: fc.integer({ min: 1, max: STEP_SECONDS_MAX }),
  nextSeconds: fc.integer({ min: 1, max: STEP_SECONDS_MAX }),
});
const anySeconds = fc.integer({ min: 1, max: DAY_SECONDS });

const after = (ms: number, tariff: Tariff | null = TARIFF) =>
  rateCall(tariff, { answeredAtMs: 1_700_000_000_000, endedAtMs: 1_700_000_000_000 + ms }, 'USD');

describe('the rating of a call', () => {
  const table: readonly (readonly [string, Partial<Price>, number, number, number])[] = [
    ['60/60', { firstSeconds: 60, nextSeconds: 60 }, 1, 60, 12_000],
    ['60/60', { firstSeconds: 60, nextSeconds: 60 }, 60, 60, 12_000],
    ['60/60', { firstSeconds: 60, nextSeconds: 60 }, 61, 120, 24_000],
    ['6/6', { firstSeconds: 6, nextSeconds: 6 }, 1, 6, 1_200],
    ['6/6', { firstSeconds: 6, nextSeconds: 6 }, 61, 66, 13_200],
    ['30/6', { firstSeconds: 30, nextSeconds: 6 }, 1, 30, 6_000],
    ['30/6', { firstSeconds: 30, nextSeconds: 6 }, 30, 30, 6_000],
    ['30/6', { firstSeconds: 30, nextSeconds: 6 }, 31, 36, 7_200],
    ['1/1', { firstSeconds: 1, nextSeconds: 1 }, 61, 61, 12_200],
    ['1/1 with a setup fee', { firstSeconds: 1, nextSeconds: 1, setupMicros: 500 }, 1, 1, 700],
  ];
  for (const [what, change, seconds, billed, micros] of table) {
    it(`bills ${seconds} s by ${what} as ${billed} s, ${micros} micro-units`, () => {
      const charge = after(seconds * 1000, { ...TARIFF, ...change });
      assert.deepEqual(charge, {
        isAnswered: true,
        seconds,
        billedSeconds: billed,
        amountMicros: micros,
        listPriceMicros: micros,
        currency: 'EUR',
      });
    });
  }

  it('counts every second that has begun, and always the first', () => {
    assert.equal(after(0).seconds, 1);
    assert.equal(after(1).seconds, 1);
    assert.equal(after(1000).seconds, 1);
    assert.equal(after(1001).seconds, 2);
    // A clock that went back bills no less than the first step.
    assert.equal(after(-5000).billedSeconds, 60);
  });

  it('reads fractions of a millisecond as storage keeps them', () => {
    const times = { answeredAtMs: 1000.6, endedAtMs: 2000.9 };
    const stored = { answeredAtMs: 1001, endedAtMs: 2001 };
    assert.deepEqual(rateCall(TARIFF, times, 'USD'), rateCall(TARIFF, stored, 'USD'));
    assert.equal(rateCall(TARIFF, times, 'USD').seconds, 1);
  });

  it('charges nothing for a call that was not answered, whatever its tariff', () => {
    const tariff = { ...TARIFF, setupMicros: 1_000_000 };
    const charge = rateCall(tariff, { answeredAtMs: null, endedAtMs: 5000 }, 'USD');
    assert.deepEqual(charge, {
      isAnswered: false,
      seconds: 0,
      billedSeconds: 0,
      amountMicros: 0,
      listPriceMicros: 0,
      currency: 'EUR',
    });
  });

  it('charges nothing in a demo workspace and keeps the list price beside it [SEED-42, R35]', () => {
    const charge = after(61_000, { ...TARIFF, isFree: true });
    assert.equal(charge.amountMicros, 0);
    assert.equal(charge.listPriceMicros, 24_000);
    assert.equal(charge.billedSeconds, 120);
  });

  it('counts the time of a call that no rate fits, and charges nothing', () => {
    assert.deepEqual(after(61_000, null), {
      isAnswered: true,
      seconds: 61,
      billedSeconds: 0,
      amountMicros: 0,
      listPriceMicros: 0,
      currency: 'USD',
    });
  });

  it('rounds half up, once', () => {
    assert.equal(airtimeMicros(1, 29), 0);
    assert.equal(airtimeMicros(1, 30), 1);
    assert.equal(airtimeMicros(1, 89), 1);
    assert.equal(airtimeMicros(1, 90), 2);
    assert.equal(airtimeMicros(59, 1), 1);
  });
});

describe('for any price and any length, the rating', () => {
  const holds = <Ts extends [unknown, ...unknown[]]>(property: fc.IProperty<Ts>) =>
    fc.assert(property, { numRuns: 2000 });

  it('is a whole, exact number and never negative', () => {
    holds(
      fc.property(anyPrice, anySeconds, (price, seconds) => {
        const micros = priceMicros(seconds, price);
        assert.ok(Number.isSafeInteger(micros) && micros >= 0);
      }),
    );
  });

  it('never falls when the call is longer', () => {
    holds(
      fc.property(anyPrice, anySeconds, anySeconds, (price, a, b) => {
        const [shorter, longer] = [Math.min(a, b), Math.max(a, b)];
        assert.ok(priceMicros(shorter, price) <= priceMicros(longer, price));
      }),
    );
  });

  it('bills the first step, then whole further ones, and less than one step too much', () => {
    holds(
      fc.property(anyPrice, anySeconds, (price, seconds) => {
        const billed = billedSeconds(seconds, price);
        assert.ok(billed >= seconds && billed >= price.firstSeconds);
        assert.equal((billed - price.firstSeconds) % price.nextSeconds, 0);
        if (billed > price.firstSeconds) assert.ok(billed - seconds < price.nextSeconds);
      }),
    );
  });

  it('is the sum of its parts: setup, and airtime within half a micro-unit of exact', () => {
    holds(
      fc.property(anyPrice, anySeconds, (price, seconds) => {
        const airtime = priceMicros(seconds, price) - price.setupMicros;
        const exact = BigInt(billedSeconds(seconds, price)) * BigInt(price.perMinuteMicros);
        const off = 60n * BigInt(airtime) - exact;
        assert.ok(off > -30n && off <= 30n);
      }),
    );
  });

  it('of one stretch differs from that of its two halves by a micro-unit at most', () => {
    const perMinute = fc.integer({ min: 0, max: MICROS_MAX });
    holds(
      fc.property(perMinute, anySeconds, anySeconds, (micros, a, b) => {
        const apart = airtimeMicros(a, micros) + airtimeMicros(b, micros);
        assert.ok(Math.abs(airtimeMicros(a + b, micros) - apart) <= 1);
      }),
    );
  });

  it('charges a demo workspace nothing and any other the list price', () => {
    holds(
      fc.property(anyPrice, anySeconds, fc.boolean(), (price, seconds, isFree) => {
        const { amountMicros, listPriceMicros } = after(seconds * 1000, {
          ...price,
          currency: 'EUR',
          isFree,
        });
        assert.equal(amountMicros, isFree ? 0 : listPriceMicros);
        assert.equal(listPriceMicros, priceMicros(seconds, price));
      }),
    );
  });

  it('finds the longest call that some money pays for', () => {
    const money = fc.oneof(
      fc.integer({ min: 0, max: MICROS_MAX }),
      fc.integer({ min: 0, max: 1e15 }),
    );
    holds(
      fc.property(anyPrice, money, anySeconds, (price, micros, most) => {
        const seconds = affordableSeconds(micros, price, most);
        if (seconds > 0) assert.ok(priceMicros(seconds, price) <= micros);
        if (seconds < most) assert.ok(priceMicros(seconds + 1, price) > micros);
      }),
    );
  });
});
