import type { Rate, RateCard, Tariff } from '../model/billing.ts';
import type { CallDirection, CallDoor } from '../model/call.ts';

/** What a rate is looked for by. */
export interface Rated {
  readonly direction: CallDirection;
  readonly door: CallDoor;
  readonly toNumber: string;
}

export const RATES_MAX = 5000;
/** `+` and the fifteen digits of E.164. */
const PREFIX_LENGTH_MAX = 16;

/** Rates of one workspace, ready to be looked up: a few map reads, however many there are. */
export class RateBook {
  readonly currency: string;
  readonly #rates = new Map<string, Rate>();

  constructor({ currency, rates }: RateCard) {
    this.currency = currency;
    for (const rate of rates) this.#rates.set(keyOf(rate.direction, rate.door, rate.prefix), rate);
  }

  /** The longest prefix wins; at the same prefix, a rate of that door. Null: none fits. */
  find({ direction, door, toNumber }: Rated): Rate | null {
    const number = direction === 'outbound' ? toNumber.slice(0, PREFIX_LENGTH_MAX) : '';
    for (let length = number.length; length >= 0; length -= 1) {
      const prefix = number.slice(0, length);
      const found =
        this.#rates.get(keyOf(direction, door, prefix)) ??
        this.#rates.get(keyOf(direction, null, prefix));
      if (found !== undefined) return found;
    }
    return null;
  }

  tariff(call: Rated, isFree: boolean): Tariff | null {
    const rate = this.find(call);
    if (rate === null) return null;
    const { perMinuteMicros, setupMicros, firstSeconds, nextSeconds } = rate;
    const { currency } = this;
    return { perMinuteMicros, setupMicros, firstSeconds, nextSeconds, currency, isFree };
  }
}

/** Two rates for the same calls would make the price depend on their order. */
export function firstDuplicate(rates: readonly Rate[]): Rate | null {
  const seen = new Set<string>();
  for (const rate of rates) {
    const key = keyOf(rate.direction, rate.door, rate.prefix);
    if (seen.has(key)) return rate;
    seen.add(key);
  }
  return null;
}

function keyOf(direction: CallDirection, door: CallDoor | null, prefix: string): string {
  return `${direction} ${door ?? ''} ${prefix}`;
}
