import type { Charge, Tariff } from '../model/billing.ts';
import type { CallDirection, CallDoor } from '../model/call.ts';
import type { EndReason } from '../model/end-reason.ts';
import { type AgentId, asAgentId, asCallId, type CallId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { jsonOf, nullableText, numberOf, textOf } from './rows.ts';
import type { Write, WriteStatement } from './write-queue.ts';

/** What one call, or one further leg of it, came to, for good. */
export interface LedgerEntry extends Charge {
  readonly id: string;
  readonly callId: CallId;
  /** The call itself, or a leg that we dialed to put its caller through. */
  readonly kind: 'call' | 'transfer-leg';
  readonly agentId: AgentId | null;
  readonly direction: CallDirection;
  readonly door: CallDoor;
  readonly startedAtMs: number;
  /** null: no rate fitted. */
  readonly tariff: Tariff | null;
  readonly createdAtMs: number;
}

export interface LedgerCursor {
  readonly startedAtMs: number;
  readonly id: string;
}

/** Of calls that began in a stretch of time. */
export interface LedgerFilter {
  readonly fromMs: number;
  readonly beforeMs: number;
}

export interface LedgerRepository {
  /** Newest call first, at most `limit`. */
  list(
    workspaceId: WorkspaceId,
    filter: LedgerFilter,
    limit: number,
    after?: LedgerCursor,
  ): Promise<readonly LedgerEntry[]>;
  /** Of the call itself. */
  find(workspaceId: WorkspaceId, callId: CallId): Promise<LedgerEntry | null>;
}

/**
 * Takes effect once in a call's life, and only for the ending that stands: whoever ends a call
 * for the second time charges nothing.
 */
const ENTRY: WriteStatement = {
  name: 'ledger-entry',
  rank: 6,
  sql: `INSERT INTO ledger_entries (id, workspace_id, call_id, kind, agent_id, direction, door,
      started_at_ms, is_answered, seconds, billed_seconds, amount_micros, list_price_micros,
      currency, tariff_json, created_at_ms)
    SELECT w.value ->> 0, calls.workspace_id, calls.id, 'call', calls.agent_id, calls.direction,
      calls.door, calls.started_at_ms, w.value ->> 4, w.value ->> 5, w.value ->> 6,
      w.value ->> 7, w.value ->> 8, w.value ->> 9, calls.tariff_json, calls.ended_at_ms
    FROM json_each(?1) AS w CROSS JOIN calls ON calls.id = w.value ->> 1
    WHERE calls.ended_at_ms = w.value ->> 2 AND calls.end_reason = w.value ->> 3
      AND NOT EXISTS (SELECT 1 FROM ledger_entries AS old
        WHERE old.call_id = calls.id AND old.kind = 'call')
    RETURNING id`,
};

/** Goes into the transaction that ends the call. */
export function ledgerWrite(
  callId: CallId,
  ending: { readonly endedAtMs: number; readonly reason: EndReason },
  charge: Charge,
): Write {
  const id = `led${callId.slice('call'.length)}`;
  const row = [
    id,
    callId,
    Math.round(ending.endedAtMs),
    ending.reason,
    charge.isAnswered ? 1 : 0,
    charge.seconds,
    charge.billedSeconds,
    charge.amountMicros,
    charge.listPriceMicros,
    charge.currency,
  ];
  return { statement: ENTRY, id, subject: callId, row };
}

const LIST = `SELECT * FROM ledger_entries
  WHERE workspace_id = ?1 AND started_at_ms >= ?2 AND started_at_ms < ?3
    AND (started_at_ms, id) < (?4, ?5)
  ORDER BY started_at_ms DESC, id DESC LIMIT ?6`;
const FIND = `SELECT * FROM ledger_entries
  WHERE call_id = ?1 AND kind = 'call' AND workspace_id = ?2`;

export function createLedgerRepository(reader: Connection): LedgerRepository {
  return {
    async list(workspaceId, { fromMs, beforeMs }, limit, after) {
      // Said as a bound of the index too: else sqlite walks over all pages before this one.
      const { startedAtMs: lastMs, id } = after ?? { startedAtMs: beforeMs, id: '' };
      const endMs = Math.min(beforeMs, lastMs + 1);
      const rows = await reader.all(LIST, [workspaceId, fromMs, endMs, lastMs, id, limit]);
      return rows.map(toEntry);
    },

    async find(workspaceId, callId) {
      const row = await reader.first(FIND, [callId, workspaceId]);
      return row === null ? null : toEntry(row);
    },
  };
}

function toEntry(row: SqlRow): LedgerEntry {
  const agentId = nullableText(row, 'agent_id');
  return {
    id: textOf(row, 'id'),
    callId: asCallId(textOf(row, 'call_id')),
    kind: numberOf(row, 'leg') === 0 ? 'call' : 'transfer-leg',
    agentId: agentId === null ? null : asAgentId(agentId),
    direction: textOf(row, 'direction') as CallDirection,
    door: textOf(row, 'door') as CallDoor,
    startedAtMs: numberOf(row, 'started_at_ms'),
    isAnswered: row.is_answered === 1,
    seconds: numberOf(row, 'seconds'),
    billedSeconds: numberOf(row, 'billed_seconds'),
    amountMicros: microsOf(row, 'amount_micros'),
    listPriceMicros: microsOf(row, 'list_price_micros'),
    currency: textOf(row, 'currency'),
    tariff: row.tariff_json === null ? null : jsonOf<Tariff>(row, 'tariff_json'),
    createdAtMs: numberOf(row, 'created_at_ms'),
  };
}

/** @throws RangeError for a sum that the driver could not give exactly */
export function microsOf(row: SqlRow, column: string): number {
  const micros = numberOf(row, column);
  if (!Number.isSafeInteger(micros)) throw new RangeError(`${column} is too large to be exact`);
  return micros;
}
