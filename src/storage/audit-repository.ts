import { randomId } from '../lib/random-id.ts';
import { asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, insertMany, nullableText, numberOf, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** One action of an owner. */
export interface AuditEntry {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly atMs: number;
  readonly keyId: string;
  readonly keyPrefix: string;
  /** Operation id of the API's description. */
  readonly operation: string;
  readonly objectId: string | null;
  /** Shortened. */
  readonly address: string;
  /** HTTP status that was answered. */
  readonly status: number;
}

export interface AuditFilter {
  readonly fromMs: number;
  readonly beforeMs: number;
  readonly operation?: string | undefined;
  readonly keyId?: string | undefined;
  readonly objectId?: string | undefined;
}

export interface AuditCursor {
  readonly atMs: number;
  readonly id: string;
}

export interface AuditRepository {
  append(entry: Omit<AuditEntry, 'id'>): Promise<void>;
  /** Newest first, at most `limit`. */
  list(
    workspaceId: WorkspaceId,
    filter: AuditFilter,
    limit: number,
    after?: AuditCursor,
  ): Promise<readonly AuditEntry[]>;
}

/** Older ones are forgotten, and of one workspace all beyond so many. */
export const AUDIT_DAYS = 400;
export const AUDIT_ENTRIES_MAX = 100_000;
const PRUNE_EVERY = 500;
const DAY_MS = 86_400_000;

const APPEND: WriteStatement = {
  name: 'audit-append',
  rank: 1,
  sql: insertMany('audit_entries', [
    'id',
    'workspace_id',
    'at_ms',
    'key_id',
    'key_prefix',
    'operation',
    'object_id',
    'address',
    'status',
  ]),
};

const PRUNE: WriteStatement = {
  name: 'audit-prune',
  rank: 2,
  sql: `DELETE FROM audit_entries WHERE id IN (
      SELECT old.id FROM json_each(?1) AS w CROSS JOIN audit_entries AS old
        ON old.workspace_id = w.value ->> 0
      WHERE old.at_ms < max(w.value ->> 1, coalesce((SELECT at_ms FROM audit_entries AS kept
        WHERE kept.workspace_id = w.value ->> 0 ORDER BY at_ms DESC, id DESC
        LIMIT 1 OFFSET (SELECT value ->> 2 FROM json_each(?1) LIMIT 1)), 0)))
    RETURNING id`,
};

const LIST = `SELECT * FROM audit_entries
  WHERE workspace_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 AND (at_ms, id) < (?4, ?5)
    AND (?6 IS NULL OR operation = ?6) AND (?7 IS NULL OR key_id = ?7)
    AND (?8 IS NULL OR object_id = ?8)
  ORDER BY at_ms DESC, id DESC LIMIT ?9`;

export interface AuditRepositoryOptions {
  readonly writes: WriteQueue;
  readonly reader: Connection;
  readonly entriesMax?: number;
  /** Appends between two looks for what is to be forgotten. */
  readonly pruneEvery?: number;
}

export function createAuditRepository({
  writes,
  reader,
  entriesMax = AUDIT_ENTRIES_MAX,
  pruneEvery = PRUNE_EVERY,
}: AuditRepositoryOptions): AuditRepository {
  let appended = 0;
  return {
    async append({ workspaceId, atMs, keyId, keyPrefix, operation, objectId, address, status }) {
      const id = randomId('aud');
      const object = objectId === null ? null : cleanText(objectId);
      const row = [id, workspaceId, atMs, keyId, keyPrefix, operation, object, address, status];
      const write = { statement: APPEND, id, subject: workspaceId, row };
      const isTime = appended % pruneEvery === 0;
      appended += 1;
      const keep = [workspaceId, atMs - AUDIT_DAYS * DAY_MS, entriesMax - 1];
      const prune = { statement: PRUNE, id, subject: workspaceId, row: keep };
      await writes.write(...(isTime ? [write, prune] : [write]));
    },

    async list(workspaceId, filter, limit, after) {
      const { fromMs, beforeMs, operation = null, keyId = null, objectId = null } = filter;
      // Said as a bound of the index too, so that a later page does not walk over earlier ones.
      const { atMs: lastMs, id } = after ?? { atMs: beforeMs, id: '' };
      const place = [fromMs, Math.min(beforeMs, lastMs + 1), lastMs, id];
      const values = [workspaceId, ...place, operation, keyId, objectId, limit];
      const rows = await reader.all(LIST, values);
      return rows.map(toEntry);
    },
  };
}

function toEntry(row: SqlRow): AuditEntry {
  return {
    id: textOf(row, 'id'),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    atMs: numberOf(row, 'at_ms'),
    keyId: textOf(row, 'key_id'),
    keyPrefix: textOf(row, 'key_prefix'),
    operation: textOf(row, 'operation'),
    objectId: nullableText(row, 'object_id'),
    address: textOf(row, 'address'),
    status: numberOf(row, 'status'),
  };
}
