import type { WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { microsOf } from './ledger-repository.ts';
import { insertMany, numberOf } from './rows.ts';
import type { Write, WriteQueue, WriteStatement } from './write-queue.ts';

/** All that a call may come to, kept back until it has ended. */
export interface CallHold {
  /** Or of one further leg of it. */
  readonly callId: string;
  readonly workspaceId: WorkspaceId;
  /** Day of UTC on which the call began. */
  readonly day: string;
  readonly seconds: number;
  readonly micros: number;
  readonly currency: string;
  readonly atMs: number;
  /** 0: a further leg of a call that is counted already. */
  readonly calls: 0 | 1;
}

/** Sums that must not be passed with the hold; null: no such cap. */
export interface HoldLimits {
  readonly callsAtOnce: number | null;
  readonly callsPerDay: number | null;
  readonly callsPerMonth: number | null;
  readonly secondsPerDay: number | null;
  readonly secondsPerMonth: number | null;
  readonly microsPerDay: number | null;
  readonly microsPerMonth: number | null;
}

export interface UsedSums {
  readonly calls: number;
  readonly seconds: number;
  readonly micros: number;
}

export interface WorkspaceStanding {
  readonly day: { readonly ended: UsedSums; readonly held: UsedSums };
  readonly month: { readonly ended: UsedSums; readonly held: UsedSums };
  readonly liveCalls: number;
}

export interface CallHoldRepository {
  /** What a workspace had on a day and in its month, and what its live calls hold. */
  standing(workspaceId: WorkspaceId, day: string, currency: string): Promise<WorkspaceStanding>;
  /**
   * Asks and holds in one step, over all processes: true when all limits are kept. Of several in
   * one transaction it may refuse one that would fit; asking again is the caller's.
   */
  take(hold: CallHold, limits: HoldLimits): Promise<boolean>;
  /** Gives a hold back for what did not begin. */
  release(callId: string): Promise<void>;
  /** True once for that id. */
  notice(id: string, atMs: number): Promise<boolean>;
}

/**
 * Rows of one statement do not see each other, so each counts those before it. Statements of
 * several processes follow one another in sqlite.
 */
const TAKE: WriteStatement = {
  name: 'call-hold-take',
  rank: 1,
  sql: `INSERT INTO call_holds (call_id, workspace_id, instance_id, day, seconds, micros, currency,
      created_at_ms, calls)
    SELECT call_id, workspace_id, instance_id, day, seconds, micros, currency, at_ms, calls FROM (
      SELECT value ->> 0 AS call_id, value ->> 1 AS workspace_id, value ->> 2 AS instance_id,
        value ->> 3 AS day, value ->> 4 AS seconds, value ->> 5 AS micros,
        value ->> 6 AS currency, value ->> 7 AS at_ms, value -> 8 AS limits,
        value ->> 9 AS calls, sum(value ->> 9) OVER earlier AS calls_so_far,
        sum(value ->> 4) OVER earlier AS seconds_so_far,
        sum(value ->> 5) OVER earlier AS micros_so_far
      FROM json_each(?1)
      WINDOW earlier AS (PARTITION BY value ->> 1 ORDER BY key ROWS UNBOUNDED PRECEDING)
    ) AS asked
    WHERE ${within('callsAtOnce', 'calls_so_far', 'coalesce(sum(calls), 0)', null)}
      AND ${within('callsPerDay', 'calls_so_far', 'coalesce(sum(calls), 0)', 'calls')}
      AND ${within('callsPerMonth', 'calls_so_far', 'coalesce(sum(calls), 0)', 'calls')}
      AND ${within('secondsPerDay', 'seconds_so_far', 'coalesce(sum(seconds), 0)', 'seconds')}
      AND ${within('secondsPerMonth', 'seconds_so_far', 'coalesce(sum(seconds), 0)', 'seconds')}
      AND ${within('microsPerDay', 'micros_so_far', 'coalesce(sum(micros), 0)', 'list_price_micros')}
      AND ${within('microsPerMonth', 'micros_so_far', 'coalesce(sum(micros), 0)', 'list_price_micros')}
    RETURNING call_id AS id`,
};

/** The condition that one limit is kept: those so far, the holds, and what has ended. */
function within(
  limit: keyof HoldLimits,
  soFar: string,
  held: string,
  ended: string | null,
): string {
  const value = `(asked.limits ->> '${limit}')`;
  const isMoney = limit.startsWith('micros');
  const ofCurrency = isMoney ? 'AND currency = asked.currency' : '';
  const [days, period] = limit.endsWith('Month')
    ? ['AND substr(day, 1, 7) = substr(asked.day, 1, 7)', 'substr(asked.day, 1, 7)']
    : ['AND day = asked.day', 'asked.day'];
  const holds = `(SELECT ${held} FROM call_holds WHERE workspace_id = asked.workspace_id
    ${ended === null ? '' : days} ${ofCurrency})`;
  const past =
    ended === null
      ? '0'
      : `(SELECT coalesce(sum(${ended}), 0) FROM usage_periods
          WHERE workspace_id = asked.workspace_id AND period = ${period} ${ofCurrency})`;
  return `(${value} IS NULL OR ${soFar} + ${holds} + ${past} <= ${value})`;
}

const RELEASE: WriteStatement = {
  name: 'call-hold-release',
  rank: 7,
  sql: `DELETE FROM call_holds WHERE call_id IN (SELECT value ->> 0 FROM json_each(?1))
    RETURNING call_id AS id`,
};

/** For the end of a call whose rows could not all be written: nothing is held for ever. */
export function holdReleaseWrite(callId: string): Write {
  return { statement: RELEASE, id: callId, subject: callId, row: [callId] };
}

const NOTICE: WriteStatement = {
  name: 'cap-notice',
  rank: 1,
  sql: insertMany('cap_notices', ['id', 'at_ms'], 'ON CONFLICT (id) DO NOTHING'),
};

const ended = (name: string, period: string) => `
  (SELECT coalesce(sum(calls), 0) FROM usage_periods
    WHERE workspace_id = ?1 AND period = ${period}) AS ${name}_calls,
  (SELECT coalesce(sum(seconds), 0) FROM usage_periods
    WHERE workspace_id = ?1 AND period = ${period}) AS ${name}_seconds,
  (SELECT coalesce(sum(list_price_micros), 0) FROM usage_periods
    WHERE workspace_id = ?1 AND period = ${period} AND currency = ?3) AS ${name}_micros`;
const held = (name: string, which: string) => `
  coalesce(sum(calls) FILTER (WHERE ${which}), 0) AS ${name}_held_calls,
  coalesce(sum(seconds) FILTER (WHERE ${which}), 0) AS ${name}_held_seconds,
  coalesce(sum(micros) FILTER (WHERE ${which} AND currency = ?3), 0) AS ${name}_held_micros`;
const STANDING = `SELECT coalesce(sum(calls), 0) AS live_calls,
  ${held('day', 'day = ?2')}, ${held('month', 'substr(day, 1, 7) = substr(?2, 1, 7)')},
  ${ended('day', '?2')}, ${ended('month', 'substr(?2, 1, 7)')}
  FROM call_holds WHERE workspace_id = ?1`;

export interface CallHoldRepositoryOptions {
  readonly writes: WriteQueue;
  readonly reader: Connection;
  readonly instanceId: string;
}

export function createCallHoldRepository({
  writes,
  reader,
  instanceId,
}: CallHoldRepositoryOptions): CallHoldRepository {
  return {
    async standing(workspaceId, day, currency) {
      const row = await reader.first(STANDING, [workspaceId, day, currency]);
      if (row === null) throw new TypeError('sums are always one row');
      return {
        day: { ended: sumsOf(row, 'day'), held: sumsOf(row, 'day_held') },
        month: { ended: sumsOf(row, 'month'), held: sumsOf(row, 'month_held') },
        liveCalls: numberOf(row, 'live_calls'),
      };
    },

    async take(hold, limits) {
      const { callId, workspaceId, day, seconds, micros, currency, atMs, calls } = hold;
      const values = [callId, workspaceId, instanceId, day, seconds, micros, currency];
      const row = [...values, Math.round(atMs), { ...limits }, calls];
      // No subject but its own: holds of one workspace may share a transaction.
      const write = { statement: TAKE, id: callId, subject: `hold ${callId}`, row };
      const [isTaken = false] = await writes.write(write);
      return isTaken;
    },

    async release(callId) {
      await writes.write(holdReleaseWrite(callId));
    },

    async notice(id, atMs) {
      const row = [id, Math.round(atMs)];
      const [isTaken = false] = await writes.write({ statement: NOTICE, id, subject: id, row });
      return isTaken;
    },
  };
}

function sumsOf(row: SqlRow, name: string): UsedSums {
  return {
    calls: numberOf(row, `${name}_calls`),
    seconds: numberOf(row, `${name}_seconds`),
    micros: microsOf(row, `${name}_micros`),
  };
}
