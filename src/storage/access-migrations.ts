/** Tables of keys, links and whoever else may reach an agent. Each entry stands alone. */

/** `live` was a word for keys; the calls of a `standard` workspace are billed. */
export const WORKSPACE_TYPES = `
  ALTER TABLE workspaces ADD COLUMN kind TEXT NOT NULL DEFAULT 'standard'
    CHECK (kind IN ('standard', 'demo'));
  UPDATE workspaces SET kind = 'demo' WHERE type = 'demo';
  ALTER TABLE workspaces DROP COLUMN type;
  ALTER TABLE workspaces RENAME COLUMN kind TO type;
`;

/** A key that was replaced stays valid until then. */
export const KEY_EXPIRY = `
  ALTER TABLE api_keys ADD COLUMN expires_at_ms INTEGER;
  CREATE INDEX api_keys_by_workspace ON api_keys (workspace_id, created_at_ms);
`;

/** Who may reach an agent and how, what it was made from, and which language model it asks. */
export const AGENT_DOORS = `
  ALTER TABLE agents ADD COLUMN type TEXT NOT NULL DEFAULT 'standard'
    CHECK (type IN ('standard', 'click_to_call'));
  ALTER TABLE agents ADD COLUMN is_shareable INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE agents ADD COLUMN template_id TEXT;
  ALTER TABLE agents ADD COLUMN ai_provider TEXT;
  ALTER TABLE agents ADD COLUMN ai_model TEXT;
  ALTER TABLE agents ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
`;

/** Keys that let a public application call one agent. Only their hashes are kept. */
export const SHARED_KEYS = `
  CREATE TABLE shared_keys (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    prefix TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX shared_keys_by_agent ON shared_keys (agent_id, created_at_ms);
`;

/** Made once, shared by every process of this database. */
export const SECRETS = `
  CREATE TABLE secrets (
    id TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** Tokens that were used. One that has expired is refused without looking here. */
export const WEB_CALL_REDEMPTIONS = `
  CREATE TABLE web_call_redemptions (
    id TEXT PRIMARY KEY,
    expires_at_ms INTEGER NOT NULL,
    redeemed_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX web_call_redemptions_by_expiry ON web_call_redemptions (expires_at_ms);
  -- An hour of grace, should clocks of several machines differ.
  CREATE TRIGGER web_call_redemptions_prune AFTER INSERT ON web_call_redemptions BEGIN
    DELETE FROM web_call_redemptions WHERE expires_at_ms < NEW.redeemed_at_ms - 3600000;
  END;
`;

/** Links that carry their own prompt. What has become of one is computed when it is read. */
export const INSTANT_LINKS = `
  CREATE TABLE instant_links (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    token TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    expiry_preset TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    time_limit_minutes REAL NOT NULL,
    prompt TEXT NOT NULL,
    landing_page_title TEXT NOT NULL,
    landing_page_info TEXT NOT NULL,
    sessions_max INTEGER,
    sessions_used INTEGER NOT NULL DEFAULT 0,
    disabled_at_ms INTEGER,
    -- Place among the links that were made together.
    ordinal INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX instant_links_by_workspace
    ON instant_links (workspace_id, created_at_ms DESC, ordinal, id);
`;

/**
 * Calls let in by a public door. A place is held until `released_at_ms`; a day is charged with
 * those that connected or may still do so.
 */
export const PUBLIC_ADMISSIONS = `
  CREATE TABLE public_admissions (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    day TEXT NOT NULL,
    instance_id TEXT NOT NULL REFERENCES instances (id),
    admitted_at_ms INTEGER NOT NULL,
    connected_at_ms INTEGER,
    released_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX public_admissions_by_day ON public_admissions (subject, day);
  CREATE INDEX public_admissions_live ON public_admissions (subject)
    WHERE released_at_ms IS NULL;
`;
