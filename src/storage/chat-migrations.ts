/**
 * Public chat. A link's deletion is a mark, so that its history stays its owner's; deleting
 * an agent takes all of it. `visitor` is an e-mail address, or the id of an anonymous session.
 */
export const PUBLIC_CHAT = `
  CREATE TABLE public_links (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    token TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    is_enabled INTEGER NOT NULL,
    requires_email INTEGER NOT NULL,
    messages_per_minute INTEGER NOT NULL,
    messages_per_day INTEGER NOT NULL,
    welcome_message TEXT,
    expires_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    deleted_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX public_links_by_agent ON public_links (agent_id, created_at_ms, id)
    WHERE deleted_at_ms IS NULL;

  -- Agents as conversations began with them; the id is a hash of the content.
  CREATE TABLE chat_agents (
    id TEXT PRIMARY KEY,
    agent_json TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE chat_sessions (
    id TEXT PRIMARY KEY,
    link_id TEXT NOT NULL REFERENCES public_links (id) ON DELETE CASCADE,
    email TEXT,
    chat_agent_id TEXT NOT NULL REFERENCES chat_agents (id),
    started_at_ms INTEGER NOT NULL,
    active_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX chat_sessions_open ON chat_sessions (link_id, email)
    WHERE email IS NOT NULL AND ended_at_ms IS NULL;
  CREATE INDEX chat_sessions_by_agent ON chat_sessions (chat_agent_id);

  -- What a browser's cookie stands for; the id is a hash of the cookie.
  CREATE TABLE chat_grants (
    id TEXT PRIMARY KEY,
    link_id TEXT NOT NULL REFERENCES public_links (id) ON DELETE CASCADE,
    email TEXT,
    session_id TEXT REFERENCES chat_sessions (id) ON DELETE CASCADE,
    expires_at_ms INTEGER NOT NULL,
    CHECK ((email IS NULL) <> (session_id IS NULL))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX chat_grants_by_expiry ON chat_grants (expires_at_ms);

  -- A place is taken once: of two processes that add a message only one does.
  CREATE TABLE chat_messages (
    session_id TEXT NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    visitor TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'agent')),
    text TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (session_id, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX chat_messages_by_visitor ON chat_messages (link_id, visitor, created_at_ms)
    WHERE role = 'user';
  CREATE INDEX chat_messages_by_person ON chat_messages (agent_id, visitor, created_at_ms);

  CREATE TABLE chat_codes (
    id TEXT PRIMARY KEY,
    link_id TEXT NOT NULL REFERENCES public_links (id) ON DELETE CASCADE,
    code_hash TEXT NOT NULL,
    tries INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE chat_memories (
    id TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    text TEXT NOT NULL,
    user_messages INTEGER NOT NULL,
    claimed_messages INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (agent_id, email)
  ) STRICT, WITHOUT ROWID;
`;
