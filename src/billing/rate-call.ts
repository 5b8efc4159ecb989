import type { Charge, Price, Tariff } from '../model/billing.ts';

/** Bounds of a tariff; within them the price of a day-long call is exact in a number. */
export const MICROS_MAX = 100_000_000_000;
export const STEP_SECONDS_MAX = 3600;
const SECONDS_PER_MINUTE = 60n;

/** What is known of a call that has ended, in Unix milliseconds. */
export interface EndedTimes {
  readonly answeredAtMs: number | null;
  readonly endedAtMs: number;
}

/**
 * What a call comes to. Still and pure: the same call always comes to the same.
 *
 * - A call that was never answered costs nothing.
 * - Time runs from answer to end; a second that has begun counts, and the first one always has.
 * - Setup fee and airtime add up to the list price; airtime is rounded once, half up, to a
 *   micro-unit.
 *
 * @param tariff null: no rate fitted; such a call costs nothing
 */
export function rateCall(
  tariff: Tariff | null,
  { answeredAtMs, endedAtMs }: EndedTimes,
  currencyWithoutTariff: string,
): Charge {
  const currency = tariff?.currency ?? currencyWithoutTariff;
  const isAnswered = answeredAtMs !== null;
  const seconds = isAnswered ? talkSeconds(answeredAtMs, endedAtMs) : 0;
  if (tariff === null || !isAnswered) {
    return { isAnswered, seconds, billedSeconds: 0, amountMicros: 0, listPriceMicros: 0, currency };
  }
  const listPriceMicros = priceMicros(seconds, tariff);
  return {
    isAnswered,
    seconds,
    billedSeconds: billedSeconds(seconds, tariff),
    amountMicros: tariff.isFree ? 0 : listPriceMicros,
    listPriceMicros,
    currency,
  };
}

/** Storage keeps whole milliseconds, so whoever rates a call again comes to the same. */
function talkSeconds(answeredAtMs: number, endedAtMs: number): number {
  const ms = Math.round(endedAtMs) - Math.round(answeredAtMs);
  return Math.max(1, Math.ceil(ms / 1000));
}

/** Seconds that are paid for when an answered call lasted so many. */
export function billedSeconds(
  seconds: number,
  { firstSeconds, nextSeconds }: Pick<Price, 'firstSeconds' | 'nextSeconds'>,
): number {
  const beyond = Math.max(0, seconds - firstSeconds);
  return firstSeconds + Math.ceil(beyond / nextSeconds) * nextSeconds;
}

/** Price of an answered call that lasted so many seconds. */
export function priceMicros(seconds: number, price: Price): number {
  const billed = billedSeconds(seconds, price);
  return price.setupMicros + airtimeMicros(billed, price.perMinuteMicros);
}

/** Rounded half up. */
export function airtimeMicros(seconds: number, perMinuteMicros: number): number {
  const exact = BigInt(seconds) * BigInt(perMinuteMicros);
  const rounded = (2n * exact + SECONDS_PER_MINUTE) / (2n * SECONDS_PER_MINUTE);
  return safe(rounded);
}

/**
 * The longest call that costs no more than `micros`, at most `secondsMax`; 0 when not even the
 * shortest may be had. Prices grow with time, so it is found by halving.
 */
export function affordableSeconds(micros: number, price: Price, secondsMax: number): number {
  let [least, most] = [0, secondsMax];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (priceMicros(middle, price) <= micros) least = middle;
    else most = middle - 1;
  }
  return least;
}

/** @throws RangeError where a number would no longer be exact */
function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError('an amount of money is too large');
  return number;
}
