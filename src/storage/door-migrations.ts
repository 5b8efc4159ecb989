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
