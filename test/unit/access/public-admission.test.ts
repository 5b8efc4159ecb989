import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { PublicAdmission, type PublicPlace } from '../../../src/access/public-admission.ts';
import { asWorkspaceId } from '../../../src/model/ids.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { openStorage } from '../../../src/storage/storage.ts';
import { temporaryStorage } from '../../support/storage.ts';

const ROOT = join(import.meta.dirname, '../../..');
const NOON_MS = Date.UTC(2027, 0, 15, 12);

describe('admission by public doors', () => {
  let temporary: Awaited<ReturnType<typeof temporaryStorage>>;
  let admission: PublicAdmission;
  let nowMs = NOON_MS;
  before(async () => {
    temporary = await temporaryStorage({ nowMs: () => nowMs });
    const admissions = temporary.storage.publicAdmissions;
    admission = new PublicAdmission({ admissions, nowMs: () => nowMs });
  });
  after(() => temporary.remove());
  beforeEach(() => (nowMs = NOON_MS));

  async function places(subject: string, count: number): Promise<PublicPlace[]> {
    const all = await Promise.all(Array.from({ length: count }, () => admission.admit(subject)));
    return all.filter((one) => one.isAdmitted);
  }
  async function spend(subject: string, count: number): Promise<void> {
    for (let spent = 0; spent < count; spent += 10) {
      for (const place of await places(subject, Math.min(10, count - spent))) {
        await place.connected();
        await place.release();
      }
    }
  }

  it('gives 10 places at once, to 500 that ask together [SEED-17, SEED-21]', async () => {
    const given = await places('agt_a', 500);
    assert.equal(given.length, 10);
    assert.deepEqual(await admission.admit('agt_a'), {
      isAdmitted: false,
      limit: 'at-once',
      retryAfterSeconds: 30,
    });
    await given[0]?.release();
    assert.equal((await places('agt_a', 5)).length, 1);
    assert.equal((await places('agt_other', 1)).length, 1);
  });

  it('gives 50 a day, and more the next day of UTC [SEED-18, SEED-21, R4]', async () => {
    await spend('agt_b', 45);
    assert.equal((await places('agt_b', 500)).length, 5);
    const refused = await admission.admit('agt_b');
    assert.deepEqual(refused, {
      isAdmitted: false,
      limit: 'a-day',
      retryAfterSeconds: 12 * 3600,
    });
    nowMs = Date.UTC(2027, 0, 15, 23, 59, 59, 999);
    const late = await admission.admit('agt_b');
    assert.ok(!late.isAdmitted);
    assert.equal(late.retryAfterSeconds, 1);
    nowMs += 1;
    // The places of yesterday's calls are still held.
    assert.equal((await places('agt_b', 500)).length, 5);
  });

  it('counts a link by itself and with all links of its workspace [R5]', async () => {
    const workspaceId = asWorkspaceId('ws_links');
    const ask = async (id: string, count: number) => {
      const link = { id, workspaceId };
      const asked = Array.from({ length: count }, () => admission.admitByLink(link));
      return (await Promise.all(asked)).filter((one) => one.isAdmitted);
    };
    const first = await ask('ivl_1', 20);
    assert.equal(first.length, 10, 'one link has ten places');
    for (const id of ['ivl_2', 'ivl_3', 'ivl_4', 'ivl_5']) {
      assert.equal((await ask(id, 10)).length, 10);
    }
    assert.equal((await ask('ivl_6', 1)).length, 0, 'all links together have fifty');
    for (const place of first) await place.release();
    assert.equal((await ask('ivl_6', 20)).length, 10);
    const other = { id: 'ivl_7', workspaceId: asWorkspaceId('ws_more') };
    assert.equal((await admission.admitByLink(other)).isAdmitted, true);
  });

  it('gives the day back for a call that never connected [R4]', async () => {
    await spend('agt_c', 49);
    const [last] = await places('agt_c', 3);
    assert.equal((await admission.admit('agt_c')).isAdmitted, false);
    await last?.release();
    const [again] = await places('agt_c', 3);
    assert.ok(again !== undefined);
    await again.connected();
    await again.release();
    await again.release();
    assert.equal((await admission.admit('agt_c')).isAdmitted, false);
    // Too late to connect once released: the day was given back.
    const { publicAdmissions } = temporary.storage;
    assert.deepEqual(await publicAdmissions.counts('agt_c', '2027-01-15'), { live: 0, today: 50 });
  });

  it('counts on after a restart, without the places of the process that is gone', async () => {
    const first = await temporaryStorage({ nowMs: () => nowMs });
    const openAt = (storage: typeof first.storage) =>
      new PublicAdmission({ admissions: storage.publicAdmissions, nowMs: () => nowMs });
    const before = openAt(first.storage);
    for (let count = 0; count < 7; count += 1) {
      const place = await before.admit('agt_d');
      // Three of them never connected before the end.
      if (place.isAdmitted && count < 4) await place.connected();
    }
    await first.storage.close();
    const storage = await openStorage({
      file: first.file,
      log: silentLogger(),
      nowMs: () => nowMs,
    });
    assert.equal((await openAt(storage).admit('agt_d')).isAdmitted, true);
    const counts = await storage.publicAdmissions.counts('agt_d', '2027-01-15');
    assert.deepEqual(counts, { live: 1, today: 5 });
    await storage.close();
    await first.remove();
  });

  it('gives the last places once to two processes that ask 250 times each [SEED-21]', async function () {
    this.timeout(60_000);
    const asker = join(ROOT, 'test/support/admission-asker.ts');
    const start = (): ChildProcess =>
      spawn(
        process.execPath,
        ['--import', 'ts-blank-space/register', asker, temporary.file, '250'],
        { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
      );
    const askers = [start(), start()];
    try {
      const got = await Promise.all(
        askers.map(async ({ stdout }) => {
          assert.ok(stdout !== null);
          const [text] = await once(stdout, 'data');
          return Number(text);
        }),
      );
      assert.equal(
        got.reduce((sum, one) => sum + one, 0),
        10,
      );
    } finally {
      for (const child of askers) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
    }
  });
});
