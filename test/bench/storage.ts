import { once } from 'node:events';
import { join } from 'node:path';
import sqlite3 from 'sqlite3';
import { asCallId } from '../../src/model/ids.ts';
import { DEMO_WORKSPACE_ID } from '../../src/storage/bootstrap.ts';
import { newCall, temporaryStorage } from '../support/storage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const WRITES = 2_000;
/** Calls that are written at the same time. */
const WRITERS = 50;
const READS = 2_000;

export interface StorageFigures {
  readonly name: string;
  readonly count: number;
  /** user + sys of this process, the database's threads included. */
  readonly cpuMicrosecondsEach: number;
  readonly elapsedMicrosecondsEach: number;
}

async function measured(
  name: string,
  count: number,
  work: () => Promise<void>,
): Promise<StorageFigures> {
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  await work();
  const elapsedMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpu);
  return {
    name,
    count,
    cpuMicrosecondsEach: (user + system) / count,
    elapsedMicrosecondsEach: (elapsedMs * 1000) / count,
  };
}

/** What the driver alone takes for one row of two columns, in a transaction of its own. */
async function benchBareDriver(): Promise<StorageFigures> {
  const folder = await temporaryFolder();
  const database = new sqlite3.Database(join(folder.path, 'bare.sqlite'));
  const run = (sql: string, ...values: unknown[]) =>
    new Promise<void>((resolve, reject) => {
      database.run(sql, values, (error) => (error === null ? resolve() : reject(error)));
    });
  try {
    await run('PRAGMA journal_mode = WAL');
    await run('PRAGMA synchronous = FULL');
    await run('CREATE TABLE bare (id TEXT PRIMARY KEY, text TEXT)');
    return await measured('bare sqlite3 insert (reference)', WRITES / 10, async () => {
      for (let id = 0; id < WRITES / 10; id += 1) {
        await run('INSERT INTO bare VALUES (?, ?)', `call_${id}`, 'inbound');
      }
    });
  } finally {
    const closed = once(database, 'close');
    database.close();
    await closed;
    await folder.remove();
  }
}

/** Durable inserts one by one and by many calls at once, and reads by id. */
export async function benchStorage(): Promise<StorageFigures[]> {
  const { storage, remove } = await temporaryStorage();
  const { calls } = storage;
  try {
    let next = 0;
    const insert = () => {
      next += 1;
      return calls.create(newCall(`call_${next}`));
    };
    const each = async (count: number, work: () => Promise<unknown>) => {
      for (let done = 0; done < count; done += 1) await work();
    };
    await each(50, insert);
    const alone = await measured('durable insert, one at a time', WRITES / 10, () =>
      each(WRITES / 10, insert),
    );
    const grouped = await measured(`durable insert, ${WRITERS} at once`, WRITES, async () => {
      const writers = Array.from({ length: WRITERS }, () => each(WRITES / WRITERS, insert));
      await Promise.all(writers);
    });
    const read = await measured('read of one call', READS, () =>
      each(READS, () => calls.find(DEMO_WORKSPACE_ID, asCallId('call_100'))),
    );
    return [await benchBareDriver(), alone, grouped, read];
  } finally {
    await remove();
  }
}
