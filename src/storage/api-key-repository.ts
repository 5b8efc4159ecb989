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
  /** `pk_test_…`: its calls are simulated, and it sees no others. */
  readonly isTest: boolean;
  /** The part that is shown in lists. */
  readonly prefix: string;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
  /** When a key that was replaced ends by itself, null for one that does not. */
  readonly expiresAtMs: number | null;
}

export interface NewApiKey {
  readonly workspaceId: WorkspaceId;
  readonly label: string;
  readonly scopes: readonly Scope[];
}

export interface ApiKeyRepository {
  /** Stores the hash of `key`; the key itself is nowhere afterwards. */
  create(key: string, owner: NewApiKey, atMs: number): Promise<ApiKey>;
  /**
   * Stores a successor with the same owner, label and scopes; the old key ends at
   * `oldEndsAtMs`, or sooner when it would have. Null when the old one has ended already.
   */
  rotate(old: ApiKey, newKey: string, oldEndsAtMs: number, atMs: number): Promise<ApiKey | null>;
  /** The key's record, null for one that is unknown, revoked or expired. */
  verify(key: string): Promise<ApiKey | null>;
  /** Effective here at once, in other processes within `VERIFIED_FOR_MS`. */
  revoke(workspaceId: WorkspaceId, id: string, atMs: number): Promise<boolean>;
  /** Null for one that has ended, and for one of another workspace. */
  findActive(workspaceId: WorkspaceId, id: string): Promise<ApiKey | null>;
  /** All that are neither revoked nor expired, at most `API_KEYS_MAX`. */
  listActive(workspaceId: WorkspaceId): Promise<readonly ApiKey[]>;
}

/** Keys of a workspace that are valid at once. */
export const API_KEYS_MAX = 1000;
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

/** The successor is written only when the key that it replaces was still valid. */
const SUCCEED: WriteStatement = {
  name: 'api-key-succeed',
  rank: 3,
  sql: `INSERT INTO api_keys (id, workspace_id, label, prefix, hash, scopes_json, created_at_ms)
    SELECT w.value ->> 0, old.workspace_id, old.label, w.value ->> 2, w.value ->> 3,
      old.scopes_json, w.value ->> 4
    FROM json_each(?1) AS w JOIN api_keys AS old ON old.id = w.value ->> 1
    WHERE old.revoked_at_ms IS NULL
      AND (old.expires_at_ms IS NULL OR old.expires_at_ms > w.value ->> 4)
    RETURNING id`,
};

const EXPIRE: WriteStatement = {
  name: 'api-key-expire',
  rank: 4,
  sql: `UPDATE api_keys SET expires_at_ms = min(w.value ->> 1, coalesce(expires_at_ms, w.value ->> 1))
    FROM json_each(?1) AS w WHERE api_keys.id = w.value ->> 0 AND revoked_at_ms IS NULL
    RETURNING api_keys.id AS id`,
};

const IS_ACTIVE = 'revoked_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > ?2)';
const BY_PREFIX = `SELECT * FROM api_keys WHERE prefix = ?1 AND ${IS_ACTIVE} LIMIT 10`;
const ACTIVE = `SELECT * FROM api_keys WHERE workspace_id = ?1 AND ${IS_ACTIVE}
  ORDER BY created_at_ms, id LIMIT ${API_KEYS_MAX}`;
const ONE_ACTIVE = `SELECT * FROM api_keys WHERE id = ?1 AND ${IS_ACTIVE}`;

/** @param nowMs Unix time */
export function createApiKeyRepository(
  writes: WriteQueue,
  reader: Connection,
  nowMs: () => number = Date.now,
): ApiKeyRepository {
  /** Keys verified a moment ago, by hash, so that a busy client costs no read per request. */
  const verified = new Map<string, { readonly key: ApiKey; readonly untilMs: number }>();

  const remember = (hash: string, key: ApiKey) => {
    const [oldest] = verified.keys();
    if (verified.size >= VERIFIED_MAX && oldest !== undefined) verified.delete(oldest);
    verified.set(hash, { key, untilMs: performance.now() + VERIFIED_FOR_MS });
  };
  const hasExpired = ({ expiresAtMs }: ApiKey) => expiresAtMs !== null && expiresAtMs <= nowMs();
  const forget = (id: string) => {
    for (const [hash, { key }] of verified) if (key.id === id) verified.delete(hash);
  };

  return {
    async create(key, { workspaceId, label, scopes }, atMs) {
      const id = randomId('key');
      const prefix = key.slice(0, PREFIX_LENGTH);
      const values = [workspaceId, cleanText(label), prefix, hashOf(key), JSON.stringify(scopes)];
      const row = [id, ...values, atMs];
      await writes.write({ statement: CREATE, id, subject: id, row });
      const ends = { revokedAtMs: null, expiresAtMs: null };
      const isTest = isTestKey(prefix);
      return { id, workspaceId, label, isTest, prefix, scopes, createdAtMs: atMs, ...ends };
    },

    async rotate(old, newKey, oldEndsAtMs, atMs) {
      const id = randomId('key');
      const prefix = newKey.slice(0, PREFIX_LENGTH);
      const row = [id, old.id, prefix, hashOf(newKey), atMs];
      const [isTaken = false] = await writes.write(
        { statement: SUCCEED, id, subject: old.id, row },
        { statement: EXPIRE, id: old.id, subject: old.id, row: [old.id, oldEndsAtMs] },
      );
      forget(old.id);
      return isTaken ? { ...old, id, prefix, createdAtMs: atMs, expiresAtMs: null } : null;
    },

    async verify(key) {
      const hash = hashOf(key);
      const known = verified.get(hash);
      if (known !== undefined && known.untilMs > performance.now() && !hasExpired(known.key)) {
        return known.key;
      }
      verified.delete(hash);
      const rows = await reader.all(BY_PREFIX, [key.slice(0, PREFIX_LENGTH), nowMs()]);
      const row = rows.find((candidate) => isSame(textOf(candidate, 'hash'), hash));
      if (row === undefined) return null;
      const found = toApiKey(row);
      remember(hash, found);
      return found;
    },

    async revoke(workspaceId, id, atMs) {
      const row = [id, workspaceId, atMs];
      const [isTaken = false] = await writes.write({ statement: REVOKE, id, subject: id, row });
      forget(id);
      return isTaken;
    },

    async findActive(workspaceId, id) {
      const row = await reader.first(ONE_ACTIVE, [id, nowMs()]);
      const key = row === null ? null : toApiKey(row);
      return key?.workspaceId === workspaceId ? key : null;
    },

    async listActive(workspaceId) {
      const rows = await reader.all(ACTIVE, [workspaceId, nowMs()]);
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

function isTestKey(prefix: string): boolean {
  return prefix.startsWith('pk_test_');
}

function toApiKey(row: SqlRow): ApiKey {
  return {
    id: textOf(row, 'id'),
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    label: textOf(row, 'label'),
    isTest: isTestKey(textOf(row, 'prefix')),
    prefix: textOf(row, 'prefix'),
    scopes: jsonOf(row, 'scopes_json'),
    createdAtMs: numberOf(row, 'created_at_ms'),
    revokedAtMs: nullableNumber(row, 'revoked_at_ms'),
    expiresAtMs: nullableNumber(row, 'expires_at_ms'),
  };
}
