import type { Knex } from 'knex';
import type { AgentSnapshot } from '../model/agent.ts';
import { type AgentId, asAgentId, asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, insertMany, jsonOf, numberOf, textOf } from './rows.ts';
import type { Write, WriteQueue, WriteStatement } from './write-queue.ts';

/** What is stored of an agent: a snapshot but for the providers, which settings give. */
export type NewAgent = Omit<AgentSnapshot, 'stt' | 'llm' | 'tts'>;

export interface StoredAgent extends NewAgent {
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** What an owner may change; what is left out stays. */
export type AgentChange = Partial<Omit<NewAgent, 'id' | 'workspaceId'>>;

export interface AgentRepository {
  /** False when the id is taken. */
  create(agent: NewAgent, atMs: number): Promise<boolean>;
  /** The new agent, or null when the workspace has none of that id. */
  update(
    workspaceId: WorkspaceId,
    id: AgentId,
    change: AgentChange,
    atMs: number,
  ): Promise<StoredAgent | null>;
  find(workspaceId: WorkspaceId, id: AgentId): Promise<StoredAgent | null>;
  /** Whichever workspace it belongs to: for a call that was dialed by number or name. */
  findForCall(id: AgentId): Promise<StoredAgent | null>;
  /** Oldest first, at most `limit`. */
  list(
    workspaceId: WorkspaceId,
    limit: number,
    after?: AgentCursor,
  ): Promise<readonly StoredAgent[]>;
}

export interface AgentCursor {
  readonly createdAtMs: number;
  readonly id: string;
}

const COLUMNS = [
  'id',
  'workspace_id',
  'display_name',
  'is_enabled',
  'language',
  'system_prompt',
  'greeting_text',
  'voice',
  'phrasebook_json',
  'tools_json',
  'idle_json',
  'time_limit_seconds',
  'concurrent_calls_max',
  'created_at_ms',
  'updated_at_ms',
] as const;

const CREATE: WriteStatement = {
  name: 'agent-create',
  rank: 1,
  sql: insertMany('agents', COLUMNS, 'ON CONFLICT (id) DO NOTHING'),
};

const UPDATE: WriteStatement = {
  name: 'agent-update',
  rank: 2,
  // A change is merged when it is written, so two changes of different fields both stand.
  sql: `UPDATE agents SET ${COLUMNS.slice(2, -2)
    .map(
      (column) => `${column} = CASE WHEN json_type(w.value, '$[2].${column}') IS NULL
      THEN agents.${column} ELSE w.value ->> '$[2].${column}' END`,
    )
    .join(', ')}, updated_at_ms = w.value ->> 3
    FROM json_each(?1) AS w
    WHERE agents.id = w.value ->> 0 AND agents.workspace_id = w.value ->> 1
    RETURNING agents.id AS id`,
};

const FIND = 'SELECT * FROM agents WHERE id = ?1';

export interface AgentRepositoryOptions {
  readonly writes: WriteQueue;
  readonly reader: Connection;
  readonly db: Knex;
}

export function createAgentRepository(options: AgentRepositoryOptions): AgentRepository {
  const { writes, reader, db } = options;

  const findForCall = async (id: AgentId) => {
    const row = await reader.first(FIND, [id]);
    return row === null ? null : toAgent(row);
  };
  const find = async (workspaceId: WorkspaceId, id: AgentId) => {
    const agent = await findForCall(id);
    return agent?.workspaceId === workspaceId ? agent : null;
  };

  return {
    findForCall,
    find,

    async create(agent, atMs) {
      const columns = toColumns(agent);
      const row = COLUMNS.slice(2, -2).map((column) => columns[column] ?? null);
      const values = [agent.id, agent.workspaceId, ...row, atMs, atMs];
      const [isTaken = false] = await writes.write(writeOf(CREATE, agent.id, values));
      return isTaken;
    },

    async update(workspaceId, id, change, atMs) {
      const values = [id, workspaceId, toColumns(change), atMs];
      const [isTaken = false] = await writes.write(writeOf(UPDATE, id, values));
      return isTaken ? find(workspaceId, id) : null;
    },

    async list(workspaceId, limit, after) {
      const query = db<SqlRow, SqlRow[]>('agents')
        .where('workspace_id', workspaceId)
        .orderBy(['created_at_ms', 'id'])
        .limit(limit);
      if (after !== undefined) {
        query.whereRaw('(created_at_ms, id) > (?, ?)', [after.createdAtMs, after.id]);
      }
      const rows = await query;
      return rows.map(toAgent);
    },
  };
}

function writeOf(statement: WriteStatement, id: string, row: Write['row']): Write {
  return { statement, id, subject: id, row };
}

/** Columns of the fields that are given. */
function toColumns(agent: AgentChange): Record<string, string | number | null> {
  const columns: Record<string, string | number | null | undefined> = {
    display_name: agent.displayName === undefined ? undefined : cleanText(agent.displayName),
    is_enabled: agent.isEnabled === undefined ? undefined : Number(agent.isEnabled),
    language: agent.language,
    system_prompt: agent.systemPrompt === undefined ? undefined : cleanText(agent.systemPrompt),
    greeting_text: agent.greetingText === undefined ? undefined : cleanText(agent.greetingText),
    voice: agent.voice === undefined ? undefined : cleanText(agent.voice),
    phrasebook_json:
      agent.phrasebook === undefined || agent.phrasebook === null
        ? agent.phrasebook
        : JSON.stringify(agent.phrasebook),
    tools_json: agent.tools === undefined ? undefined : JSON.stringify(agent.tools),
    idle_json: agent.idle === undefined ? undefined : JSON.stringify(agent.idle),
    time_limit_seconds: agent.timeLimitSeconds,
    concurrent_calls_max: agent.concurrentCallsMax,
  };
  const given = Object.entries(columns).filter(
    (entry): entry is [string, string | number | null] => entry[1] !== undefined,
  );
  return Object.fromEntries(given);
}

function toAgent(row: SqlRow): StoredAgent {
  return {
    id: asAgentId(textOf(row, 'id')),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    displayName: textOf(row, 'display_name'),
    isEnabled: row.is_enabled === 1,
    language: textOf(row, 'language'),
    systemPrompt: textOf(row, 'system_prompt'),
    greetingText: textOf(row, 'greeting_text'),
    voice: textOf(row, 'voice'),
    phrasebook: row.phrasebook_json === null ? null : jsonOf(row, 'phrasebook_json'),
    tools: jsonOf(row, 'tools_json'),
    idle: jsonOf(row, 'idle_json'),
    timeLimitSeconds: numberOf(row, 'time_limit_seconds'),
    concurrentCallsMax: numberOf(row, 'concurrent_calls_max'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    updatedAtMs: numberOf(row, 'updated_at_ms'),
  };
}
