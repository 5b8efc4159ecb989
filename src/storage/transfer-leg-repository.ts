import type { Charge, Tariff } from '../model/billing.ts';
import type { CallDoor } from '../model/call.ts';
import type { AgentId, CallId, WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import type { ChargeOf, GoneInstance } from './orphans.ts';
import { insertMany, jsonOf, nullableNumber, numberOf, textOf } from './rows.ts';
import type { Write, WriteQueue, WriteStatement } from './write-queue.ts';

/** A leg that we dial for a live call. */
export interface NewTransferLeg {
  readonly callId: CallId;
  /** Tells the legs of a call apart; from 1. */
  readonly number: number;
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId | null;
  readonly door: CallDoor;
  readonly startedAtMs: number;
  /** What it will be rated by. */
  readonly tariff: Tariff | null;
}

export interface TransferLegRepository {
  /** Before it is dialed: whatever happens then, it has its entry in the end. */
  begin(leg: NewTransferLeg): Promise<void>;
  markAnswered(legId: string, answeredAtMs: number): Promise<void>;
  /** Writes its entry; harmless when it has one. */
  end(legId: string, ended: EndedLeg): Promise<void>;
}

export interface EndedLeg {
  readonly endedAtMs: number;
  readonly charge: Charge;
}

/** Its row, its hold and its entry are known by it. */
export function legIdOf({ callId, number }: Pick<NewTransferLeg, 'callId' | 'number'>): string {
  return `${callId}_${number}`;
}

const BEGIN: WriteStatement = {
  name: 'transfer-leg-begin',
  rank: 2,
  sql: insertMany('transfer_legs', [
    'id',
    'call_id',
    'number',
    'workspace_id',
    'agent_id',
    'instance_id',
    'door',
    'started_at_ms',
    'tariff_json',
  ]),
};

const ANSWER: WriteStatement = {
  name: 'transfer-leg-answer',
  rank: 3,
  sql: `UPDATE transfer_legs SET answered_at_ms = w.value ->> 1
    FROM json_each(?1) AS w
    WHERE transfer_legs.id = w.value ->> 0 AND answered_at_ms IS NULL
    RETURNING transfer_legs.id AS id`,
};

/**
 * Takes the place of the leg's row, so it takes effect once. Whoever writes it for a dead process
 * says what it knew of the answer: what came since would make another price.
 */
const ENTRY: WriteStatement = {
  name: 'ledger-leg-entry',
  rank: 6,
  sql: `INSERT INTO ledger_entries (id, workspace_id, call_id, kind, leg, agent_id, direction, door,
      started_at_ms, is_answered, seconds, billed_seconds, amount_micros, list_price_micros,
      currency, tariff_json, created_at_ms)
    SELECT w.value ->> 0, legs.workspace_id, legs.call_id, 'transfer-leg', legs.number,
      legs.agent_id, 'outbound', legs.door, legs.started_at_ms, w.value ->> 3, w.value ->> 4,
      w.value ->> 5, w.value ->> 6, w.value ->> 7, w.value ->> 8, legs.tariff_json, w.value ->> 2
    FROM json_each(?1) AS w CROSS JOIN transfer_legs AS legs ON legs.id = w.value ->> 1
    WHERE NOT w.value ->> 9 OR legs.answered_at_ms IS w.value ->> 10
    RETURNING id`,
};

/** Goes into the transaction that ends its call, or stands alone. */
export function legEntryWrite(
  legId: string,
  { endedAtMs, charge }: EndedLeg,
  known: { readonly answeredAtMs: number | null } | null = null,
): Write {
  const id = `led${legId.slice('call'.length)}`;
  const row = [
    id,
    legId,
    Math.round(endedAtMs),
    charge.isAnswered ? 1 : 0,
    charge.seconds,
    charge.billedSeconds,
    charge.amountMicros,
    charge.listPriceMicros,
    charge.currency,
    known === null ? 0 : 1,
    known?.answeredAtMs ?? null,
  ];
  return { statement: ENTRY, id, subject: legId, row };
}

export function createTransferLegRepository(
  writes: WriteQueue,
  instanceId: string,
): TransferLegRepository {
  return {
    async begin(leg) {
      const id = legIdOf(leg);
      const { callId, number, workspaceId, agentId, door, startedAtMs, tariff } = leg;
      const times = [Math.round(startedAtMs), tariff === null ? null : JSON.stringify(tariff)];
      const row = [id, callId, number, workspaceId, agentId, instanceId, door, ...times];
      await writes.write({ statement: BEGIN, id, subject: id, row });
    },

    async markAnswered(id, answeredAtMs) {
      const row = [id, Math.round(answeredAtMs)];
      await writes.write({ statement: ANSWER, id, subject: id, row });
    },

    async end(id, ended) {
      await writes.write(legEntryWrite(id, ended));
    },
  };
}

/** Legs of one reading at most. */
const LEGS_AT_ONCE = 256;

/** The call's last turn counts as a sign of life, as it does for the call. */
const ORPHANS = `SELECT legs.id, answered_at_ms, tariff_json, max(
      gone.value ->> 1,
      started_at_ms,
      coalesce(answered_at_ms, 0),
      coalesce((SELECT CAST(max(ended_at_ms) AS INTEGER) FROM turns
        WHERE turns.call_id = legs.call_id), 0)
    ) AS gone_at_ms
  FROM json_each(?1) AS gone CROSS JOIN transfer_legs AS legs
    ON legs.instance_id = gone.value ->> 0
  LIMIT ${LEGS_AT_ONCE}`;

/** Writes the entries of legs whose processes are gone, each once over all processes. */
export async function closeOrphanedLegs(
  { writes, connection }: { readonly writes: WriteQueue; readonly connection: Connection },
  gone: readonly GoneInstance[],
  chargeOf: ChargeOf,
): Promise<void> {
  const instances = JSON.stringify(gone.map(({ id, heartbeatAtMs }) => [id, heartbeatAtMs]));
  for (;;) {
    const rows = await connection.all(ORPHANS, [instances]);
    const taken = await Promise.all(rows.map((row) => writes.write(orphanWrite(row, chargeOf))));
    // What nobody could close waits for next time.
    if (rows.length < LEGS_AT_ONCE || taken.every(([isTaken]) => isTaken !== true)) return;
  }
}

function orphanWrite(row: SqlRow, chargeOf: ChargeOf): Write {
  const answeredAtMs = nullableNumber(row, 'answered_at_ms');
  const endedAtMs = numberOf(row, 'gone_at_ms');
  const tariff = row.tariff_json === null ? null : jsonOf<Tariff>(row, 'tariff_json');
  const charge = chargeOf({ tariff, answeredAtMs, endedAtMs });
  return legEntryWrite(textOf(row, 'id'), { endedAtMs, charge }, { answeredAtMs });
}
