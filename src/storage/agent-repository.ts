import type { Knex } from 'knex';
import type { AgentSnapshot, CallWindow } from '../model/agent.ts';
import { type AgentId, asAgentId, asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { LlmSettings } from '../model/provider.ts';
import type { Connection, SqlRow } from './connection.ts';
import {
  cleanText,
  insertMany,
  jsonOf,
  nullableNumber,
  nullableText,
  numberOf,
  textOf,
} from './rows.ts';
import type { Write, WriteQueue, WriteStatement } from './write-queue.ts';

/** What a call does not see of an agent. */
export interface AgentOwnersSide {
  readonly type: 'standard' | 'click_to_call';
  /** Anyone with its address may call it from a browser. */
  readonly isShareable: boolean;
  /** What it was made from, for its owner to know. */
  readonly templateId: string | null;
  /** Null: as the settings say. */
  readonly aiProvider: LlmSettings['provider'] | null;
  /** Null: as the settings say. */
  readonly aiModel: string | null;
  readonly clickToCall: ClickToCallRules;
  /** Where events of its calls go; null: to its workspace's. */
  readonly webhookUrl: string | null;
}

/** What a backend may have the agent do by `POST /api/click-to-call`. */
export interface ClickToCallRules {
  /** For systems that cannot sign: then the token alone lets them in. */
  readonly isSignatureOff: boolean;
  /** Else only a second call to the same number is refused. */
  readonly isOneAtATime: boolean;
  /** Reserved names are refused instead of ignored. */
  readonly isStrict: boolean;
  /** Null: unlimited when signed, few when not. */
  readonly callsPerDayMax: number | null;
  /** Beginnings of numbers in E.164; none: whatever a trunk may call. */
  readonly allowedPrefixes: readonly string[];
}

export const CLICK_TO_CALL_RULES: ClickToCallRules = {
  isSignatureOff: false,
  isOneAtATime: false,
  isStrict: false,
  callsPerDayMax: null,
  allowedPrefixes: [],
};

type AgentCore = Omit<AgentSnapshot, 'stt' | 'llm' | 'tts'>;

/** What is stored of an agent: a snapshot but for the providers, which settings give. */
export type NewAgent = AgentCore & Partial<AgentOwnersSide>;

export interface StoredAgent extends AgentCore, AgentOwnersSide {
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** 1 for a new agent, one more with each change. */
  readonly revision: number;
}

/** What an owner may change; what is left out stays. */
export type AgentChange = Partial<
  Omit<NewAgent, 'id' | 'workspaceId' | 'templateId' | 'clickToCall'>
> & { readonly clickToCall?: Partial<ClickToCallRules> };

export interface AgentRepository {
  /** False when the id is taken. */
  create(agent: NewAgent, atMs: number): Promise<boolean>;
  /**
   * The new agent; null when the workspace has none of that id, or none of that revision when
   * one is given.
   */
  update(
    workspaceId: WorkspaceId,
    id: AgentId,
    change: AgentChange,
    atMs: number,
    revision?: number,
  ): Promise<StoredAgent | null>;
  /** False as `update` is null. Calls and their transcripts stay. */
  remove(workspaceId: WorkspaceId, id: AgentId, revision?: number): Promise<boolean>;
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
  'type',
  'is_shareable',
  'template_id',
  'ai_provider',
  'ai_model',
  'disable_signature_verification',
  'one_call_at_a_time',
  'strict_variables',
  'calls_per_day_max',
  'allowed_prefixes_json',
  'webhook_url',
  'pre_call_announcement',
  'call_window_start',
  'call_window_end',
  'time_zone',
  'transfer_targets_json',
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
    .join(', ')}, updated_at_ms = w.value ->> 3, revision = revision + 1
    FROM json_each(?1) AS w
    WHERE agents.id = w.value ->> 0 AND agents.workspace_id = w.value ->> 1
      AND agents.revision = coalesce(w.value ->> 4, agents.revision)
    RETURNING agents.id AS id`,
};

const REMOVE: WriteStatement = {
  name: 'agent-remove',
  rank: 3,
  sql: `DELETE FROM agents WHERE id IN (
      SELECT w.value ->> 0 FROM json_each(?1) AS w JOIN agents AS a ON a.id = w.value ->> 0
      WHERE a.workspace_id = w.value ->> 1 AND a.revision = coalesce(w.value ->> 2, a.revision)
    ) RETURNING id`,
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
      const columns = toColumns({
        type: 'standard',
        isShareable: false,
        clickToCall: CLICK_TO_CALL_RULES,
        preCallAnnouncement: '',
        transferTargets: [],
        ...agent,
      });
      const row = COLUMNS.slice(2, -2).map((column) => columns[column] ?? null);
      const values = [agent.id, agent.workspaceId, ...row, atMs, atMs];
      const [isTaken = false] = await writes.write(writeOf(CREATE, agent.id, values));
      return isTaken;
    },

    async update(workspaceId, id, change, atMs, revision) {
      const values = [id, workspaceId, toColumns(change), atMs, revision ?? null];
      const [isTaken = false] = await writes.write(writeOf(UPDATE, id, values));
      return isTaken ? find(workspaceId, id) : null;
    },

    async remove(workspaceId, id, revision) {
      const values = [id, workspaceId, revision ?? null];
      const [isTaken = false] = await writes.write(writeOf(REMOVE, id, values));
      return isTaken;
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
function toColumns(agent: AgentChange & Pick<Partial<NewAgent>, 'templateId'>): Columns {
  const { clickToCall: rules = {}, callWindow } = agent;
  const columns: Record<string, string | number | null | undefined> = {
    display_name: agent.displayName === undefined ? undefined : cleanText(agent.displayName),
    is_enabled: flag(agent.isEnabled),
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
    type: agent.type,
    is_shareable: flag(agent.isShareable),
    template_id: agent.templateId,
    ai_provider: agent.aiProvider,
    ai_model: agent.aiModel,
    disable_signature_verification: flag(rules.isSignatureOff),
    one_call_at_a_time: flag(rules.isOneAtATime),
    strict_variables: flag(rules.isStrict),
    calls_per_day_max: rules.callsPerDayMax,
    allowed_prefixes_json:
      rules.allowedPrefixes === undefined ? undefined : JSON.stringify(rules.allowedPrefixes),
    webhook_url: agent.webhookUrl,
    pre_call_announcement:
      agent.preCallAnnouncement === undefined ? undefined : cleanText(agent.preCallAnnouncement),
    call_window_start: callWindow === null ? null : callWindow?.start,
    call_window_end: callWindow === null ? null : callWindow?.end,
    time_zone: agent.timeZone,
    transfer_targets_json:
      agent.transferTargets === undefined ? undefined : JSON.stringify(agent.transferTargets),
  };
  const given = Object.entries(columns).filter(
    (entry): entry is [string, string | number | null] => entry[1] !== undefined,
  );
  return Object.fromEntries(given);
}

type Columns = Record<string, string | number | null>;

function flag(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
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
    type: textOf(row, 'type') === 'click_to_call' ? 'click_to_call' : 'standard',
    isShareable: row.is_shareable === 1,
    templateId: nullableText(row, 'template_id'),
    aiProvider: providerOf(nullableText(row, 'ai_provider')),
    aiModel: nullableText(row, 'ai_model'),
    clickToCall: {
      isSignatureOff: row.disable_signature_verification === 1,
      isOneAtATime: row.one_call_at_a_time === 1,
      isStrict: row.strict_variables === 1,
      callsPerDayMax: nullableNumber(row, 'calls_per_day_max'),
      allowedPrefixes: jsonOf(row, 'allowed_prefixes_json'),
    },
    webhookUrl: nullableText(row, 'webhook_url'),
    preCallAnnouncement: textOf(row, 'pre_call_announcement'),
    callWindow: callWindowOf(row),
    timeZone: nullableText(row, 'time_zone'),
    transferTargets: jsonOf(row, 'transfer_targets_json'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    updatedAtMs: numberOf(row, 'updated_at_ms'),
    revision: numberOf(row, 'revision'),
  };
}

function callWindowOf(row: SqlRow): CallWindow | null {
  const [start, end] = [
    nullableText(row, 'call_window_start'),
    nullableText(row, 'call_window_end'),
  ];
  return start === null || end === null ? null : { start, end };
}

function providerOf(text: string | null): AgentOwnersSide['aiProvider'] {
  return text === 'openai' || text === 'phrasebook' ? text : null;
}
