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
