import {
  AGENT_DOORS,
  INSTANT_LINKS,
  KEY_EXPIRY,
  PUBLIC_ADMISSIONS,
  SECRETS,
  SHARED_KEYS,
  WEB_CALL_REDEMPTIONS,
  WORKSPACE_TYPES,
} from './access-migrations.ts';
import { AUDIT } from './audit-migrations.ts';
import { CAPS, LEDGER, TRANSFER_LEGS } from './billing-migrations.ts';
import { CALL_SEARCHES } from './call-migrations.ts';
import { PUBLIC_CHAT } from './chat-migrations.ts';
import type { Connection } from './connection.ts';
import { CLICK_TO_CALL, PHONE_NUMBERS, SIMULATOR, WEBHOOKS } from './door-migrations.ts';
import { storageError } from './storage-error.ts';
import { CALL_TRANSFERS } from './transfer-migrations.ts';

/**
 * The history of the tables. Append only: a migration that was released is never edited.
 * Version n is the n-th entry, kept in sqlite's own `user_version`.
 *
 * Times are Unix milliseconds. Columns that hold JSON end in `_json`.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('live', 'demo')),
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE agents (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    display_name TEXT NOT NULL,
    is_enabled INTEGER NOT NULL,
    language TEXT NOT NULL,
    system_prompt TEXT NOT NULL,
    greeting_text TEXT NOT NULL,
    voice TEXT NOT NULL,
    phrasebook_json TEXT,
    tools_json TEXT NOT NULL,
    idle_json TEXT NOT NULL,
    time_limit_seconds INTEGER NOT NULL,
    concurrent_calls_max INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX agents_by_workspace ON agents (workspace_id, created_at_ms, id);

  CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    label TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash TEXT NOT NULL,
    scopes_json TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX api_keys_by_prefix ON api_keys (prefix);

  -- A running daemon. Its live calls are its own until its lease runs out.
  CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    machine TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    heartbeat_at_ms INTEGER NOT NULL,
    stopped_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    agent_id TEXT,
    instance_id TEXT NOT NULL REFERENCES instances (id),
    direction TEXT NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    door TEXT NOT NULL,
    status TEXT NOT NULL
      CHECK (status IN ('initiated', 'ringing', 'in-progress', 'completed', 'failed')),
    from_number TEXT NOT NULL,
    to_number TEXT NOT NULL,
    sip_call_id TEXT,
    started_at_ms INTEGER NOT NULL,
    answered_at_ms INTEGER,
    ended_at_ms INTEGER,
    end_reason TEXT,
    sip_status INTEGER,
    report_json TEXT,
    CHECK ((ended_at_ms IS NULL) = (end_reason IS NULL))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX calls_by_workspace ON calls (workspace_id, started_at_ms DESC, id DESC);
  CREATE INDEX calls_live ON calls (instance_id) WHERE ended_at_ms IS NULL;

  CREATE TABLE turns (
    call_id TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    turn_index INTEGER NOT NULL,
    id TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'agent')),
    text TEXT NOT NULL,
    generated_text TEXT,
    is_interrupted INTEGER NOT NULL,
    via TEXT,
    started_at_ms REAL NOT NULL,
    ended_at_ms REAL NOT NULL,
    stamps_json TEXT NOT NULL,
    PRIMARY KEY (call_id, turn_index)
  ) STRICT, WITHOUT ROWID;

  -- One entry of a kind for a call: money cannot be counted twice.
  CREATE TABLE ledger_entries (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    call_id TEXT REFERENCES calls (id),
    kind TEXT NOT NULL,
    amount_micros INTEGER NOT NULL,
    list_price_micros INTEGER NOT NULL,
    currency TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (call_id, kind)
  ) STRICT, WITHOUT ROWID;
  `,
  WORKSPACE_TYPES,
  KEY_EXPIRY,
  AGENT_DOORS,
  SHARED_KEYS,
  SECRETS,
  WEB_CALL_REDEMPTIONS,
  INSTANT_LINKS,
  PUBLIC_ADMISSIONS,
  PUBLIC_CHAT,
  LEDGER,
  CLICK_TO_CALL,
  CALL_TRANSFERS,
  WEBHOOKS,
  SIMULATOR,
  PHONE_NUMBERS,
  CAPS,
  CALL_SEARCHES,
  AUDIT,
  TRANSFER_LEGS,
];

/** Brings the tables up to date. Safe when two processes start at once. */
export async function migrate(connection: Connection): Promise<void> {
  await connection.exec('BEGIN IMMEDIATE');
  try {
    const row = await connection.first('PRAGMA user_version');
    const version = Number(row?.user_version ?? 0);
    if (version > MIGRATIONS.length) throw storageError('STORAGE_NEWER');
    for (const sql of MIGRATIONS.slice(version)) await connection.exec(sql);
    await connection.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    await connection.exec('COMMIT');
  } catch (error) {
    await connection.exec('ROLLBACK').catch(() => {});
    throw error;
  }
}
