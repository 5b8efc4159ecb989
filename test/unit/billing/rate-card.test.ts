import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { firstDuplicate, RateBook, type Rated } from '../../../src/billing/rate-card.ts';
import type { Rate } from '../../../src/model/billing.ts';

const rate = (perMinuteMicros: number, change: Partial<Rate> = {}): Rate => ({
  direction: 'outbound',
  door: null,
  prefix: '',
  perMinuteMicros,
  setupMicros: 0,
  firstSeconds: 60,
  nextSeconds: 60,
  ...change,
});
const to = (toNumber: string, change: Partial<Rated> = {}): Rated => ({
  direction: 'outbound',
  door: 'api',
  toNumber,
  ...change,
});

describe('the rate of a call', () => {
  const book = new RateBook({
    currency: 'EUR',
    rates: [
      rate(100),
      rate(20, { prefix: '+34' }),
      rate(25, { prefix: '+346' }),
      rate(90, { prefix: '+34', door: 'click-to-call' }),
      rate(7, { direction: 'inbound' }),
      rate(3, { direction: 'inbound', door: 'web-offer' }),
    ],
  });
  const found = (call: Rated) => book.find(call)?.perMinuteMicros ?? null;

  it('is that of the longest prefix of the dialed number', () => {
    assert.equal(found(to('+34911222333')), 20);
    assert.equal(found(to('+34611222333')), 25);
    assert.equal(found(to('+49301234567')), 100);
    assert.equal(found(to('112')), 100);
  });

  it('is that of its door before that of every door, at the same prefix', () => {
    assert.equal(found(to('+34911222333', { door: 'click-to-call' })), 90);
    // A longer prefix says more than a door.
    assert.equal(found(to('+34611222333', { door: 'click-to-call' })), 25);
    assert.equal(found(to('', { direction: 'inbound', door: 'web-offer' })), 3);
  });

  it('of an inbound call does not look at what was dialed', () => {
    assert.equal(found(to('+34911222333', { direction: 'inbound', door: 'trunk' })), 7);
  });

  it('is none where none fits', () => {
    const only = new RateBook({ currency: 'EUR', rates: [rate(5, { prefix: '+1' })] });
    assert.equal(only.find(to('+34911222333')), null);
    assert.equal(only.tariff(to('+34911222333'), false), null);
  });

  it('becomes a tariff with the currency, and whether it is charged', () => {
    assert.deepEqual(book.tariff(to('+34911222333'), true), {
      perMinuteMicros: 20,
      setupMicros: 0,
      firstSeconds: 60,
      nextSeconds: 60,
      currency: 'EUR',
      isFree: true,
    });
  });

  it('is the same as that of looking at every rate', () => {
    const prefix = fc.stringMatching(/^\+[123]{0,4}$/);
    const rates = fc.uniqueArray(
      fc.record({ prefix, door: fc.constantFrom(null, 'api' as const) }),
      { selector: ({ prefix, door }) => `${prefix} ${door}`, maxLength: 30 },
    );
    fc.assert(
      fc.property(rates, fc.stringMatching(/^\+[123]{0,6}$/), (some, number) => {
        const all = some.map((one, at) => rate(at, one));
        const best = all
          .filter((one) => number.startsWith(one.prefix))
          .sort(
            (a, b) =>
              b.prefix.length - a.prefix.length ||
              Number(b.door !== null) - Number(a.door !== null),
          )[0];
        const found = new RateBook({ currency: 'EUR', rates: all }).find(to(number));
        assert.deepEqual(found, best ?? null);
      }),
    );
  });

  it('stands once in a card', () => {
    assert.equal(firstDuplicate([rate(1), rate(2, { prefix: '+1' })]), null);
    const twin = rate(2, { prefix: '+1' });
    assert.equal(firstDuplicate([rate(1, { prefix: '+1' }), rate(1), twin]), twin);
  });
});
