import { asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, insertMany, numberOf, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** The tenant. The calls of a `demo` workspace are real and cost nothing. */
export interface Workspace {
  readonly id: WorkspaceId;
  readonly name: string;
  readonly type: 'live' | 'demo';
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface WorkspaceRepository {
  /** False when the id is taken. */
  create(workspace: Pick<Workspace, 'id' | 'name' | 'type'>, atMs: number): Promise<boolean>;
  find(id: WorkspaceId): Promise<Workspace | null>;
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

export function createWorkspaceRepository(
  writes: WriteQueue,
  reader: Connection,
): WorkspaceRepository {
  return {
    async create({ id, name, type }, atMs) {
      const row = [id, cleanText(name), type, atMs, atMs];
      const [isTaken = false] = await writes.write({ statement: CREATE, id, subject: id, row });
      return isTaken;
    },

    async find(id) {
      const row = await reader.first('SELECT * FROM workspaces WHERE id = ?1', [id]);
      return row === null ? null : toWorkspace(row);
    },
  };
}

function toWorkspace(row: SqlRow): Workspace {
  return {
    id: asWorkspaceId(textOf(row, 'id')),
    name: textOf(row, 'name'),
    type: textOf(row, 'type') as Workspace['type'],
    createdAtMs: numberOf(row, 'created_at_ms'),
    updatedAtMs: numberOf(row, 'updated_at_ms'),
  };
}
