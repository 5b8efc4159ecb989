import { createHash, timingSafeEqual } from 'node:crypto';
import { randomId, randomText } from '../lib/random-id.ts';
import { asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, insertMany, jsonOf, nullableNumber, numberOf, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** What a key may do; `*` is everything. Others: `calls:read`, `calls:write`, `agents:read`, … */
export type Scope = '*' | `${string}:${'read' | 'write' | '*'}`;

export interface ApiKey {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly label: string;
  /** The part that is shown in lists. */
  readonly prefix: string;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
}

export interface NewApiKey {
  readonly workspaceId: WorkspaceId;
  readonly label: string;
  readonly scopes: readonly Scope[];
}

export interface ApiKeyRepository {
  /** Stores the hash of `key`; the key itself is nowhere afterwards. */
  create(key: string, owner: NewApiKey, atMs: number): Promise<ApiKey>;
  /** The key's record, null for one that is unknown or revoked. */
  verify(key: string): Promise<ApiKey | null>;
  /** Effective here at once, in other processes within `VERIFIED_FOR_MS`. */
  revoke(workspaceId: WorkspaceId, id: string, atMs: number): Promise<boolean>;
  /** All that are not revoked, at most 1000. */
  listActive(workspaceId: WorkspaceId): Promise<readonly ApiKey[]>;
}

const PREFIX_LENGTH = 14;
const VERIFIED_FOR_MS = 2000;
const VERIFIED_MAX = 1000;

/** A new key: 43 letters, 256 bits. */
export function newApiKey(kind: 'live' | 'test'): string {
  return `pk_${kind}_${randomText(43)}`;
}

const CREATE: WriteStatement = {
  name: 'api-key-create',
  rank: 1,
  sql: insertMany('api_keys', [
    'id',
    'workspace_id',
    'label',
    'prefix',
    'hash',
    'scopes_json',
    'created_at_ms',
  ]),
};

const REVOKE: WriteStatement = {
  name: 'api-key-revoke',
  rank: 2,
  sql: `UPDATE api_keys SET revoked_at_ms = w.value ->> 2 FROM json_each(?1) AS w
    WHERE api_keys.id = w.value ->> 0 AND workspace_id = w.value ->> 1 AND revoked_at_ms IS NULL
    RETURNING api_keys.id AS id`,
};

const BY_PREFIX = 'SELECT * FROM api_keys WHERE prefix = ?1 AND revoked_at_ms IS NULL LIMIT 10';
const ACTIVE = `SELECT * FROM api_keys WHERE workspace_id = ?1 AND revoked_at_ms IS NULL
  ORDER BY created_at_ms LIMIT 1000`;

/** @param nowMs any clock that does not go back */
export function createApiKeyRepository(
  writes: WriteQueue,
  reader: Connection,
  nowMs: () => number = () => performance.now(),
): ApiKeyRepository {
  /** Keys verified a moment ago, by hash, so that a busy client costs no read per request. */
  const verified = new Map<string, { readonly key: ApiKey; readonly untilMs: number }>();

  const remember = (hash: string, key: ApiKey) => {
    const [oldest] = verified.keys();
    if (verified.size >= VERIFIED_MAX && oldest !== undefined) verified.delete(oldest);
    verified.set(hash, { key, untilMs: nowMs() + VERIFIED_FOR_MS });
  };

  return {
    async create(key, { workspaceId, label, scopes }, atMs) {
      const id = randomId('key');
      const prefix = key.slice(0, PREFIX_LENGTH);
      const values = [workspaceId, cleanText(label), prefix, hashOf(key), JSON.stringify(scopes)];
      const row = [id, ...values, atMs];
      await writes.write({ statement: CREATE, id, subject: id, row });
      return { id, workspaceId, label, prefix, scopes, createdAtMs: atMs, revokedAtMs: null };
    },

    async verify(key) {
      const hash = hashOf(key);
      const known = verified.get(hash);
      if (known !== undefined && known.untilMs > nowMs()) return known.key;
      verified.delete(hash);
      const rows = await reader.all(BY_PREFIX, [key.slice(0, PREFIX_LENGTH)]);
      const row = rows.find((candidate) => isSame(textOf(candidate, 'hash'), hash));
      if (row === undefined) return null;
      const found = toApiKey(row);
      remember(hash, found);
      return found;
    },

    async revoke(workspaceId, id, atMs) {
      const row = [id, workspaceId, atMs];
      const [isTaken = false] = await writes.write({ statement: REVOKE, id, subject: id, row });
      for (const [hash, { key }] of verified) if (key.id === id) verified.delete(hash);
      return isTaken;
    },

    async listActive(workspaceId) {
      const rows = await reader.all(ACTIVE, [workspaceId]);
      return rows.map(toApiKey);
    },
  };
}

/** Keys are long and random, so one fast hash is as good as a slow one. */
function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function toApiKey(row: SqlRow): ApiKey {
  return {
    id: textOf(row, 'id'),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    label: textOf(row, 'label'),
    prefix: textOf(row, 'prefix'),
    scopes: jsonOf(row, 'scopes_json'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    revokedAtMs: nullableNumber(row, 'revoked_at_ms'),
  };
}
