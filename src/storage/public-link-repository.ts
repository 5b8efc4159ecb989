import { type AgentId, asAgentId, asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, nullableNumber, nullableText, numberOf, textOf } from './rows.ts';
import type { Write, WriteQueue, WriteStatement } from './write-queue.ts';

/** An address under which anyone may chat with an agent. */
export interface PublicLink {
  /** `lnk_…`. */
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId;
  /** The part of the address that nobody can guess. */
  readonly token: string;
  readonly name: string;
  readonly isEnabled: boolean;
  readonly requiresEmail: boolean;
  /** Of one person: a verified address, else one anonymous session. */
  readonly messagesPerMinute: number;
  readonly messagesPerDay: number;
  /** Null: the agent's own greeting. Empty: none. */
  readonly welcomeMessage: string | null;
  readonly expiresAtMs: number | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** What an owner may change, and the token by rotation; what is left out stays. */
export type PublicLinkChange = Partial<
  Omit<PublicLink, 'id' | 'workspaceId' | 'agentId' | 'createdAtMs' | 'updatedAtMs'>
>;

export interface PublicLinkUsage {
  readonly messages: number;
  readonly lastUsedAtMs: number | null;
}

/** Which agent of a workspace a link belongs to. */
export interface LinkOwner {
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId;
}

export interface PublicLinkRepository {
  /** False when the agent has `linksMax` already. */
  create(link: PublicLink, linksMax: number): Promise<boolean>;
  update(
    owner: LinkOwner,
    id: string,
    change: PublicLinkChange,
    atMs: number,
  ): Promise<PublicLink | null>;
  /** False when there is none; its history stays. */
  remove(owner: LinkOwner, id: string, atMs: number): Promise<boolean>;
  /** Oldest first. */
  list(owner: LinkOwner, limit: number): Promise<readonly PublicLink[]>;
  find(owner: LinkOwner, id: string): Promise<PublicLink | null>;
  findByToken(token: string): Promise<PublicLink | null>;
  /** By link id; links that nobody used are missing. */
  usage(agentId: AgentId): Promise<ReadonlyMap<string, PublicLinkUsage>>;
  /** The agent of this id, else those of this display name, at most two. */
  agentsNamed(workspaceId: WorkspaceId, nameOrId: string): Promise<readonly AgentId[]>;
}

const CREATE: WriteStatement = {
  name: 'public-link-create',
  rank: 2,
  sql: `INSERT INTO public_links (id, workspace_id, agent_id, token, name, is_enabled,
      requires_email, messages_per_minute, messages_per_day, welcome_message, expires_at_ms,
      created_at_ms, updated_at_ms)
    SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3, w.value ->> 4,
      w.value ->> 5, w.value ->> 6, w.value ->> 7, w.value ->> 8, w.value ->> 9, w.value ->> 10,
      w.value ->> 11, w.value ->> 12
    FROM json_each(?1) AS w
    WHERE (SELECT count(*) FROM public_links AS l
      WHERE l.agent_id = w.value ->> 2 AND l.deleted_at_ms IS NULL) < w.value ->> 13
    RETURNING id`,
};

const CHANGEABLE = [
  'token',
  'name',
  'is_enabled',
  'requires_email',
  'messages_per_minute',
  'messages_per_day',
  'welcome_message',
  'expires_at_ms',
];

const UPDATE: WriteStatement = {
  name: 'public-link-update',
  rank: 3,
  sql: `UPDATE public_links SET ${CHANGEABLE.map(
    (column) => `${column} = CASE WHEN json_type(w.value, '$[3].${column}') IS NULL
      THEN public_links.${column} ELSE w.value ->> '$[3].${column}' END`,
  ).join(', ')}, updated_at_ms = w.value ->> 4
    FROM json_each(?1) AS w
    WHERE public_links.id = w.value ->> 0 AND workspace_id = w.value ->> 1
      AND agent_id = w.value ->> 2 AND deleted_at_ms IS NULL
    RETURNING public_links.id AS id`,
};

const REMOVE: WriteStatement = {
  name: 'public-link-remove',
  rank: 4,
  sql: `UPDATE public_links SET deleted_at_ms = w.value ->> 3 FROM json_each(?1) AS w
    WHERE public_links.id = w.value ->> 0 AND workspace_id = w.value ->> 1
      AND agent_id = w.value ->> 2 AND deleted_at_ms IS NULL
    RETURNING public_links.id AS id`,
};

const LIST = `SELECT * FROM public_links
  WHERE agent_id = ?1 AND workspace_id = ?2 AND deleted_at_ms IS NULL
  ORDER BY created_at_ms, id LIMIT ?3`;
const FIND = `SELECT * FROM public_links
  WHERE id = ?1 AND agent_id = ?2 AND workspace_id = ?3 AND deleted_at_ms IS NULL`;
const BY_TOKEN = 'SELECT * FROM public_links WHERE token = ?1 AND deleted_at_ms IS NULL';
const USAGE = `SELECT l.id AS id, count(*) AS messages, max(m.created_at_ms) AS last_at_ms
  FROM public_links AS l JOIN chat_messages AS m ON m.link_id = l.id AND m.role = 'user'
  WHERE l.agent_id = ?1 AND l.deleted_at_ms IS NULL GROUP BY l.id`;
const AGENTS_NAMED = `SELECT id FROM agents
  WHERE workspace_id = ?1 AND (id = ?2 OR display_name = ?2 COLLATE NOCASE)
  ORDER BY id = ?2 DESC, created_at_ms LIMIT 2`;

export function createPublicLinkRepository(
  writes: WriteQueue,
  reader: Connection,
): PublicLinkRepository {
  const find = async ({ workspaceId, agentId }: LinkOwner, id: string) => {
    const row = await reader.first(FIND, [id, agentId, workspaceId]);
    return row === null ? null : toLink(row);
  };
  const write = async (statement: WriteStatement, id: string, row: Write['row']) => {
    const [isTaken = false] = await writes.write({ statement, id, subject: id, row });
    return isTaken;
  };

  return {
    find,

    create(link, linksMax) {
      const { id, workspaceId, agentId } = link;
      const columns = toColumns(link);
      const values = CHANGEABLE.map((column) => columns[column] ?? null);
      const times = [link.createdAtMs, link.updatedAtMs];
      return write(CREATE, id, [id, workspaceId, agentId, ...values, ...times, linksMax]);
    },

    async update(owner, id, change, atMs) {
      const row = [id, owner.workspaceId, owner.agentId, toColumns(change), atMs];
      return (await write(UPDATE, id, row)) ? find(owner, id) : null;
    },

    remove: (owner, id, atMs) => write(REMOVE, id, [id, owner.workspaceId, owner.agentId, atMs]),

    async list({ workspaceId, agentId }, limit) {
      return (await reader.all(LIST, [agentId, workspaceId, limit])).map(toLink);
    },

    async findByToken(token) {
      const row = await reader.first(BY_TOKEN, [token]);
      return row === null ? null : toLink(row);
    },

    async usage(agentId) {
      const rows = await reader.all(USAGE, [agentId]);
      return new Map(rows.map((row) => [textOf(row, 'id'), toUsage(row)]));
    },

    async agentsNamed(workspaceId, nameOrId) {
      const rows = await reader.all(AGENTS_NAMED, [workspaceId, nameOrId]);
      const ids = rows.map((row) => asAgentId(textOf(row, 'id')));
      return ids[0] === nameOrId ? ids.slice(0, 1) : ids;
    },
  };
}

function toUsage(row: SqlRow): PublicLinkUsage {
  return { messages: numberOf(row, 'messages'), lastUsedAtMs: nullableNumber(row, 'last_at_ms') };
}

/** Columns of the fields that are given. */
function toColumns(link: PublicLinkChange): Record<string, string | number | null> {
  const { welcomeMessage: welcome } = link;
  const columns: Record<string, string | number | null | undefined> = {
    token: link.token,
    name: link.name === undefined ? undefined : cleanText(link.name),
    is_enabled: link.isEnabled === undefined ? undefined : Number(link.isEnabled),
    requires_email: link.requiresEmail === undefined ? undefined : Number(link.requiresEmail),
    messages_per_minute: link.messagesPerMinute,
    messages_per_day: link.messagesPerDay,
    welcome_message: typeof welcome === 'string' ? cleanText(welcome) : welcome,
    expires_at_ms: link.expiresAtMs,
  };
  const given = Object.entries(columns).filter(
    (entry): entry is [string, string | number | null] => entry[1] !== undefined,
  );
  return Object.fromEntries(given);
}

function toLink(row: SqlRow): PublicLink {
  return {
    id: textOf(row, 'id'),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    agentId: asAgentId(textOf(row, 'agent_id')),
    token: textOf(row, 'token'),
    name: textOf(row, 'name'),
    isEnabled: row.is_enabled === 1,
    requiresEmail: row.requires_email === 1,
    messagesPerMinute: numberOf(row, 'messages_per_minute'),
    messagesPerDay: numberOf(row, 'messages_per_day'),
    welcomeMessage: nullableText(row, 'welcome_message'),
    expiresAtMs: nullableNumber(row, 'expires_at_ms'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    updatedAtMs: numberOf(row, 'updated_at_ms'),
  };
}
