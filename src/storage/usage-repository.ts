import type { WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { microsOf } from './ledger-repository.ts';
import { numberOf, textOf } from './rows.ts';

export type UsageGrouping = 'day' | 'agent' | 'door' | 'direction';

/** Days of UTC, `2026-01-31`, both included. */
export interface UsagePeriod {
  readonly fromDay: string;
  readonly toDay: string;
}

/** Sums of ledger entries. */
export interface UsageSums {
  readonly calls: number;
  readonly answeredCalls: number;
  readonly seconds: number;
  readonly billedSeconds: number;
  readonly amountMicros: number;
  readonly listPriceMicros: number;
}

export interface UsageGroup extends UsageSums {
  /** The day, door, direction or agent; empty where the agent is not known any more. */
  readonly key: string;
}

export interface UsageRepository {
  /** Money in other currencies than `currency` is left out; its calls and time are not. */
  total(workspaceId: WorkspaceId, period: UsagePeriod, currency: string): Promise<UsageSums>;
  /** In the order of their keys, at most `limit`. */
  groups(
    workspaceId: WorkspaceId,
    period: UsagePeriod,
    currency: string,
    by: UsageGrouping,
    limit: number,
  ): Promise<readonly UsageGroup[]>;
}

const SUMS = `coalesce(sum(calls), 0) AS calls,
  coalesce(sum(answered_calls), 0) AS answered_calls,
  coalesce(sum(seconds), 0) AS seconds,
  coalesce(sum(billed_seconds), 0) AS billed_seconds,
  coalesce(sum(amount_micros) FILTER (WHERE currency = ?4), 0) AS amount_micros,
  coalesce(sum(list_price_micros) FILTER (WHERE currency = ?4), 0) AS list_price_micros`;
const OF_PERIOD = 'FROM usage_days WHERE workspace_id = ?1 AND day BETWEEN ?2 AND ?3';
const TOTAL = `SELECT ${SUMS} ${OF_PERIOD}`;
const grouped = (column: string) =>
  `SELECT ${column} AS key, ${SUMS} ${OF_PERIOD} GROUP BY ${column} ORDER BY ${column} LIMIT ?5`;
const GROUPS: Readonly<Record<UsageGrouping, string>> = {
  day: grouped('day'),
  agent: grouped('agent_id'),
  door: grouped('door'),
  direction: grouped('direction'),
};

export function createUsageRepository(reader: Connection): UsageRepository {
  return {
    async total(workspaceId, { fromDay, toDay }, currency) {
      const row = await reader.first(TOTAL, [workspaceId, fromDay, toDay, currency]);
      if (row === null) throw new TypeError('sums are always one row');
      return toSums(row);
    },

    async groups(workspaceId, { fromDay, toDay }, currency, by, limit) {
      const values = [workspaceId, fromDay, toDay, currency, limit];
      const rows = await reader.all(GROUPS[by], values);
      return rows.map((row) => ({ key: textOf(row, 'key'), ...toSums(row) }));
    },
  };
}

function toSums(row: SqlRow): UsageSums {
  return {
    calls: numberOf(row, 'calls'),
    answeredCalls: numberOf(row, 'answered_calls'),
    seconds: numberOf(row, 'seconds'),
    billedSeconds: numberOf(row, 'billed_seconds'),
    amountMicros: microsOf(row, 'amount_micros'),
    listPriceMicros: microsOf(row, 'list_price_micros'),
  };
}
