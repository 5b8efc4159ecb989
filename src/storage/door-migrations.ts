/** Tables of click-to-call, webhooks and telephone numbers. Each entry stands alone. */

/**
 * Credentials of an agent: a token that is looked up by its hash, and a secret that signs. Both
 * are sealed, since their owner may look at them again. The one without an end is the current one.
 */
export const CLICK_TO_CALL = `
  ALTER TABLE agents ADD COLUMN disable_signature_verification INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE agents ADD COLUMN one_call_at_a_time INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE agents ADD COLUMN strict_variables INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE agents ADD COLUMN calls_per_day_max INTEGER;
  ALTER TABLE agents ADD COLUMN allowed_prefixes_json TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE agents ADD COLUMN webhook_url TEXT;
  ALTER TABLE agents ADD COLUMN pre_call_announcement TEXT NOT NULL DEFAULT '';
  ALTER TABLE agents ADD COLUMN call_window_start TEXT;
  ALTER TABLE agents ADD COLUMN call_window_end TEXT;
  ALTER TABLE agents ADD COLUMN time_zone TEXT;

  CREATE TABLE click_to_call_credentials (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE,
    sealed_token TEXT NOT NULL,
    sealed_secret TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX click_to_call_current ON click_to_call_credentials (agent_id)
    WHERE expires_at_ms IS NULL;

  -- Who may call a number now. Held while its call lives; without one for a moment only.
  CREATE TABLE click_to_call_reservations (
    id TEXT PRIMARY KEY,
    call_id TEXT,
    reserved_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX calls_live_by_agent ON calls (agent_id, to_number) WHERE ended_at_ms IS NULL;

  -- Answers that are given again to the same idempotency key.
  CREATE TABLE click_to_call_requests (
    id TEXT PRIMARY KEY,
    body_hash TEXT NOT NULL,
    answer_json TEXT,
    created_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX click_to_call_requests_by_time ON click_to_call_requests (created_at_ms);
  CREATE TRIGGER click_to_call_requests_prune AFTER INSERT ON click_to_call_requests BEGIN
    DELETE FROM click_to_call_requests WHERE created_at_ms < NEW.created_at_ms - 86400000;
  END;
`;

/** Calls and credentials of those who only try: nothing of theirs goes out by SIP. */
export const SIMULATOR = `
  ALTER TABLE calls ADD COLUMN is_test INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE click_to_call_credentials ADD COLUMN is_test INTEGER NOT NULL DEFAULT 0;
  DROP INDEX click_to_call_current;
  CREATE UNIQUE INDEX click_to_call_current ON click_to_call_credentials (agent_id, is_test)
    WHERE expires_at_ms IS NULL;
`;

/**
 * Events on their way to owners' servers. One is sent when `next_attempt_at_ms` has come; whoever
 * sends it moves that time on first, so that a process which dies leaves it to be sent again.
 */
export const WEBHOOKS = `
  ALTER TABLE workspaces ADD COLUMN webhook_url TEXT;

  CREATE TABLE webhook_secrets (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    sealed_secret TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX webhook_secrets_current ON webhook_secrets (workspace_id)
    WHERE expires_at_ms IS NULL;

  CREATE TABLE webhook_deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    event_id TEXT NOT NULL,
    redelivery_of TEXT,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    agent_id TEXT,
    call_id TEXT,
    event_type TEXT NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at_ms INTEGER NOT NULL,
    response_code INTEGER,
    response_time_ms INTEGER,
    failure TEXT,
    created_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries (event_id)
    WHERE redelivery_of IS NULL;
  CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (workspace_id)
    WHERE status = 'pending';
  CREATE INDEX webhook_deliveries_of_call ON webhook_deliveries (call_id, url, seq)
    WHERE status = 'pending';
  CREATE INDEX webhook_deliveries_by_workspace
    ON webhook_deliveries (workspace_id, created_at_ms DESC, id DESC);
  CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at_ms)
    WHERE finished_at_ms IS NOT NULL;
`;

/** Numbers of trunks that were given to workspaces, each to one. */
export const PHONE_NUMBERS = `
  CREATE TABLE phone_numbers (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    e164 TEXT NOT NULL UNIQUE,
    friendly_name TEXT NOT NULL,
    agent_id TEXT REFERENCES agents (id) ON DELETE SET NULL,
    outbound_agent_id TEXT REFERENCES agents (id) ON DELETE SET NULL,
    trunk TEXT,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX phone_numbers_by_workspace ON phone_numbers (workspace_id, created_at_ms, id);
  CREATE INDEX phone_numbers_by_agent ON phone_numbers (agent_id);
  CREATE INDEX phone_numbers_by_outbound_agent ON phone_numbers (outbound_agent_id);
`;
