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
