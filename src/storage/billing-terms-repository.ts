import type { Caps, Rate, RateCard } from '../model/billing.ts';
import type { WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { jsonOf, nullableText, textOf } from './rows.ts';
import type { WorkspaceType } from './workspace-repository.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** What a workspace's calls are admitted and rated by. */
export interface BillingTerms {
  readonly type: WorkspaceType;
  /** null: none were set, and calls cost nothing. */
  readonly rates: RateCard | null;
  /** null: none were set. */
  readonly operatorCaps: Caps | null;
  readonly ownerCaps: Caps | null;
}

export interface BillingTermsRepository {
  /** Null when there is no such workspace. */
  find(id: WorkspaceId): Promise<BillingTerms | null>;
  /**
   * Calls that have begun keep what they began with. False when the workspace was charged, or
   * has live calls that will be, in another currency: sums must stay sums.
   */
  setRates(id: WorkspaceId, card: RateCard, atMs: number): Promise<boolean>;
  /** Replaces all that this one had set. */
  setCaps(id: WorkspaceId, by: 'operator' | 'owner', caps: Caps, atMs: number): Promise<void>;
}

const TERMS = `SELECT workspaces.type, workspace_rates.currency, workspace_rates.rates_json,
    (SELECT caps_json FROM workspace_caps
      WHERE workspace_id = workspaces.id AND set_by = 'operator') AS operator_caps_json,
    (SELECT caps_json FROM workspace_caps
      WHERE workspace_id = workspaces.id AND set_by = 'owner') AS owner_caps_json
  FROM workspaces LEFT JOIN workspace_rates ON workspace_rates.workspace_id = workspaces.id
  WHERE workspaces.id = ?1`;

const SET_RATES: WriteStatement = {
  name: 'workspace-rates-set',
  rank: 1,
  sql: `INSERT INTO workspace_rates (workspace_id, currency, rates_json, updated_at_ms)
    SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3 FROM json_each(?1) AS w
    WHERE NOT EXISTS (SELECT 1 FROM usage_periods AS used
        WHERE used.workspace_id = w.value ->> 0 AND used.currency <> w.value ->> 1
          AND used.list_price_micros > 0)
      AND NOT EXISTS (SELECT 1 FROM calls INDEXED BY calls_live
        WHERE ended_at_ms IS NULL AND workspace_id = w.value ->> 0
          AND tariff_json ->> 'currency' <> w.value ->> 1)
    ON CONFLICT (workspace_id) DO UPDATE SET currency = excluded.currency,
      rates_json = excluded.rates_json, updated_at_ms = excluded.updated_at_ms
    RETURNING workspace_id AS id`,
};

const SET_CAPS: WriteStatement = {
  name: 'workspace-caps-set',
  rank: 1,
  sql: `INSERT INTO workspace_caps (workspace_id, set_by, caps_json, updated_at_ms)
    SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3 FROM json_each(?1) AS w
    WHERE true
    ON CONFLICT (workspace_id, set_by) DO UPDATE SET caps_json = excluded.caps_json,
      updated_at_ms = excluded.updated_at_ms
    RETURNING workspace_id AS id`,
};

export function createBillingTermsRepository(
  writes: WriteQueue,
  reader: Connection,
): BillingTermsRepository {
  return {
    async find(id) {
      const row = await reader.first(TERMS, [id]);
      return row === null ? null : toTerms(row);
    },

    async setRates(id, { currency, rates }, atMs) {
      const row = [id, currency, JSON.stringify(rates), atMs];
      const [isTaken = false] = await writes.write({ statement: SET_RATES, id, subject: id, row });
      return isTaken;
    },

    async setCaps(id, by, caps, atMs) {
      const row = [id, by, JSON.stringify(caps), atMs];
      await writes.write({ statement: SET_CAPS, id, subject: id, row });
    },
  };
}

function toTerms(row: SqlRow): BillingTerms {
  const currency = nullableText(row, 'currency');
  return {
    type: textOf(row, 'type') === 'demo' ? 'demo' : 'standard',
    operatorCaps: capsOf(row, 'operator_caps_json'),
    ownerCaps: capsOf(row, 'owner_caps_json'),
    rates:
      currency === null ? null : { currency, rates: jsonOf<readonly Rate[]>(row, 'rates_json') },
  };
}

function capsOf(row: SqlRow, column: string): Caps | null {
  return row[column] === null ? null : jsonOf<Caps>(row, column);
}
