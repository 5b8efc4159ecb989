/**
 * What owners did with their keys: who, what, to what, when, from where, and whether it was done.
 * No bodies, and so no secrets.
 */
export const AUDIT = `
  CREATE TABLE audit_entries (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    key_prefix TEXT NOT NULL,
    operation TEXT NOT NULL,
    object_id TEXT,
    address TEXT NOT NULL,
    status INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX audit_by_workspace ON audit_entries (workspace_id, at_ms DESC, id DESC);
`;
