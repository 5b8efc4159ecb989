import { randomId, randomText } from '../lib/random-id.ts';
import type { SealedBox } from '../lib/sealed-box.ts';
import type { WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { insertMany, nullableNumber, numberOf, textOf } from './rows.ts';
import { storageError } from './storage-error.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** What events of a workspace are signed with. */
export interface WebhookSecret {
  readonly id: string;
  readonly secret: string;
  readonly createdAtMs: number;
  /** When one that was replaced ends by itself, null for the current one. */
  readonly expiresAtMs: number | null;
}

export interface WebhookSecretRepository {
  /** Those that are valid, the oldest first and the current one last; made when there is none. */
  valid(workspaceId: WorkspaceId, atMs: number): Promise<readonly WebhookSecret[]>;
  rotate(workspaceId: WorkspaceId, oldEndsAtMs: number, atMs: number): Promise<WebhookSecret>;
}

const END_CURRENT: WriteStatement = {
  name: 'webhook-secret-end',
  rank: 2,
  sql: `UPDATE webhook_secrets SET expires_at_ms = w.value ->> 1 FROM json_each(?1) AS w
    WHERE workspace_id = w.value ->> 0 AND expires_at_ms IS NULL RETURNING workspace_id AS id`,
};

const CREATE: WriteStatement = {
  name: 'webhook-secret-create',
  rank: 3,
  sql: insertMany(
    'webhook_secrets',
    ['id', 'workspace_id', 'sealed_secret', 'created_at_ms'],
    'ON CONFLICT DO NOTHING',
  ),
};

const VALID = `SELECT * FROM webhook_secrets
  WHERE workspace_id = ?1 AND (expires_at_ms IS NULL OR expires_at_ms > ?2)
  ORDER BY expires_at_ms IS NULL, expires_at_ms LIMIT 10`;

export function createWebhookSecretRepository(
  writes: WriteQueue,
  reader: Connection,
  box: () => SealedBox,
): WebhookSecretRepository {
  const find = async (workspaceId: WorkspaceId, atMs: number) => {
    const rows = await reader.all(VALID, [workspaceId, atMs]);
    return rows.map((row) => toSecret(row, box()));
  };
  const creation = (workspaceId: WorkspaceId, atMs: number) => {
    const id = randomId('whs');
    const sealed = box().seal(`whsec_${randomText(43)}`, id);
    return { statement: CREATE, id, subject: workspaceId, row: [id, workspaceId, sealed, atMs] };
  };

  return {
    async valid(workspaceId, atMs) {
      const known = await find(workspaceId, atMs);
      if (known.length > 0) return known;
      // Somebody else may be as fast: then this one is not taken, and theirs is read.
      await writes.write(creation(workspaceId, atMs));
      return find(workspaceId, atMs);
    },

    async rotate(workspaceId, oldEndsAtMs, atMs) {
      await writes.write(
        {
          statement: END_CURRENT,
          id: workspaceId,
          subject: workspaceId,
          row: [workspaceId, oldEndsAtMs],
        },
        creation(workspaceId, atMs),
      );
      const current = (await find(workspaceId, atMs)).at(-1);
      if (current === undefined) throw storageError('STORAGE_CONFLICT');
      return current;
    },
  };
}

function toSecret(row: SqlRow, box: SealedBox): WebhookSecret {
  const id = textOf(row, 'id');
  const secret = box.open(textOf(row, 'sealed_secret'), id);
  // Sealed with a key that is gone: only a rotation helps.
  if (secret === null) throw storageError('STORAGE_CORRUPT');
  return {
    id,
    secret,
    createdAtMs: numberOf(row, 'created_at_ms'),
    expiresAtMs: nullableNumber(row, 'expires_at_ms'),
  };
}
