import { createHash } from 'node:crypto';
import { randomId, randomText } from '../lib/random-id.ts';
import type { SealedBox } from '../lib/sealed-box.ts';
import { type AgentId, asAgentId, asWorkspaceId, type WorkspaceId } from '../model/ids.ts';
import type { Connection, SqlRow } from './connection.ts';
import { insertMany, nullableNumber, nullableText, numberOf, textOf } from './rows.ts';
import { storageError } from './storage-error.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** What lets a backend have one agent call somebody. */
export interface ClickToCallCredentials {
  readonly id: string;
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId;
  /** Its calls are simulated. */
  readonly isTest: boolean;
  readonly token: string;
  readonly secret: string;
  readonly createdAtMs: number;
  /** When a pair that was replaced ends by itself, null for the current one. */
  readonly expiresAtMs: number | null;
}

type AgentKey = Pick<ClickToCallCredentials, 'workspaceId' | 'agentId' | 'isTest'>;

/** A request that named an idempotency key: what became of the first one with that key. */
export interface RememberedRequest {
  readonly bodyHash: string;
  /** Null while it is not answered. */
  readonly answer: string | null;
}

export interface ClickToCallRepository {
  /** The agent's current pair, made when it has none. */
  ensure(owner: AgentKey, atMs: number): Promise<ClickToCallCredentials>;
  /** A new pair; the current one, if any, ends at `oldEndsAtMs`. */
  rotate(owner: AgentKey, oldEndsAtMs: number, atMs: number): Promise<ClickToCallCredentials>;
  /** Null for a token that is unknown or has ended. */
  findByToken(token: string, atMs: number): Promise<ClickToCallCredentials | null>;
  /**
   * True for one caller only, over all processes, until the call that it names has ended.
   * @param number E.164; null reserves the agent as a whole
   */
  reserve(agentId: AgentId, number: string | null, atMs: number): Promise<boolean>;
  /** The reservation holds as long as the call lives; null gives it back. */
  settle(agentId: AgentId, number: string | null, callId: string | null): Promise<void>;
  /** Null: the key is new, and is now this request's. */
  remember(id: string, bodyHash: string, atMs: number): Promise<RememberedRequest | null>;
  /** What is answered to the key from now on; null forgets it. */
  answer(id: string, answer: string | null): Promise<void>;
}

/** A reservation whose call was never named is over after this long: its process has died. */
const UNSETTLED_MS = 60_000;

const COLUMNS = [
  'id',
  'workspace_id',
  'agent_id',
  'token_hash',
  'sealed_token',
  'sealed_secret',
  'created_at_ms',
  'is_test',
];

const END_CURRENT: WriteStatement = {
  name: 'click-to-call-end',
  rank: 2,
  sql: `UPDATE click_to_call_credentials SET expires_at_ms = w.value ->> 1
    FROM json_each(?1) AS w
    WHERE agent_id = w.value ->> 0 AND is_test = w.value ->> 2 AND expires_at_ms IS NULL
    RETURNING agent_id AS id`,
};

const CREATE: WriteStatement = {
  name: 'click-to-call-create',
  rank: 3,
  sql: insertMany('click_to_call_credentials', COLUMNS, 'ON CONFLICT DO NOTHING'),
};

/** `id`, agent, number or null, now. Calls that came by other doors count too. */
const RESERVE: WriteStatement = {
  name: 'click-to-call-reserve',
  rank: 2,
  sql: `INSERT INTO click_to_call_reservations (id, call_id, reserved_at_ms)
    SELECT value ->> 0, NULL, value ->> 3 FROM json_each(?1)
    WHERE NOT EXISTS (SELECT 1 FROM calls
      WHERE agent_id = value ->> 1 AND to_number = coalesce(value ->> 2, to_number)
        AND direction = 'outbound' AND ended_at_ms IS NULL)
    ON CONFLICT (id) DO UPDATE SET call_id = NULL, reserved_at_ms = excluded.reserved_at_ms
      WHERE CASE WHEN call_id IS NULL THEN reserved_at_ms < excluded.reserved_at_ms - ${UNSETTLED_MS}
        ELSE NOT EXISTS (SELECT 1 FROM calls
          WHERE calls.id = click_to_call_reservations.call_id AND ended_at_ms IS NULL) END
    RETURNING id`,
};

const NAME_CALL: WriteStatement = {
  name: 'click-to-call-name-call',
  rank: 3,
  sql: `UPDATE click_to_call_reservations SET call_id = w.value ->> 1 FROM json_each(?1) AS w
    WHERE click_to_call_reservations.id = w.value ->> 0
    RETURNING click_to_call_reservations.id AS id`,
};

const GIVE_BACK: WriteStatement = {
  name: 'click-to-call-give-back',
  rank: 4,
  sql: `DELETE FROM click_to_call_reservations WHERE id IN (SELECT value ->> 0 FROM json_each(?1))
    RETURNING id`,
};

const REMEMBER: WriteStatement = {
  name: 'click-to-call-remember',
  rank: 2,
  sql: insertMany(
    'click_to_call_requests',
    ['id', 'body_hash', 'created_at_ms'],
    'ON CONFLICT (id) DO NOTHING',
  ),
};

const ANSWER: WriteStatement = {
  name: 'click-to-call-answer',
  rank: 3,
  sql: `UPDATE click_to_call_requests SET answer_json = w.value ->> 1 FROM json_each(?1) AS w
    WHERE click_to_call_requests.id = w.value ->> 0
    RETURNING click_to_call_requests.id AS id`,
};

const FORGET: WriteStatement = {
  name: 'click-to-call-forget',
  rank: 4,
  sql: `DELETE FROM click_to_call_requests WHERE id IN (SELECT value ->> 0 FROM json_each(?1))
    RETURNING id`,
};

const CURRENT = `SELECT * FROM click_to_call_credentials
  WHERE agent_id = ?1 AND workspace_id = ?2 AND is_test = ?3 AND expires_at_ms IS NULL`;
// The hash of a random token tells nothing, so how fast it is compared tells nothing either.
const BY_TOKEN = `SELECT * FROM click_to_call_credentials
  WHERE token_hash = ?1 AND (expires_at_ms IS NULL OR expires_at_ms > ?2)`;

export function createClickToCallRepository(
  writes: WriteQueue,
  reader: Connection,
  box: () => SealedBox,
): ClickToCallRepository {
  const write = async (statement: WriteStatement, id: string, row: (string | number | null)[]) => {
    const [isTaken = false] = await writes.write({ statement, id, subject: id, row });
    return isTaken;
  };
  const current = async ({ agentId, workspaceId, isTest }: AgentKey) => {
    const row = await reader.first(CURRENT, [agentId, workspaceId, Number(isTest)]);
    return row === null ? null : toCredentials(row, box());
  };
  const creation = ({ agentId, workspaceId, isTest }: AgentKey, atMs: number) => {
    const id = randomId('ctc');
    const [token, secret] = [
      `ctk_${isTest ? 'test_' : ''}${randomText(43)}`,
      `cts_${randomText(43)}`,
    ];
    const sealed = [box().seal(token, `${id} token`), box().seal(secret, `${id} secret`)];
    const row = [id, workspaceId, agentId, hashOf(token), ...sealed, atMs, Number(isTest)];
    return { statement: CREATE, id, subject: agentId, row };
  };
  const mustHave = (found: ClickToCallCredentials | null) => {
    if (found === null) throw storageError('STORAGE_CONFLICT');
    return found;
  };

  return {
    async ensure(owner, atMs) {
      const known = await current(owner);
      if (known !== null) return known;
      // Somebody else may be as fast: then this one is not taken, and theirs is read.
      await writes.write(creation(owner, atMs));
      return mustHave(await current(owner));
    },

    async rotate(owner, oldEndsAtMs, atMs) {
      const id = owner.agentId;
      await writes.write(
        { statement: END_CURRENT, id, subject: id, row: [id, oldEndsAtMs, Number(owner.isTest)] },
        creation(owner, atMs),
      );
      return mustHave(await current(owner));
    },

    async findByToken(token, atMs) {
      const row = await reader.first(BY_TOKEN, [hashOf(token), atMs]);
      return row === null ? null : toCredentials(row, box());
    },

    reserve(agentId, number, atMs) {
      const id = reservationOf(agentId, number);
      return write(RESERVE, id, [id, agentId, number, atMs]);
    },

    async settle(agentId, number, callId) {
      const id = reservationOf(agentId, number);
      if (callId === null) await write(GIVE_BACK, id, [id]);
      else await write(NAME_CALL, id, [id, callId]);
    },

    async remember(id, bodyHash, atMs) {
      if (await write(REMEMBER, id, [id, bodyHash, atMs])) return null;
      const found = await reader.first('SELECT * FROM click_to_call_requests WHERE id = ?1', [id]);
      if (found === null) return { bodyHash, answer: null };
      return { bodyHash: textOf(found, 'body_hash'), answer: nullableText(found, 'answer_json') };
    },

    async answer(id, answer) {
      if (answer === null) await write(FORGET, id, [id]);
      else await write(ANSWER, id, [id, answer]);
    },
  };
}

function reservationOf(agentId: AgentId, number: string | null): string {
  return `${agentId} ${number ?? '*'}`;
}

/** Tokens are long and random, so one fast hash is as good as a slow one. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function toCredentials(row: SqlRow, box: SealedBox): ClickToCallCredentials {
  const id = textOf(row, 'id');
  const token = box.open(textOf(row, 'sealed_token'), `${id} token`);
  const secret = box.open(textOf(row, 'sealed_secret'), `${id} secret`);
  // Sealed with a key that is gone: only a rotation helps.
  if (token === null || secret === null) throw storageError('STORAGE_CORRUPT');
  return {
    id,
    workspaceId: asWorkspaceId(textOf(row, 'workspace_id')),
    agentId: asAgentId(textOf(row, 'agent_id')),
    isTest: row.is_test === 1,
    token,
    secret,
    createdAtMs: numberOf(row, 'created_at_ms'),
    expiresAtMs: nullableNumber(row, 'expires_at_ms'),
  };
}
