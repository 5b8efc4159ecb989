import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Connection } from '../../../src/storage/connection.ts';
import { insertMany } from '../../../src/storage/rows.ts';
import { type Write, WriteQueue, type WriteStatement } from '../../../src/storage/write-queue.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const INSERT: WriteStatement = {
  name: 'insert',
  rank: 1,
  sql: insertMany('things', ['id', 'size']),
};
const GROW: WriteStatement = {
  name: 'grow',
  rank: 2,
  sql: `UPDATE things SET size = size + (w.value ->> 1) FROM json_each(?1) AS w
    WHERE things.id = w.value ->> 0 RETURNING things.id AS id`,
};

const insert = (id: string, size: number | string = 1): Write => ({
  statement: INSERT,
  id,
  subject: id,
  row: [id, size],
});
const grow = (id: string, by: number): Write => ({
  statement: GROW,
  id,
  subject: id,
  row: [id, by],
});

describe('the write queue', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let connection: Connection;
  let other: Connection;
  let queue: WriteQueue;

  beforeEach(async () => {
    folder = await temporaryFolder();
    const file = join(folder.path, 'q.sqlite');
    connection = await Connection.open(file, { busyTimeoutMs: 20 });
    await connection.exec(
      'CREATE TABLE things (id TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID',
    );
    other = await Connection.open(file, { busyTimeoutMs: 20 });
    queue = new WriteQueue({ connection });
  });
  afterEach(async () => {
    await queue.close();
    await connection.close();
    await other.close();
    await folder.remove();
  });

  const sizes = async () => {
    const rows = await other.all('SELECT id, size FROM things ORDER BY id');
    return Object.fromEntries(rows.map(({ id, size }) => [id, size]));
  };

  it('commits what comes together in one transaction', async () => {
    const writes = Array.from({ length: 300 }, (_, index) => queue.write(insert(`t${index}`)));
    assert.deepEqual(new Set((await Promise.all(writes)).flat()), new Set([true]));
    assert.equal(queue.counters.writes, 300);
    assert.ok(queue.counters.commits <= 2, `${queue.counters.commits} commits`);
    assert.equal(Object.keys(await sizes()).length, 300);
  });

  it('resolves only once another connection can read the row', async () => {
    await queue.write(insert('a'));
    assert.deepEqual(await sizes(), { a: 1 });
  });

  it('keeps the order of one subject, also when it goes back in rank', async () => {
    const results = await Promise.all([
      queue.write(grow('a', 5)),
      queue.write(insert('a', 10)),
      queue.write(grow('a', 1)),
      queue.write(grow('a', 2)),
    ]);
    assert.deepEqual(results.flat(), [false, true, true, true]);
    assert.deepEqual(await sizes(), { a: 13 });
  });

  it('refuses only the unit that is at fault', async () => {
    await queue.write(insert('taken'));
    const results = await Promise.allSettled([
      queue.write(insert('a')),
      queue.write(insert('taken')),
      queue.write(insert('b'), insert('taken')),
      queue.write(insert('c', 'no number')),
      queue.write(insert('d'), grow('d', 1)),
    ]);
    assert.deepEqual(
      results.map((result) => (result.status === 'rejected' ? result.reason.code : 'stands')),
      ['stands', 'STORAGE_CONFLICT', 'STORAGE_CONFLICT', 'STORAGE_CONFLICT', 'stands'],
    );
    assert.deepEqual(await sizes(), { a: 1, d: 2, taken: 1 });
  });

  it('says BUSY when another process holds the file, keeps nothing, and goes on after', async () => {
    await other.exec('BEGIN IMMEDIATE');
    const refused = await Promise.allSettled([
      queue.write(insert('a')),
      queue.write(insert('b'), grow('b', 1)),
    ]);
    for (const result of refused) {
      assert.ok(result.status === 'rejected');
      assert.equal(result.reason.code, 'STORAGE_BUSY');
      assert.equal(result.reason.retryable, true);
    }
    assert.equal(queue.lastFailure?.code, 'STORAGE_BUSY');
    await other.exec('COMMIT');
    await queue.write(insert('a'));
    assert.equal(queue.lastFailure, null);
    assert.deepEqual(await sizes(), { a: 1 });
  });

  it('says FULL when there is no room, keeps nothing of the batch, and goes on after', async () => {
    const wide = (prefix: string) =>
      Array.from({ length: 400 }, (_, index) =>
        queue.write(insert(`${prefix}${index}${'x'.repeat(100)}`), grow(`none${index}`, 1)),
      );
    const [pages] = await connection.all('PRAGMA page_count');
    await connection.exec(`PRAGMA max_page_count = ${Number(pages?.page_count) + 2}`);
    for (const result of await Promise.allSettled(wide('a'))) {
      assert.ok(result.status === 'rejected');
      assert.equal(result.reason.code, 'STORAGE_FULL');
    }
    assert.deepEqual(await sizes(), {});
    await connection.exec('PRAGMA max_page_count = 100000');
    await Promise.all(wide('b'));
    assert.equal(Object.keys(await sizes()).length, 400);
  });

  it('refuses more than it may hold, and takes writes again when it has room', async () => {
    const small = new WriteQueue({ connection, waitingMax: 3 });
    const first = [insert('a'), insert('b'), insert('c')].map((write) => small.write(write));
    await assert.rejects(small.write(insert('d')), { code: 'STORAGE_OVERLOADED' });
    await Promise.all(first);
    await small.write(insert('e'));
    await small.close();
    assert.deepEqual(Object.keys(await sizes()), ['a', 'b', 'c', 'e']);
  });

  it('commits what waits when it is closed, and takes nothing after', async () => {
    const waiting = queue.write(insert('a'));
    await queue.close();
    await waiting;
    await assert.rejects(queue.write(insert('b')), { code: 'STORAGE_CLOSED' });
    assert.deepEqual(await sizes(), { a: 1 });
  });
});
