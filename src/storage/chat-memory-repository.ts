import type { AgentId } from '../model/ids.ts';
import { memoryIdOf } from './chat-repository.ts';
import type { Connection } from './connection.ts';
import { cleanText, numberOf, textOf } from './rows.ts';
import type { Write, WriteQueue, WriteStatement } from './write-queue.ts';

/** What an agent remembers of one verified address. */
export interface ChatMemory {
  readonly text: string;
  /** Answered messages of this person with this agent, over all conversations. */
  readonly userMessages: number;
}

export interface ChatMemoryRepository {
  find(agentId: AgentId, email: string): Promise<ChatMemory | null>;
  /** True once for each `every` messages, whoever asks: it is then this caller's to summarize. */
  claim(agentId: AgentId, email: string, every: number): Promise<boolean>;
  save(agentId: AgentId, email: string, text: string, atMs: number): Promise<void>;
  /** Everything kept of this person with this agent: memory, conversations, sign-ins. */
  erase(agentId: AgentId, email: string): Promise<void>;

  /** Keeps a code's hash; one that was asked for before is void. `id` names link and address. */
  keepCode(id: string, code: NewCode): Promise<void>;
  /** Counts a try. True when the hash fits, in time, within `triesMax`, for the first time. */
  redeemCode(id: string, codeHash: string, triesMax: number, nowMs: number): Promise<boolean>;
}

export interface NewCode {
  readonly linkId: string;
  readonly codeHash: string;
  readonly expiresAtMs: number;
}

const CLAIM: WriteStatement = {
  name: 'chat-memory-claim',
  rank: 8,
  sql: `UPDATE chat_memories SET claimed_messages = user_messages FROM json_each(?1) AS w
    WHERE chat_memories.id = w.value ->> 0
      AND user_messages / (w.value ->> 1) > claimed_messages / (w.value ->> 1)
    RETURNING chat_memories.id AS id`,
};
const SAVE: WriteStatement = {
  name: 'chat-memory-save',
  rank: 9,
  sql: `UPDATE chat_memories SET text = w.value ->> 1, updated_at_ms = w.value ->> 2
    FROM json_each(?1) AS w WHERE chat_memories.id = w.value ->> 0
    RETURNING chat_memories.id AS id`,
};
const ERASE_MEMORY: WriteStatement = {
  name: 'chat-memory-erase',
  rank: 9,
  sql: `DELETE FROM chat_memories WHERE (agent_id, email) IN
    (SELECT value ->> 0, value ->> 1 FROM json_each(?1)) RETURNING id`,
};
const ofPerson = (table: string) => `DELETE FROM ${table} WHERE (link_id, email) IN
  (SELECT l.id, w.value ->> 1 FROM json_each(?1) AS w
    JOIN public_links AS l ON l.agent_id = w.value ->> 0) RETURNING id`;
const ERASE_GRANTS: WriteStatement = {
  name: 'chat-grants-erase',
  rank: 9,
  sql: ofPerson('chat_grants'),
};
const ERASE_SESSIONS: WriteStatement = {
  name: 'chat-sessions-erase',
  rank: 9,
  sql: ofPerson('chat_sessions'),
};
const KEEP_CODE: WriteStatement = {
  name: 'chat-code-keep',
  rank: 4,
  sql: `INSERT INTO chat_codes (id, link_id, code_hash, tries, expires_at_ms)
    SELECT w.value ->> 0, w.value ->> 1, w.value ->> 2, 0, w.value ->> 3
    FROM json_each(?1) AS w WHERE true
    ON CONFLICT (id) DO UPDATE SET code_hash = excluded.code_hash, tries = 0,
      expires_at_ms = excluded.expires_at_ms RETURNING id`,
};
const TRY_CODE: WriteStatement = {
  name: 'chat-code-try',
  rank: 5,
  sql: `UPDATE chat_codes SET tries = tries + 1 FROM json_each(?1) AS w
    WHERE chat_codes.id = w.value ->> 0 AND tries < w.value ->> 1
      AND expires_at_ms > w.value ->> 2 RETURNING chat_codes.id AS id`,
};
const USE_CODE: WriteStatement = {
  name: 'chat-code-use',
  rank: 6,
  sql: `DELETE FROM chat_codes WHERE (id, code_hash) IN
    (SELECT value ->> 0, value ->> 1 FROM json_each(?1)) RETURNING id`,
};

const FIND = 'SELECT text, user_messages FROM chat_memories WHERE id = ?1';

export function createChatMemoryRepository(
  writes: WriteQueue,
  reader: Connection,
): ChatMemoryRepository {
  const write = async (statement: WriteStatement, id: string, row: Write['row']) => {
    const [isTaken = false] = await writes.write({ statement, id, subject: id, row });
    return isTaken;
  };

  return {
    async find(agentId, email) {
      const row = await reader.first(FIND, [memoryIdOf(agentId, email)]);
      if (row === null) return null;
      return { text: textOf(row, 'text'), userMessages: numberOf(row, 'user_messages') };
    },

    claim(agentId, email, every) {
      const id = memoryIdOf(agentId, email);
      return write(CLAIM, id, [id, every]);
    },

    async save(agentId, email, text, atMs) {
      const id = memoryIdOf(agentId, email);
      await write(SAVE, id, [id, cleanText(text), atMs]);
    },

    async erase(agentId, email) {
      const subject = memoryIdOf(agentId, email);
      const row = [agentId, email];
      const statements = [ERASE_MEMORY, ERASE_GRANTS, ERASE_SESSIONS];
      await writes.write(
        ...statements.map((one) => ({ statement: one, id: subject, subject, row })),
      );
    },

    async keepCode(id, { linkId, codeHash, expiresAtMs }) {
      await write(KEEP_CODE, id, [id, linkId, codeHash, expiresAtMs]);
    },

    // A try is spent before it is judged, so that many at once are not more than allowed.
    async redeemCode(id, codeHash, triesMax, nowMs) {
      const mayTry = await write(TRY_CODE, id, [id, triesMax, nowMs]);
      return mayTry && write(USE_CODE, id, [id, codeHash]);
    },
  };
}
