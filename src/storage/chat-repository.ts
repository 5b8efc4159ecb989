import { createHash } from 'node:crypto';
import type { AgentId } from '../model/ids.ts';
import type { StoredAgent } from './agent-repository.ts';
import type { Connection, SqlRow } from './connection.ts';
import { cleanText, insertMany, jsonOf, nullableText, numberOf, textOf } from './rows.ts';
import type { Write, WriteQueue, WriteStatement } from './write-queue.ts';

/** One conversation. Of a verified address at most one per link is open. */
export interface ChatSession {
  /** `chat_…`. */
  readonly id: string;
  readonly linkId: string;
  /** Null: anonymous. */
  readonly email: string | null;
  /** The agent as it was when the conversation began. */
  readonly agent: StoredAgent;
  readonly activeAtMs: number;
}

/** What a cookie stands for: a verified address, or one anonymous session. */
export interface ChatGrant {
  readonly linkId: string;
  readonly email: string | null;
  readonly sessionId: string | null;
  readonly expiresAtMs: number;
}

export interface StoredMessage {
  /** `msg_…`. */
  readonly id: string;
  /** Place in the conversation, from 0. */
  readonly position: number;
  readonly role: 'user' | 'agent';
  readonly text: string;
  readonly createdAtMs: number;
}

/** Where a message belongs, beside its conversation. */
export interface MessagePlace {
  readonly sessionId: string;
  readonly linkId: string;
  readonly agentId: AgentId;
  /** Whose limits and memory it counts to. */
  readonly visitor: string;
}

/** A user's message stands only when fewer than so many of the visitor's came in the windows. */
export interface MessageLimits {
  readonly perMinute: number;
  readonly perDay: number;
  readonly minuteBeganAtMs: number;
  readonly dayBeganAtMs: number;
}

export interface NewSession {
  readonly id: string;
  readonly linkId: string;
  readonly email: string | null;
  readonly agent: StoredAgent;
  /** First turn of the agent; null: none. */
  readonly welcome: StoredMessage | null;
  /** Hash of an anonymous session's cookie, and how long it holds. */
  readonly grant: { readonly secret: string; readonly expiresAtMs: number } | null;
}

export interface ChatRepository {
  /** False when the address has an open conversation already. */
  begin(session: NewSession, atMs: number): Promise<boolean>;
  find(sessionId: string): Promise<ChatSession | null>;
  /** The open conversation of a verified address. */
  findOpen(linkId: string, email: string): Promise<ChatSession | null>;
  /** Takes the agent as it is now for what follows. */
  renewAgent(sessionId: string, agent: StoredAgent): Promise<void>;
  /** False when it had ended. */
  end(sessionId: string, atMs: number): Promise<boolean>;

  /** For a verified address. */
  grant(secret: string, grant: ChatGrant): Promise<void>;
  /** Null for a cookie that is unknown or has run out. */
  findGrant(secret: string, nowMs: number): Promise<ChatGrant | null>;
  /** Lets a cookie live on; the session's last use is now. */
  touch(secret: string, expiresAtMs: number): Promise<void>;

  /** False when the limits refuse it. Throws `STORAGE_CONFLICT` when its place is taken. */
  addUser(place: MessagePlace, message: StoredMessage, limits: MessageLimits): Promise<boolean>;
  /** The reply; with an address it counts one more message of this person. */
  addReply(place: MessagePlace, message: StoredMessage, email: string | null): Promise<void>;
  /** Takes back a message that got no reply. */
  removeMessage(sessionId: string, position: number): Promise<void>;
  /** The last `limit`, oldest first. */
  messages(sessionId: string, limit: number): Promise<readonly StoredMessage[]>;
  /** Of one person with one agent, over all conversations and links. */
  messagesOf(agentId: AgentId, visitor: string, limit: number): Promise<readonly StoredMessage[]>;
  /** Times of the visitor's own messages since then, newest first. */
  timesOf(
    linkId: string,
    visitor: string,
    sinceMs: number,
    limit: number,
  ): Promise<readonly number[]>;
  /** Forgets what has run out. */
  purge(nowMs: number): Promise<void>;
}

const ADD_AGENT: WriteStatement = {
  name: 'chat-agent-add',
  rank: 1,
  sql: insertMany('chat_agents', ['id', 'agent_json'], 'ON CONFLICT (id) DO NOTHING'),
};
const BEGIN: WriteStatement = {
  name: 'chat-session-begin',
  rank: 2,
  sql: insertMany(
    'chat_sessions',
    ['id', 'link_id', 'email', 'chat_agent_id', 'started_at_ms', 'active_at_ms'],
    'ON CONFLICT DO NOTHING',
  ),
};
const RENEW: WriteStatement = {
  name: 'chat-session-renew',
  rank: 3,
  sql: `UPDATE chat_sessions SET chat_agent_id = w.value ->> 1 FROM json_each(?1) AS w
    WHERE chat_sessions.id = w.value ->> 0 RETURNING chat_sessions.id AS id`,
};
const END: WriteStatement = {
  name: 'chat-session-end',
  rank: 8,
  sql: `UPDATE chat_sessions SET ended_at_ms = w.value ->> 1 FROM json_each(?1) AS w
    WHERE chat_sessions.id = w.value ->> 0 AND ended_at_ms IS NULL
    RETURNING chat_sessions.id AS id`,
};
const GRANT: WriteStatement = {
  name: 'chat-grant',
  rank: 4,
  // A session that was not begun, since another is open, is given to nobody.
  sql: `INSERT INTO chat_grants (id, link_id, email, session_id, expires_at_ms)
    SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3, w.value ->> 4
    FROM json_each(?1) AS w RETURNING id`,
};
const TOUCH: WriteStatement = {
  name: 'chat-grant-touch',
  rank: 5,
  sql: `UPDATE chat_grants SET expires_at_ms = w.value ->> 1 FROM json_each(?1) AS w
    WHERE chat_grants.id = w.value ->> 0 RETURNING chat_grants.id AS id`,
};
const MESSAGE_COLUMNS = `session_id, position, id, link_id, agent_id, visitor, role, text,
  created_at_ms`;
const MESSAGE_VALUES = `w.value ->> 0, w.value ->> 1, w.value ->> 2, w.value ->> 3, w.value ->> 4,
  w.value ->> 5, w.value ->> 6, w.value ->> 7, w.value ->> 8`;
const ADD: WriteStatement = {
  name: 'chat-message-add',
  rank: 4,
  // Only into a conversation that stands: one that was not begun takes no welcome either.
  sql: `INSERT INTO chat_messages (${MESSAGE_COLUMNS}) SELECT ${MESSAGE_VALUES}
    FROM json_each(?1) AS w WHERE EXISTS (SELECT 1 FROM chat_sessions WHERE id = w.value ->> 0)
    RETURNING id`,
};
const countSince = (index: number) => `(SELECT count(*) FROM chat_messages AS m
  WHERE m.link_id = w.value ->> 3 AND m.visitor = w.value ->> 5 AND m.role = 'user'
    AND m.created_at_ms > w.value ->> ${index})`;
const ADD_USER: WriteStatement = {
  name: 'chat-message-add-user',
  rank: 5,
  sql: `INSERT INTO chat_messages (${MESSAGE_COLUMNS}) SELECT ${MESSAGE_VALUES}
    FROM json_each(?1) AS w
    WHERE ${countSince(9)} < w.value ->> 10 AND ${countSince(11)} < w.value ->> 12
    RETURNING id`,
};
const ACTIVE: WriteStatement = {
  name: 'chat-session-active',
  rank: 6,
  sql: `UPDATE chat_sessions SET active_at_ms = w.value ->> 1 FROM json_each(?1) AS w
    WHERE chat_sessions.id = w.value ->> 0 RETURNING chat_sessions.id AS id`,
};
const COUNT: WriteStatement = {
  name: 'chat-memory-count',
  rank: 7,
  // Replies of one person in one batch are one row each; a row may come twice.
  sql: `INSERT INTO chat_memories (id, agent_id, email, text, user_messages, claimed_messages,
      updated_at_ms)
    SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, '', 1, 0, w.value ->> 3
    FROM json_each(?1) AS w WHERE true
    ON CONFLICT (id) DO UPDATE SET user_messages = user_messages + 1 RETURNING id`,
};
const REMOVE: WriteStatement = {
  name: 'chat-message-remove',
  rank: 6,
  sql: `DELETE FROM chat_messages WHERE (session_id, position) IN
    (SELECT value ->> 0, value ->> 1 FROM json_each(?1)) RETURNING id`,
};
const PURGE_GRANTS: WriteStatement = {
  name: 'chat-grants-purge',
  rank: 9,
  sql: `DELETE FROM chat_grants WHERE expires_at_ms <
    (SELECT max(value ->> 0) FROM json_each(?1)) RETURNING id`,
};
const PURGE_CODES: WriteStatement = {
  name: 'chat-codes-purge',
  rank: 9,
  sql: `DELETE FROM chat_codes WHERE expires_at_ms <
    (SELECT max(value ->> 0) FROM json_each(?1)) RETURNING id`,
};

const SESSION = `SELECT s.*, a.agent_json FROM chat_sessions AS s
  JOIN chat_agents AS a ON a.id = s.chat_agent_id`;
const FIND = `${SESSION} WHERE s.id = ?1 AND s.ended_at_ms IS NULL`;
const FIND_OPEN = `${SESSION} WHERE s.link_id = ?1 AND s.email = ?2 AND s.ended_at_ms IS NULL`;
const FIND_GRANT = 'SELECT * FROM chat_grants WHERE id = ?1 AND expires_at_ms > ?2';
const MESSAGES = `SELECT * FROM (SELECT * FROM chat_messages WHERE session_id = ?1
  ORDER BY position DESC LIMIT ?2) ORDER BY position`;
const OF_PERSON = `SELECT * FROM chat_messages WHERE agent_id = ?1 AND visitor = ?2
  ORDER BY created_at_ms DESC, position DESC LIMIT ?3`;
const TIMES = `SELECT created_at_ms FROM chat_messages
  WHERE link_id = ?1 AND visitor = ?2 AND role = 'user' AND created_at_ms > ?3
  ORDER BY created_at_ms DESC LIMIT ?4`;

/** Memory of one agent of one address. */
export function memoryIdOf(agentId: string, email: string): string {
  return hashOf(`${agentId}\n${email}`);
}

export function createChatRepository(writes: WriteQueue, reader: Connection): ChatRepository {
  return { ...sessionsOf(writes, reader), ...messagesOf(writes, reader) };
}

type MessageMethods =
  | 'addUser'
  | 'addReply'
  | 'removeMessage'
  | 'messages'
  | 'messagesOf'
  | 'timesOf';

function sessionsOf(writes: WriteQueue, reader: Connection): Omit<ChatRepository, MessageMethods> {
  const addAgent = (agent: StoredAgent, subject: string) => {
    const json = JSON.stringify(agent);
    const id = hashOf(json);
    return { id, write: { statement: ADD_AGENT, id, subject, row: [id, json] } satisfies Write };
  };
  const one = async (sql: string, values: readonly string[]) => {
    const row = await reader.first(sql, values);
    return row === null ? null : toSession(row);
  };

  return {
    async begin(session, atMs) {
      const { id, linkId, email, agent, welcome, grant } = session;
      const { id: agentId, write } = addAgent(agent, id);
      const row = [id, linkId, email, agentId, atMs, atMs];
      const all: Write[] = [write, { statement: BEGIN, id, subject: id, row }];
      if (grant !== null) {
        const given = { linkId, email: null, sessionId: id, expiresAtMs: grant.expiresAtMs };
        all.push(grantOf(grant.secret, given, id));
      }
      if (welcome !== null) {
        const place = { sessionId: id, linkId, agentId: agent.id, visitor: email ?? id };
        all.push({ statement: ADD, id: welcome.id, subject: id, row: rowOf(place, welcome) });
      }
      const [, hasBegun = false] = await writes.write(...all);
      return hasBegun;
    },

    find: (sessionId) => one(FIND, [sessionId]),
    findOpen: (linkId, email) => one(FIND_OPEN, [linkId, email]),

    async renewAgent(sessionId, agent) {
      const { id, write } = addAgent(agent, sessionId);
      const row = [sessionId, id];
      await writes.write(write, { statement: RENEW, id: sessionId, subject: sessionId, row });
    },

    async end(sessionId, atMs) {
      const row = [sessionId, atMs];
      const write = { statement: END, id: sessionId, subject: sessionId, row };
      const [hasEnded = false] = await writes.write(write);
      return hasEnded;
    },

    async grant(secret, grant) {
      await writes.write(grantOf(secret, grant, hashOf(secret)));
    },

    async findGrant(secret, nowMs) {
      const row = await reader.first(FIND_GRANT, [hashOf(secret), nowMs]);
      return row === null ? null : toGrant(row);
    },

    async touch(secret, expiresAtMs) {
      const id = hashOf(secret);
      await writes.write({ statement: TOUCH, id, subject: id, row: [id, expiresAtMs] });
    },

    async purge(nowMs) {
      const of = (statement: WriteStatement): Write => {
        return { statement, id: 'purge', subject: statement.name, row: [nowMs] };
      };
      await writes.write(of(PURGE_GRANTS), of(PURGE_CODES));
    },
  };
}

function messagesOf(writes: WriteQueue, reader: Connection): Pick<ChatRepository, MessageMethods> {
  return {
    async addUser(place, message, limits) {
      const { minuteBeganAtMs, perMinute, dayBeganAtMs, perDay } = limits;
      const row = [...rowOf(place, message), minuteBeganAtMs, perMinute, dayBeganAtMs, perDay];
      const [isTaken = false] = await writes.write({
        statement: ADD_USER,
        id: message.id,
        subject: place.sessionId,
        row,
      });
      return isTaken;
    },

    async addReply(place, message, email) {
      const { sessionId: subject, agentId } = place;
      const all: Write[] = [
        { statement: ADD, id: message.id, subject, row: rowOf(place, message) },
        { statement: ACTIVE, id: subject, subject, row: [subject, message.createdAtMs] },
      ];
      if (email !== null) {
        const id = memoryIdOf(agentId, email);
        all.push({ statement: COUNT, id, subject, row: [id, agentId, email, message.createdAtMs] });
      }
      await writes.write(...all);
    },

    async removeMessage(sessionId, position) {
      const id = `${sessionId} ${position}`;
      await writes.write({ statement: REMOVE, id, subject: sessionId, row: [sessionId, position] });
    },

    async messages(sessionId, limit) {
      return (await reader.all(MESSAGES, [sessionId, limit])).map(toMessage);
    },

    async messagesOf(agentId, visitor, limit) {
      const rows = await reader.all(OF_PERSON, [agentId, visitor, limit]);
      return rows.map(toMessage).toReversed();
    },

    async timesOf(linkId, visitor, sinceMs, limit) {
      const rows = await reader.all(TIMES, [linkId, visitor, sinceMs, limit]);
      return rows.map((row) => numberOf(row, 'created_at_ms'));
    },
  };
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function grantOf(secret: string, grant: ChatGrant, subject: string): Write {
  const id = hashOf(secret);
  const { linkId, email, sessionId, expiresAtMs } = grant;
  return { statement: GRANT, id, subject, row: [id, linkId, email, sessionId, expiresAtMs] };
}

function rowOf(place: MessagePlace, message: StoredMessage): (string | number | null)[] {
  const { sessionId, linkId, agentId, visitor } = place;
  const { position, id, role, text, createdAtMs } = message;
  return [sessionId, position, id, linkId, agentId, visitor, role, cleanText(text), createdAtMs];
}

function toSession(row: SqlRow): ChatSession {
  return {
    id: textOf(row, 'id'),
    linkId: textOf(row, 'link_id'),
    email: nullableText(row, 'email'),
    agent: jsonOf<StoredAgent>(row, 'agent_json'),
    activeAtMs: numberOf(row, 'active_at_ms'),
  };
}

function toGrant(row: SqlRow): ChatGrant {
  return {
    linkId: textOf(row, 'link_id'),
    email: nullableText(row, 'email'),
    sessionId: nullableText(row, 'session_id'),
    expiresAtMs: numberOf(row, 'expires_at_ms'),
  };
}

function toMessage(row: SqlRow): StoredMessage {
  return {
    id: textOf(row, 'id'),
    position: numberOf(row, 'position'),
    role: textOf(row, 'role') === 'user' ? 'user' : 'agent',
    text: textOf(row, 'text'),
    createdAtMs: numberOf(row, 'created_at_ms'),
  };
}
