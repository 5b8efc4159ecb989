import { type Static, Type } from 'typebox';
import type { UsagePeriod } from '../storage/usage-repository.ts';
import { HttpError } from './errors.ts';

const DAY_MS = 86_400_000;
/** Longest period that is answered at once. */
const DAYS_MAX = 400;

const Day = (description: string) =>
  Type.Optional(
    Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', description, examples: ['2026-01-31'] }),
  );

export const PERIOD_QUERY = {
  from: Day('First day of UTC. Left out: the first of the month of `to`.'),
  to: Day('Last day of UTC, included. Left out: today.'),
};

export const Period = Type.Object(
  { from: Type.String(), to: Type.String() },
  { description: 'Days of UTC, both included. A call belongs to the day on which it began.' },
);

export interface Days extends UsagePeriod {
  readonly fromMs: number;
  readonly beforeMs: number;
}

/** @throws HttpError `INVALID_ARGUMENT` for days that are none, or too many */
export function daysOf(
  { from, to }: { readonly from?: string | undefined; readonly to?: string | undefined },
  nowMs: number,
): Days {
  const toDay = to ?? new Date(nowMs).toISOString().slice(0, 10);
  const fromDay = from ?? `${toDay.slice(0, 8)}01`;
  const [fromMs, toMs] = [msOf('from', fromDay), msOf('to', toDay)];
  const days = (toMs - fromMs) / DAY_MS + 1;
  if (days < 1 || days > DAYS_MAX) {
    throw new HttpError('INVALID_ARGUMENT', `A period has from 1 to ${DAYS_MAX} days.`);
  }
  return { fromDay, toDay, fromMs, beforeMs: toMs + DAY_MS };
}

export function toPeriodView({ fromDay, toDay }: UsagePeriod): Static<typeof Period> {
  return { from: fromDay, to: toDay };
}

function msOf(name: string, day: string): number {
  const ms = Date.parse(`${day}T00:00:00.000Z`);
  // 30 February is read as 1 March.
  const isDay = !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
  if (!isDay) throw new HttpError('INVALID_ARGUMENT', `${name} is no day.`);
  return ms;
}
