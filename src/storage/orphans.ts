import type { Charge, Tariff } from '../model/billing.ts';
import { asCallId, asWorkspaceId, type CallId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { ledgerWrite } from './ledger-repository.ts';
import { jsonOf, nullableNumber, numberOf, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** A call that its own process did not end. */
export interface OrphanedCall {
  readonly id: CallId;
  readonly workspaceId: WorkspaceId;
  readonly endedAtMs: number;
}

/** What an ended call comes to: storage knows no prices, and is told. */
export type ChargeOf = (call: {
  readonly tariff: Tariff | null;
  readonly answeredAtMs: number | null;
  readonly endedAtMs: number;
}) => Charge;

/** A process that is gone, and when it was last known to live. */
export interface GoneInstance {
  readonly id: string;
  readonly heartbeatAtMs: number;
}

/** Calls of one transaction at most. */
const CALLS_AT_ONCE = 256;

/** The call's last turn counts as a sign of life too. */
const ORPHANS = `SELECT calls.id, workspace_id, answered_at_ms, tariff_json, is_test, max(
      gone.value ->> 1,
      started_at_ms,
      coalesce(answered_at_ms, 0),
      coalesce((SELECT CAST(max(ended_at_ms) AS INTEGER) FROM turns WHERE call_id = calls.id), 0)
    ) AS gone_at_ms
  FROM json_each(?1) AS gone
    CROSS JOIN calls INDEXED BY calls_live ON calls.instance_id = gone.value ->> 0
  WHERE calls.ended_at_ms IS NULL LIMIT ${CALLS_AT_ONCE}`;

/**
 * Not one that another process has just ended, nor one that was answered since it was read: what
 * it comes to would be wrong.
 */
const CLOSE: WriteStatement = {
  name: 'orphan-close',
  rank: 5,
  sql: `UPDATE calls SET
      status = CASE WHEN answered_at_ms IS NULL THEN 'failed' ELSE 'completed' END,
      end_reason = 'daemon-crashed',
      ended_at_ms = w.value ->> 1
    FROM json_each(?1) AS w
    WHERE calls.id = w.value ->> 0 AND calls.ended_at_ms IS NULL
      AND calls.answered_at_ms IS w.value ->> 2
    RETURNING calls.id AS id`,
};

/**
 * Ends the live calls of processes that are gone, each in one transaction with what it comes to.
 * Returns those that this very process ended.
 */
export async function closeOrphans(
  { writes, connection }: { readonly writes: WriteQueue; readonly connection: Connection },
  gone: readonly GoneInstance[],
  chargeOf: ChargeOf,
): Promise<readonly OrphanedCall[]> {
  const instances = JSON.stringify(gone.map(({ id, heartbeatAtMs }) => [id, heartbeatAtMs]));
  const closed: OrphanedCall[] = [];
  for (;;) {
    const rows = await connection.all(ORPHANS, [instances]);
    const taken = await Promise.all(rows.map((row) => close(writes, row, chargeOf)));
    closed.push(...taken.filter((call) => call !== null));
    // Others that close the same calls are as good; what nobody could close waits for next time.
    if (rows.length < CALLS_AT_ONCE || taken.every((call) => call === null)) return closed;
  }
}

async function close(
  writes: WriteQueue,
  row: SqlRow,
  chargeOf: ChargeOf,
): Promise<OrphanedCall | null> {
  const id = asCallId(textOf(row, 'id'));
  const answeredAtMs = nullableNumber(row, 'answered_at_ms');
  const endedAtMs = numberOf(row, 'gone_at_ms');
  const tariff = row.tariff_json === null ? null : jsonOf<Tariff>(row, 'tariff_json');
  const charge = chargeOf({ tariff, answeredAtMs, endedAtMs });
  // A simulated call was nobody's.
  const entries =
    row.is_test === 1 ? [] : [ledgerWrite(id, { endedAtMs, reason: 'daemon-crashed' }, charge)];
  const [isTaken = false] = await writes.write(
    { statement: CLOSE, id, subject: id, row: [id, endedAtMs, answeredAtMs] },
    ...entries,
  );
  const workspaceId = asWorkspaceId(textOf(row, 'workspace_id'));
  return isTaken ? { id, workspaceId, endedAtMs } : null;
}
