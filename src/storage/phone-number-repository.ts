import type { Knex } from 'knex';
import { randomId } from '../lib/random-id.ts';
import { type AgentId, asAgentId, asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, insertMany, nullableText, numberOf, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** A telephone number that the operator has given to a workspace. */
export interface PhoneNumber {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  /** With `+`. */
  readonly e164: string;
  readonly friendlyName: string;
  /** Who answers it; null: nobody. */
  readonly agentId: AgentId | null;
  /** Who calls with it; null: nobody by itself. */
  readonly outboundAgentId: AgentId | null;
  /** By which trunk it comes and goes; null: by any. */
  readonly trunk: string | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export type NewPhoneNumber = Omit<PhoneNumber, 'id' | 'createdAtMs' | 'updatedAtMs'>;

/** What is left out stays. */
export type PhoneNumberChange = Partial<
  Pick<PhoneNumber, 'friendlyName' | 'agentId' | 'outboundAgentId'>
>;

export interface PhoneNumberCursor {
  readonly createdAtMs: number;
  readonly id: string;
}

export interface PhoneNumberRepository {
  /** Null when the number is somebody's already. */
  create(number: NewPhoneNumber, atMs: number): Promise<PhoneNumber | null>;
  find(workspaceId: WorkspaceId, id: string): Promise<PhoneNumber | null>;
  findByE164(e164: string): Promise<PhoneNumber | null>;
  /** The oldest that an agent calls with. */
  findOutbound(workspaceId: WorkspaceId, agentId: AgentId): Promise<PhoneNumber | null>;
  update(
    workspaceId: WorkspaceId,
    id: string,
    change: PhoneNumberChange,
    atMs: number,
  ): Promise<PhoneNumber | null>;
  /** Whosever it is: the operator takes it back. */
  remove(id: string): Promise<boolean>;
  /** Oldest first; null lists those of all workspaces. */
  list(
    workspaceId: WorkspaceId | null,
    limit: number,
    after?: PhoneNumberCursor,
  ): Promise<readonly PhoneNumber[]>;
}

const COLUMNS = [
  'id',
  'workspace_id',
  'e164',
  'friendly_name',
  'agent_id',
  'outbound_agent_id',
  'trunk',
  'created_at_ms',
  'updated_at_ms',
];

const CREATE: WriteStatement = {
  name: 'phone-number-create',
  rank: 2,
  sql: insertMany('phone_numbers', COLUMNS, 'ON CONFLICT (e164) DO NOTHING'),
};

/** A field is given when it is there, be it null. */
const given = (column: string) => `${column} = CASE
    WHEN json_type(w.value, '$[3].${column}') IS NULL THEN phone_numbers.${column}
    ELSE w.value ->> '$[3].${column}' END`;

const UPDATE: WriteStatement = {
  name: 'phone-number-update',
  rank: 3,
  sql: `UPDATE phone_numbers SET ${['friendly_name', 'agent_id', 'outbound_agent_id'].map(given).join(', ')},
      updated_at_ms = w.value ->> 2
    FROM json_each(?1) AS w
    WHERE phone_numbers.id = w.value ->> 0 AND phone_numbers.workspace_id = w.value ->> 1
    RETURNING phone_numbers.id AS id`,
};

const REMOVE: WriteStatement = {
  name: 'phone-number-remove',
  rank: 4,
  sql: `DELETE FROM phone_numbers WHERE id IN (SELECT value ->> 0 FROM json_each(?1))
    RETURNING id`,
};

const ONE = 'SELECT * FROM phone_numbers WHERE id = ?1 AND workspace_id = ?2';
const BY_E164 = 'SELECT * FROM phone_numbers WHERE e164 = ?1';
const OUTBOUND = `SELECT * FROM phone_numbers WHERE outbound_agent_id = ?1 AND workspace_id = ?2
  ORDER BY created_at_ms, id LIMIT 1`;

export interface PhoneNumberRepositoryOptions {
  readonly writes: WriteQueue;
  readonly reader: Connection;
  readonly db: Knex;
}

export function createPhoneNumberRepository(
  options: PhoneNumberRepositoryOptions,
): PhoneNumberRepository {
  const { writes, reader, db } = options;
  const first = async (sql: string, values: readonly string[]) => {
    const row = await reader.first(sql, [...values]);
    return row === null ? null : toPhoneNumber(row);
  };

  return {
    async create(number, atMs) {
      const id = randomId('num');
      const { workspaceId, e164, friendlyName, agentId, outboundAgentId, trunk } = number;
      const about = [e164, cleanText(friendlyName), agentId, outboundAgentId, trunk];
      const row = [id, workspaceId, ...about, atMs, atMs];
      const [isTaken = false] = await writes.write({ statement: CREATE, id, subject: id, row });
      return isTaken ? first(ONE, [id, workspaceId]) : null;
    },

    find: (workspaceId, id) => first(ONE, [id, workspaceId]),
    findByE164: (e164) => first(BY_E164, [e164]),
    findOutbound: (workspaceId, agentId) => first(OUTBOUND, [agentId, workspaceId]),

    async update(workspaceId, id, { friendlyName, agentId, outboundAgentId }, atMs) {
      const columns = {
        ...(friendlyName === undefined ? {} : { friendly_name: cleanText(friendlyName) }),
        ...(agentId === undefined ? {} : { agent_id: agentId }),
        ...(outboundAgentId === undefined ? {} : { outbound_agent_id: outboundAgentId }),
      };
      const row = [id, workspaceId, atMs, columns];
      const [isTaken = false] = await writes.write({ statement: UPDATE, id, subject: id, row });
      return isTaken ? first(ONE, [id, workspaceId]) : null;
    },

    async remove(id) {
      const [isTaken = false] = await writes.write({
        statement: REMOVE,
        id,
        subject: id,
        row: [id],
      });
      return isTaken;
    },

    async list(workspaceId, limit, after) {
      const query = db<SqlRow, SqlRow[]>('phone_numbers')
        .orderBy(['created_at_ms', 'id'])
        .limit(limit);
      if (workspaceId !== null) query.where('workspace_id', workspaceId);
      if (after !== undefined) {
        query.whereRaw('(created_at_ms, id) > (?, ?)', [after.createdAtMs, after.id]);
      }
      const rows = await query;
      return rows.map(toPhoneNumber);
    },
  };
}

function toPhoneNumber(row: SqlRow): PhoneNumber {
  const agentId = nullableText(row, 'agent_id');
  const outboundAgentId = nullableText(row, 'outbound_agent_id');
  return {
    id: textOf(row, 'id'),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    e164: textOf(row, 'e164'),
    friendlyName: textOf(row, 'friendly_name'),
    agentId: agentId === null ? null : asAgentId(agentId),
    outboundAgentId: outboundAgentId === null ? null : asAgentId(outboundAgentId),
    trunk: nullableText(row, 'trunk'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    updatedAtMs: numberOf(row, 'updated_at_ms'),
  };
}
