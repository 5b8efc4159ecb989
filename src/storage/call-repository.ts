import type { Knex } from 'knex';
import type { Tariff } from '../model/billing.ts';
import type { CallDirection, CallDoor, CallRecord, NetworkFacts } from '../model/call.ts';
import type { EndReason } from '../model/end-reason.ts';
import { type AgentId, asAgentId, asCallId, asTurnId, asWorkspaceId } from '../model/ids.ts';
import type { CallId, WorkspaceId } from '../model/ids.ts';
import type { LegReport } from '../model/media.ts';
import type { TransferRecord } from '../model/transfer.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, insertMany, jsonOf, nullableNumber, nullableText } from './rows.ts';
import { numberOf, textOf } from './rows.ts';
import type { Write, WriteQueue, WriteStatement } from './write-queue.ts';

/** A call as it begins. */
export type NewCall = Pick<
  CallRecord,
  | 'id'
  | 'workspaceId'
  | 'agentId'
  | 'direction'
  | 'door'
  | 'fromNumber'
  | 'toNumber'
  | 'sipCallId'
  | 'startedAtMs'
  | 'networkFacts'
  | 'isTest'
> & {
  /** What it will be rated by; left out: nothing. */
  readonly tariff?: Tariff | null;
};

/** How a call ended. */
export interface CallEnd {
  readonly endedAtMs: number;
  readonly reason: EndReason;
  readonly sipStatus: number | null;
  readonly report: LegReport | null;
  readonly transfers?: readonly TransferRecord[];
}

export interface CallFilter {
  readonly agentId?: AgentId;
  readonly status?: CallRecord['status'];
  readonly direction?: CallDirection;
  readonly door?: CallDoor;
  readonly fromNumber?: string;
  readonly toNumber?: string;
  readonly startedFromMs?: number;
  readonly startedBeforeMs?: number;
  readonly endReason?: EndReason;
  /** Simulated ones, instead of real ones. */
  readonly isTest?: boolean;
}

/** Where a page ended: the next one begins behind this call. */
export interface CallCursor {
  readonly startedAtMs: number;
  readonly id: string;
}

/**
 * Calls and their transcripts. Changes resolve once they are durable, and reject with
 * `StorageError`; many of them share one transaction (`WriteQueue`).
 */
export interface CallRepository {
  /** `end`: for a call that was refused at once; both are written together. */
  create(call: NewCall, end?: CallEnd): Promise<void>;
  /** False when the call had ended, was answered, or rang before. */
  markRinging(id: CallId): Promise<boolean>;
  /** False when the call had ended, or was answered before. */
  markAnswered(id: CallId, answeredAtMs: number): Promise<boolean>;
  appendTurn(id: CallId, turn: TranscriptTurn): Promise<void>;
  /**
   * True exactly once in a call's life. `alongside` is written in the same transaction (and
   * must itself be harmless when the call had ended already: an insert with `ON CONFLICT`).
   */
  end(id: CallId, end: CallEnd, alongside?: readonly Write[]): Promise<boolean>;
  find(workspaceId: WorkspaceId, id: CallId): Promise<CallRecord | null>;
  /** Newest first, at most `limit`. */
  list(
    workspaceId: WorkspaceId,
    filter: CallFilter,
    limit: number,
    after?: CallCursor,
  ): Promise<readonly CallRecord[]>;
  /** In order, at most `TURNS_READ_MAX`. */
  transcript(id: CallId): Promise<readonly TranscriptTurn[]>;
}

export const TURNS_READ_MAX = 5000;

const CREATE: WriteStatement = {
  name: 'call-create',
  rank: 1,
  sql: insertMany('calls', [
    'id',
    'workspace_id',
    'agent_id',
    'instance_id',
    'direction',
    'door',
    'status',
    'from_number',
    'to_number',
    'sip_call_id',
    'started_at_ms',
    'network_facts_json',
    'tariff_json',
    'is_test',
  ]),
};

const RING: WriteStatement = {
  name: 'call-ring',
  // In whichever order the two are written, an answered call does not ring.
  rank: 2,
  sql: `UPDATE calls SET status = 'ringing'
    FROM json_each(?1) AS w
    WHERE calls.id = w.value ->> 0 AND calls.status = 'initiated' AND ended_at_ms IS NULL
    RETURNING calls.id AS id`,
};

const ANSWER: WriteStatement = {
  name: 'call-answer',
  rank: 2,
  sql: `UPDATE calls SET status = 'in-progress', answered_at_ms = w.value ->> 1
    FROM json_each(?1) AS w
    WHERE calls.id = w.value ->> 0 AND answered_at_ms IS NULL AND ended_at_ms IS NULL
    RETURNING calls.id AS id`,
};

const TURN: WriteStatement = {
  name: 'call-turn',
  rank: 3,
  sql: insertMany('turns', [
    'call_id',
    'turn_index',
    'id',
    'role',
    'text',
    'generated_text',
    'is_interrupted',
    'via',
    'started_at_ms',
    'ended_at_ms',
    'stamps_json',
  ]),
};

const END: WriteStatement = {
  name: 'call-end',
  rank: 4,
  sql: `UPDATE calls SET
      status = CASE WHEN answered_at_ms IS NULL THEN 'failed' ELSE 'completed' END,
      ended_at_ms = w.value ->> 1,
      end_reason = w.value ->> 2,
      sip_status = w.value ->> 3,
      report_json = w.value ->> 4,
      transfers_json = w.value ->> 5
    FROM json_each(?1) AS w
    WHERE calls.id = w.value ->> 0 AND ended_at_ms IS NULL
    RETURNING calls.id AS id`,
};

const FIND = 'SELECT * FROM calls WHERE id = ?1 AND workspace_id = ?2';
const TRANSCRIPT = `SELECT * FROM turns WHERE call_id = ?1 ORDER BY turn_index LIMIT ${TURNS_READ_MAX}`;

export interface CallRepositoryOptions {
  readonly writes: WriteQueue;
  readonly reader: Connection;
  readonly db: Knex;
  readonly instanceId: string;
}

export function createCallRepository(options: CallRepositoryOptions): CallRepository {
  const { writes, reader, db, instanceId } = options;
  return {
    async create(call, end) {
      const ending = end === undefined ? [] : [endWrite(call.id, end)];
      await writes.write(createWrite(call, instanceId), ...ending);
    },

    async markRinging(id) {
      const row = [id];
      const [isTaken = false] = await writes.write({ statement: RING, id, subject: id, row });
      return isTaken;
    },

    async markAnswered(id, answeredAtMs) {
      const row = [id, Math.round(answeredAtMs)];
      const [isTaken = false] = await writes.write({ statement: ANSWER, id, subject: id, row });
      return isTaken;
    },

    async appendTurn(id, turn) {
      await writes.write(turnWrite(id, turn));
    },

    async end(id, end, alongside = []) {
      const [isTaken = false] = await writes.write(endWrite(id, end), ...alongside);
      return isTaken;
    },

    async find(workspaceId, id) {
      const row = await reader.first(FIND, [id, workspaceId]);
      return row === null ? null : toCall(row);
    },

    async list(workspaceId, filter, limit, after) {
      const rows = await listQuery(db, workspaceId, filter, limit, after);
      return rows.map(toCall);
    },

    async transcript(id) {
      const rows = await reader.all(TRANSCRIPT, [id]);
      return rows.map(toTurn);
    },
  };
}

function listQuery(
  db: Knex,
  workspaceId: WorkspaceId,
  filter: CallFilter,
  limit: number,
  after?: CallCursor,
): Knex.QueryBuilder<SqlRow, SqlRow[]> {
  const query = db<SqlRow, SqlRow[]>('calls')
    .where({ workspace_id: workspaceId, is_test: Number(filter.isTest ?? false) })
    .orderBy([
      { column: 'started_at_ms', order: 'desc' },
      { column: 'id', order: 'desc' },
    ])
    .limit(limit);
  if (filter.agentId !== undefined) query.where('agent_id', filter.agentId);
  if (filter.status !== undefined) query.where('status', filter.status);
  if (filter.direction !== undefined) query.where('direction', filter.direction);
  if (filter.door !== undefined) query.where('door', filter.door);
  if (filter.fromNumber !== undefined) query.where('from_number', filter.fromNumber);
  if (filter.toNumber !== undefined) query.where('to_number', filter.toNumber);
  if (filter.endReason !== undefined) query.where('end_reason', filter.endReason);
  if (filter.startedFromMs !== undefined) query.where('started_at_ms', '>=', filter.startedFromMs);
  if (filter.startedBeforeMs !== undefined) {
    query.where('started_at_ms', '<', filter.startedBeforeMs);
  }
  if (after !== undefined) {
    query.whereRaw('(started_at_ms, id) < (?, ?)', [after.startedAtMs, after.id]);
  }
  return query;
}

function createWrite(call: NewCall, instanceId: string): Write {
  const row = [
    call.id,
    call.workspaceId,
    call.agentId,
    instanceId,
    call.direction,
    call.door,
    'initiated',
    cleanText(call.fromNumber),
    cleanText(call.toNumber),
    call.sipCallId === null ? null : cleanText(call.sipCallId),
    Math.round(call.startedAtMs),
    call.networkFacts ? cleanText(JSON.stringify(call.networkFacts)) : null,
    call.tariff === undefined || call.tariff === null ? null : JSON.stringify(call.tariff),
    Number(call.isTest ?? false),
  ];
  return { statement: CREATE, id: call.id, subject: call.id, row };
}

function turnWrite(callId: CallId, turn: TranscriptTurn): Write {
  const row = [
    callId,
    turn.index,
    turn.id,
    turn.role,
    cleanText(turn.text),
    turn.generatedText === null ? null : cleanText(turn.generatedText),
    turn.isInterrupted ? 1 : 0,
    turn.via,
    turn.startedAtMs,
    turn.endedAtMs,
    JSON.stringify(turn.stamps),
  ];
  return { statement: TURN, id: turn.id, subject: callId, row };
}

function endWrite(id: CallId, end: CallEnd): Write {
  const row = [
    id,
    Math.round(end.endedAtMs),
    end.reason,
    end.sipStatus,
    end.report === null ? null : JSON.stringify(end.report),
    end.transfers?.length ? JSON.stringify(end.transfers) : null,
  ];
  return { statement: END, id, subject: id, row };
}

function toCall(row: SqlRow): CallRecord {
  const agentId = nullableText(row, 'agent_id');
  return {
    id: asCallId(textOf(row, 'id')),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    agentId: agentId === null ? null : asAgentId(agentId),
    direction: textOf(row, 'direction') as CallRecord['direction'],
    door: textOf(row, 'door') as CallRecord['door'],
    status: textOf(row, 'status') as CallRecord['status'],
    fromNumber: textOf(row, 'from_number'),
    toNumber: textOf(row, 'to_number'),
    sipCallId: nullableText(row, 'sip_call_id'),
    startedAtMs: numberOf(row, 'started_at_ms'),
    answeredAtMs: nullableNumber(row, 'answered_at_ms'),
    endedAtMs: nullableNumber(row, 'ended_at_ms'),
    endReason: nullableText(row, 'end_reason') as EndReason | null,
    sipStatus: nullableNumber(row, 'sip_status'),
    report: reportOf(row),
    transfers:
      row.transfers_json === null ? [] : jsonOf<readonly TransferRecord[]>(row, 'transfers_json'),
    networkFacts:
      row.network_facts_json === null ? null : jsonOf<NetworkFacts>(row, 'network_facts_json'),
    ...(row.is_test === 1 ? { isTest: true } : {}),
  };
}

/** Reports of earlier versions have fewer figures. */
function reportOf(row: SqlRow): LegReport | null {
  if (row.report_json === null) return null;
  const later = { encryption: null, packetsUnauthenticated: 0, packetsReplayed: 0 };
  return { ...later, ...jsonOf<LegReport>(row, 'report_json') };
}

function toTurn(row: SqlRow): TranscriptTurn {
  return {
    id: asTurnId(textOf(row, 'id')),
    index: numberOf(row, 'turn_index'),
    role: textOf(row, 'role') as TranscriptTurn['role'],
    text: textOf(row, 'text'),
    generatedText: nullableText(row, 'generated_text'),
    isInterrupted: row.is_interrupted === 1,
    via: nullableText(row, 'via') as TranscriptTurn['via'],
    startedAtMs: numberOf(row, 'started_at_ms'),
    endedAtMs: numberOf(row, 'ended_at_ms'),
    stamps: jsonOf<TranscriptTurn['stamps']>(row, 'stamps_json'),
  };
}
