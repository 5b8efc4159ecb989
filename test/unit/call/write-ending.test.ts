import assert from 'node:assert/strict';
import { writeEnding } from '../../../src/call/write-ending.ts';
import { asCallId } from '../../../src/model/ids.ts';
import { DEMO_WORKSPACE_ID } from '../../../src/storage/bootstrap.ts';
import { Connection } from '../../../src/storage/connection.ts';
import { newCall, temporaryStorage } from '../../support/storage.ts';

const END = { endedAtMs: 1_700_000_060_000, reason: 'caller-hung-up', sipStatus: null } as const;

describe('the end of a call that cannot be written at once', () => {
  let temporary: Awaited<ReturnType<typeof temporaryStorage>>;
  before(async () => {
    temporary = await temporaryStorage({ busyTimeoutMs: 20 });
  });
  after(() => temporary.remove());

  it('is written once the database is free again', async () => {
    const { calls } = temporary.storage;
    const id = asCallId('call_late');
    await calls.create(newCall('call_late'));
    const other = await Connection.open(temporary.file, { busyTimeoutMs: 20 });
    await other.exec('BEGIN IMMEDIATE');
    let retries = 0;
    await writeEnding(
      () => calls.end(id, { ...END, report: null }),
      () => {
        retries += 1;
        if (retries === 2) void other.exec('COMMIT');
      },
    );
    await other.close();
    assert.ok(retries >= 2);
    assert.equal((await calls.find(DEMO_WORKSPACE_ID, id))?.endReason, 'caller-hung-up');
  });

  it('is given up at once when trying again is pointless', async () => {
    let tries = 0;
    const broken = async () => {
      tries += 1;
      throw new TypeError('a bug');
    };
    await assert.rejects(
      writeEnding(broken, (error) => assert.fail(String(error))),
      TypeError,
    );
    assert.equal(tries, 1);
  });
});
