import { asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, insertMany, nullableText, numberOf, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** The tenant. The calls of a `demo` workspace are real and cost nothing. */
export interface Workspace {
  readonly id: WorkspaceId;
  readonly name: string;
  readonly type: WorkspaceType;
  /** Where events of its calls go, unless the agent has an address of its own. */
  readonly webhookUrl: string | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export type WorkspaceType = 'standard' | 'demo';

/** What is left out stays. */
export type WorkspaceChange = Partial<Pick<Workspace, 'name' | 'type' | 'webhookUrl'>>;

export interface WorkspaceCursor {
  readonly createdAtMs: number;
  readonly id: string;
}

export interface WorkspaceRepository {
  /** False when the id is taken. */
  create(workspace: Pick<Workspace, 'id' | 'name' | 'type'>, atMs: number): Promise<boolean>;
  find(id: WorkspaceId): Promise<Workspace | null>;
  /** Null when there is none of that id. */
  update(id: WorkspaceId, change: WorkspaceChange, atMs: number): Promise<Workspace | null>;
  /** Oldest first, at most `limit`. */
  list(limit: number, after?: WorkspaceCursor): Promise<readonly Workspace[]>;
}

const CREATE: WriteStatement = {
  name: 'workspace-create',
  rank: 0,
  sql: insertMany(
    'workspaces',
    ['id', 'name', 'type', 'created_at_ms', 'updated_at_ms'],
    'ON CONFLICT (id) DO NOTHING',
  ),
};

const UPDATE: WriteStatement = {
  name: 'workspace-update',
  rank: 1,
  sql: `UPDATE workspaces SET
      name = coalesce(w.value ->> 1, workspaces.name),
      type = coalesce(w.value ->> 2, workspaces.type),
      -- No address is a value too: it is given as an empty text.
      webhook_url = nullif(coalesce(w.value ->> 4, workspaces.webhook_url), ''),
      updated_at_ms = w.value ->> 3
    FROM json_each(?1) AS w WHERE workspaces.id = w.value ->> 0
    RETURNING workspaces.id AS id`,
};

const FIND = 'SELECT * FROM workspaces WHERE id = ?1';
const LIST = `SELECT * FROM workspaces WHERE (created_at_ms, id) > (?1, ?2)
  ORDER BY created_at_ms, id LIMIT ?3`;

export function createWorkspaceRepository(
  writes: WriteQueue,
  reader: Connection,
): WorkspaceRepository {
  const find = async (id: WorkspaceId) => {
    const row = await reader.first(FIND, [id]);
    return row === null ? null : toWorkspace(row);
  };

  return {
    find,

    async create({ id, name, type }, atMs) {
      const row = [id, cleanText(name), type, atMs, atMs];
      const [isTaken = false] = await writes.write({ statement: CREATE, id, subject: id, row });
      return isTaken;
    },

    async update(id, { name, type, webhookUrl }, atMs) {
      const url = webhookUrl === null ? '' : (webhookUrl ?? null);
      const row = [id, name === undefined ? null : cleanText(name), type ?? null, atMs, url];
      const [isTaken = false] = await writes.write({ statement: UPDATE, id, subject: id, row });
      return isTaken ? find(id) : null;
    },

    async list(limit, after) {
      const rows = await reader.all(LIST, [after?.createdAtMs ?? -1, after?.id ?? '', limit]);
      return rows.map(toWorkspace);
    },
  };
}

function toWorkspace(row: SqlRow): Workspace {
  return {
    id: asWorkspaceId(textOf(row, 'id')),
    name: textOf(row, 'name'),
    type: textOf(row, 'type') === 'demo' ? 'demo' : 'standard',
    webhookUrl: nullableText(row, 'webhook_url'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    updatedAtMs: numberOf(row, 'updated_at_ms'),
  };
}
