import { randomText } from '../lib/random-id.ts';
import type { Connection } from './connection.ts';
import { insertMany, textOf } from './rows.ts';
import type { WriteQueue, WriteStatement } from './write-queue.ts';

/** What web-call tokens need kept: the secret that signs them, and which were used. */
export interface WebCallRepository {
  /** The same for every process of this database, made when first asked for. */
  signingSecret(atMs: number): Promise<string>;
  /** True for one caller only, over all processes and restarts. */
  redeem(id: string, expiresAtMs: number, atMs: number): Promise<boolean>;
  /** As if it had never been redeemed. */
  giveBack(id: string): Promise<void>;
}

const SECRET_ID = 'web-call-tokens';

const MAKE_SECRET: WriteStatement = {
  name: 'secret-create',
  rank: 0,
  sql: insertMany('secrets', ['id', 'value', 'created_at_ms'], 'ON CONFLICT (id) DO NOTHING'),
};

const REDEEM: WriteStatement = {
  name: 'web-call-redeem',
  rank: 1,
  sql: insertMany(
    'web_call_redemptions',
    ['id', 'expires_at_ms', 'redeemed_at_ms'],
    'ON CONFLICT (id) DO NOTHING',
  ),
};

const GIVE_BACK: WriteStatement = {
  name: 'web-call-give-back',
  rank: 2,
  sql: `DELETE FROM web_call_redemptions WHERE id IN (SELECT value ->> 0 FROM json_each(?1))
    RETURNING id`,
};

export function createWebCallRepository(writes: WriteQueue, reader: Connection): WebCallRepository {
  const findSecret = async () => {
    const row = await reader.first('SELECT value FROM secrets WHERE id = ?1', [SECRET_ID]);
    return row === null ? null : textOf(row, 'value');
  };

  return {
    async signingSecret(atMs) {
      const known = await findSecret();
      if (known !== null) return known;
      const made = randomText(43);
      const row = [SECRET_ID, made, atMs];
      await writes.write({ statement: MAKE_SECRET, id: SECRET_ID, subject: SECRET_ID, row });
      // Another process may have been faster.
      return (await findSecret()) ?? made;
    },

    async redeem(id, expiresAtMs, atMs) {
      const row = [id, expiresAtMs, atMs];
      const [isTaken = false] = await writes.write({ statement: REDEEM, id, subject: id, row });
      return isTaken;
    },

    async giveBack(id) {
      await writes.write({ statement: GIVE_BACK, id, subject: id, row: [id] });
    },
  };
}
