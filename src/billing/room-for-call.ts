import type { CountedCap, Tariff } from '../model/billing.ts';
import type { GateRefusalReason } from '../call/call-gate.ts';
import type { EffectiveCaps } from './caps.ts';
import { affordableSeconds, priceMicros } from './rate-call.ts';

/** What a workspace had of a day or a month. */
export interface Spent {
  readonly calls: number;
  readonly seconds: number;
  readonly micros: number;
}

/** What it had, and what is held back for calls that have not ended. */
export interface Standing {
  readonly day: { readonly ended: Spent; readonly held: Spent };
  readonly month: { readonly ended: Spent; readonly held: Spent };
  readonly liveCalls: number;
}

/** What is held back for one call until it has ended: all that it may come to. */
export interface Room {
  readonly hasRoom: true;
  /** The call's time limit. */
  readonly timeLimitSeconds: number;
  readonly holdSeconds: number;
  readonly holdMicros: number;
}

export interface NoRoom {
  readonly hasRoom: false;
  readonly reason: GateRefusalReason;
  /** null: too many at once. */
  readonly cap: CountedCap | null;
}

/** From the time limit to the end: a goodbye, or a caller whose ACK never comes. */
const GRACE_SECONDS = 30;
/** A call that would be shorter is not begun. */
const SECONDS_MIN = 30;

/** Still and pure. A call gets what it wants, or what is left, or nothing. */
export function roomForCall(
  caps: EffectiveCaps,
  { day, month, liveCalls }: Standing,
  wanted: {
    readonly timeLimitSeconds: number;
    readonly tariff: Tariff | null;
    /** No less will do. */
    readonly isWhole?: boolean;
  },
): Room | NoRoom {
  if (caps.callsAtOnce !== null && liveCalls >= caps.callsAtOnce) {
    return { hasRoom: false, reason: 'workspace-busy', cap: null };
  }
  const calls = leastLeft([
    left('callsPerDay', caps.callsPerDay, day.ended.calls + day.held.calls),
    left('callsPerMonth', caps.callsPerMonth, month.ended.calls + month.held.calls),
  ]);
  if (calls.amount < 1) return { hasRoom: false, reason: 'quota-exceeded', cap: calls.cap };

  const most = Math.min(wanted.timeLimitSeconds, caps.callSecondsMax ?? Number.POSITIVE_INFINITY);
  const least = wanted.isWhole === true ? most : Math.min(most, SECONDS_MIN);
  const seconds = leastLeft([
    left('minutesPerDay', inSeconds(caps.minutesPerDay), day.ended.seconds + day.held.seconds),
    left(
      'minutesPerMonth',
      inSeconds(caps.minutesPerMonth),
      month.ended.seconds + month.held.seconds,
    ),
  ]);
  const byTime = Math.min(most, seconds.amount - GRACE_SECONDS);
  if (byTime < least) return { hasRoom: false, reason: 'quota-exceeded', cap: seconds.cap };

  const micros = leastLeft([
    left('microsPerDay', caps.microsPerDay, day.ended.micros + day.held.micros),
    left('microsPerMonth', caps.microsPerMonth, month.ended.micros + month.held.micros),
  ]);
  const timeLimitSeconds = affordable(byTime, micros.amount, wanted.tariff);
  if (timeLimitSeconds < least) {
    return { hasRoom: false, reason: 'spend-cap-reached', cap: micros.cap };
  }
  const holdSeconds = timeLimitSeconds + GRACE_SECONDS;
  const holdMicros = wanted.tariff === null ? 0 : priceMicros(holdSeconds, wanted.tariff);
  return { hasRoom: true, timeLimitSeconds, holdSeconds, holdMicros };
}

function affordable(seconds: number, micros: number, tariff: Tariff | null): number {
  if (tariff === null || micros === Number.POSITIVE_INFINITY) return seconds;
  return affordableSeconds(micros, tariff, seconds + GRACE_SECONDS) - GRACE_SECONDS;
}

interface Left {
  readonly cap: CountedCap | null;
  readonly amount: number;
}

function left(cap: CountedCap, limit: number | null, used: number): Left {
  return { cap, amount: limit === null ? Number.POSITIVE_INFINITY : limit - used };
}

function leastLeft([a, b]: readonly [Left, Left]): Left {
  return a.amount <= b.amount ? a : b;
}

function inSeconds(minutes: number | null): number | null {
  return minutes === null ? null : minutes * 60;
}

/** How much of a cap is used up: 0.8 is four fifths. Calls that live count for calls alone. */
export function usedShares(
  caps: EffectiveCaps,
  { day, month }: Standing,
): readonly { readonly cap: CountedCap; readonly used: number; readonly limit: number }[] {
  const all: readonly (readonly [CountedCap, number])[] = [
    ['callsPerDay', day.ended.calls + day.held.calls],
    ['callsPerMonth', month.ended.calls + month.held.calls],
    ['minutesPerDay', day.ended.seconds / 60],
    ['minutesPerMonth', month.ended.seconds / 60],
    ['microsPerDay', day.ended.micros],
    ['microsPerMonth', month.ended.micros],
  ];
  return all.flatMap(([cap, used]) => {
    const limit = caps[cap];
    return limit === null ? [] : [{ cap, used, limit }];
  });
}
