import { createHash } from 'node:crypto';
import { randomId, randomText } from '../lib/random-id.ts';
import { type AgentId, asAgentId, asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { insertMany, nullableNumber, numberOf, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** Lets whoever holds it call one agent from a browser, and nothing else. */
export interface SharedKey {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId;
  /** The part that is shown in lists. */
  readonly prefix: string;
  readonly createdAtMs: number;
  /** When a key that was replaced ends by itself, null for one that does not. */
  readonly expiresAtMs: number | null;
}

export interface SharedKeyRepository {
  /** Stores the hash of `key`; the key itself is nowhere afterwards. */
  create(workspaceId: WorkspaceId, agentId: AgentId, key: string, atMs: number): Promise<SharedKey>;
  /** A successor; the old key ends at `oldEndsAtMs`. Null when the old one has ended already. */
  rotate(old: SharedKey, key: string, oldEndsAtMs: number, atMs: number): Promise<SharedKey | null>;
  revoke(id: string, atMs: number): Promise<boolean>;
  /** Null for one that is unknown, of another agent, revoked or expired. */
  verify(agentId: AgentId, key: string, atMs: number): Promise<SharedKey | null>;
  /** Null for one that has ended. */
  findActive(id: string, atMs: number): Promise<SharedKey | null>;
  /** Oldest first. */
  listActive(
    workspaceId: WorkspaceId,
    agentId: AgentId,
    atMs: number,
  ): Promise<readonly SharedKey[]>;
}

/** Keys of an agent that are valid at once. */
export const SHARED_KEYS_MAX = 100;
const PREFIX_LENGTH = 9;

/** A new key: 43 letters, 256 bits. */
export function newSharedKey(): string {
  return `sk_${randomText(43)}`;
}

const COLUMNS = ['id', 'workspace_id', 'agent_id', 'prefix', 'hash', 'created_at_ms'];

const CREATE: WriteStatement = {
  name: 'shared-key-create',
  rank: 2,
  sql: insertMany('shared_keys', COLUMNS),
};

const SUCCEED: WriteStatement = {
  name: 'shared-key-succeed',
  rank: 3,
  sql: `INSERT INTO shared_keys (${COLUMNS.join(', ')})
    SELECT w.value ->> 0, old.workspace_id, old.agent_id, w.value ->> 2, w.value ->> 3, w.value ->> 4
    FROM json_each(?1) AS w JOIN shared_keys AS old ON old.id = w.value ->> 1
    WHERE old.revoked_at_ms IS NULL
      AND (old.expires_at_ms IS NULL OR old.expires_at_ms > w.value ->> 4)
    RETURNING id`,
};

const EXPIRE: WriteStatement = {
  name: 'shared-key-expire',
  rank: 4,
  sql: `UPDATE shared_keys
    SET expires_at_ms = min(w.value ->> 1, coalesce(expires_at_ms, w.value ->> 1))
    FROM json_each(?1) AS w WHERE shared_keys.id = w.value ->> 0
    RETURNING shared_keys.id AS id`,
};

const REVOKE: WriteStatement = {
  name: 'shared-key-revoke',
  rank: 5,
  sql: `UPDATE shared_keys SET revoked_at_ms = w.value ->> 1 FROM json_each(?1) AS w
    WHERE shared_keys.id = w.value ->> 0 AND revoked_at_ms IS NULL
    RETURNING shared_keys.id AS id`,
};

const IS_ACTIVE = 'revoked_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?2)';
const ONE = `SELECT * FROM shared_keys WHERE id = ?1 AND ${IS_ACTIVE}`;
// The hash of a random key tells nothing, so how fast it is compared tells nothing either.
const BY_HASH = `SELECT * FROM shared_keys WHERE agent_id = ?1 AND ${IS_ACTIVE} AND hash = ?3`;
const OF_AGENT = `SELECT * FROM shared_keys WHERE agent_id = ?1 AND ${IS_ACTIVE}
  AND workspace_id = ?3 ORDER BY created_at_ms, id LIMIT ${SHARED_KEYS_MAX}`;

export function createSharedKeyRepository(
  writes: WriteQueue,
  reader: Connection,
): SharedKeyRepository {
  return {
    async create(workspaceId, agentId, key, createdAtMs) {
      const id = randomId('shk');
      const prefix = key.slice(0, PREFIX_LENGTH);
      const row = [id, workspaceId, agentId, prefix, hashOf(key), createdAtMs];
      await writes.write({ statement: CREATE, id, subject: id, row });
      return { id, workspaceId, agentId, prefix, createdAtMs, expiresAtMs: null };
    },

    async rotate(old, key, oldEndsAtMs, atMs) {
      const id = randomId('shk');
      const prefix = key.slice(0, PREFIX_LENGTH);
      const row = [id, old.id, prefix, hashOf(key), atMs];
      const [isTaken = false] = await writes.write(
        { statement: SUCCEED, id, subject: old.id, row },
        { statement: EXPIRE, id: old.id, subject: old.id, row: [old.id, oldEndsAtMs] },
      );
      return isTaken ? { ...old, id, prefix, createdAtMs: atMs, expiresAtMs: null } : null;
    },

    async revoke(id, atMs) {
      const row = [id, atMs];
      const [isTaken = false] = await writes.write({ statement: REVOKE, id, subject: id, row });
      return isTaken;
    },

    async verify(agentId, key, atMs) {
      const row = await reader.first(BY_HASH, [agentId, atMs, hashOf(key)]);
      return row === null ? null : toSharedKey(row);
    },

    async findActive(id, atMs) {
      const row = await reader.first(ONE, [id, atMs]);
      return row === null ? null : toSharedKey(row);
    },

    async listActive(workspaceId, agentId, atMs) {
      const rows = await reader.all(OF_AGENT, [agentId, atMs, workspaceId]);
      return rows.map(toSharedKey);
    },
  };
}

/** Keys are long and random, so one fast hash is as good as a slow one. */
function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function toSharedKey(row: SqlRow): SharedKey {
  return {
    id: textOf(row, 'id'),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    agentId: asAgentId(textOf(row, 'agent_id')),
    prefix: textOf(row, 'prefix'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    expiresAtMs: nullableNumber(row, 'expires_at_ms'),
  };
}
