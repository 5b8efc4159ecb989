import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CapNotice } from '../../../src/model/billing.ts';
import type { CallPermit } from '../../../src/call/call-gate.ts';
import type { Caps } from '../../../src/model/billing.ts';
import { asCallId } from '../../../src/model/ids.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { openStorage } from '../../../src/storage/storage.ts';
import { billedCalls } from '../../support/billed-calls.ts';
import { testMeter } from '../../support/billing.ts';
import {
  addPayingWorkspace,
  newCall,
  PAYING_WORKSPACE_ID,
  temporaryStorage,
} from '../../support/storage.ts';

const DAY = '2027-01-15';
const AT_MS = Date.UTC(2027, 0, 15, 12);
const ROOT = join(import.meta.dirname, '../../..');
const ASKER = join(ROOT, 'test/support/cap-asker.ts');

const planOf = (id: string, timeLimitSeconds = 570) => ({
  ...newCall(id, { workspaceId: PAYING_WORKSPACE_ID, startedAtMs: AT_MS }),
  timeLimitSeconds,
});

async function withCaps(caps: Partial<Caps>) {
  const temporary = await temporaryStorage();
  await addPayingWorkspace(temporary.storage, caps);
  return temporary;
}

/** All at once, in one process. */
async function askTogether(caps: Partial<Caps>, count: number) {
  const temporary = await withCaps(caps);
  const { storage } = temporary;
  const meter = testMeter(() => storage);
  const plans = Array.from({ length: count }, (_, index) => meter.admit(planOf(`call_${index}`)));
  const answers = await Promise.all(plans);
  const standing = await storage.callHolds.standing(PAYING_WORKSPACE_ID, DAY, 'EUR');
  await temporary.remove();
  const permits = answers.filter((answer): answer is CallPermit => answer.admitted);
  const reasons = new Set(answers.flatMap((answer) => (answer.admitted ? [] : [answer.reason])));
  return { permits, reasons: [...reasons], held: standing.day.held };
}

describe('500 calls that begin together', () => {
  it('get as many places as the workspace may have at once', async () => {
    const { permits, reasons } = await askTogether({ callsAtOnce: 37 }, 500);
    assert.equal(permits.length, 37);
    assert.deepEqual(reasons, ['workspace-busy']);
  });

  it('get as many calls as the day has', async () => {
    const { permits, reasons } = await askTogether({ callsPerDay: 123 }, 500);
    assert.equal(permits.length, 123);
    assert.deepEqual(reasons, ['quota-exceeded']);
  });

  it('hold no more minutes than the day has, the last one a shorter call', async () => {
    // 600 s for each call with its grace: 16 whole ones, and 400 s.
    const { permits, reasons, held } = await askTogether({ minutesPerDay: 10_000 / 60 }, 500);
    assert.equal(permits.length, 17);
    assert.deepEqual(
      permits.map(({ timeLimitSeconds }) => timeLimitSeconds).toSorted((a, b) => a - b)[0],
      370,
    );
    assert.equal(held.seconds, 10_000);
    assert.deepEqual(reasons, ['quota-exceeded']);
  });

  it('hold no more money than the day has', async () => {
    // 600 s at 0.07 a minute and the setup fee.
    const each = 700_000 + 1_500;
    const { permits, reasons, held } = await askTogether({ microsPerDay: 20 * each + 10 }, 500);
    assert.equal(permits.length, 20);
    assert.equal(held.micros, 20 * each);
    assert.deepEqual(reasons, ['spend-cap-reached']);
  });

  it('from two processes get what one would get', async function () {
    this.timeout(60_000);
    const temporary = await withCaps({ callsPerDay: 60, minutesPerDay: 550 });
    const askers = ['a', 'b'].map((name) => {
      const child = spawn(
        process.execPath,
        ['--import', 'ts-blank-space/register', ASKER, temporary.file, name, '250'],
        { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
      );
      return { child, line: once(createInterface({ input: child.stdout }), 'line') };
    });
    const lines = await Promise.all(askers.map(({ line }) => line));
    const got = lines.map(([line]) => Number(String(line).split(' ')[0]));
    // 600 s each: 55 in 550 minutes.
    assert.equal((got[0] ?? 0) + (got[1] ?? 0), 55);
    const before = await temporary.storage.callHolds.standing(PAYING_WORKSPACE_ID, DAY, 'EUR');
    assert.equal(before.day.held.seconds, 33_000);

    // Holds of a process that is gone do not outlive it, though it wrote no call.
    for (const { child } of askers) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await temporary.storage.closeOrphans();
    const freed = await temporary.storage.callHolds.standing(PAYING_WORKSPACE_ID, DAY, 'EUR');
    assert.equal(freed.liveCalls, 0);
    await temporary.remove();
  });
});

describe('the hold of a call', () => {
  it('gives way to its entry when the call ends', async () => {
    const { storage, remove } = await withCaps({ minutesPerDay: 20 });
    const calls = billedCalls(storage);
    const begin = (id: string) =>
      calls.begin(id, { workspaceId: PAYING_WORKSPACE_ID, startedAtMs: AT_MS });
    const call = await begin('call_1');
    const standing = () => storage.callHolds.standing(PAYING_WORKSPACE_ID, DAY, 'EUR');
    assert.equal((await standing()).day.held.seconds, 930);
    await calls.end(call, 61_000);
    const { day, liveCalls } = await standing();
    assert.deepEqual([day.held.seconds, day.ended.seconds, liveCalls], [0, 61, 0]);
    // A call that nobody answered gives back all of it, and is not counted.
    await calls.end(await begin('call_2'), null);
    assert.deepEqual((await standing()).day.ended, { calls: 1, seconds: 61, micros: 78_500 });
    await remove();
  });

  it('ends with the call of a dead process, which is charged', async () => {
    const { storage, file, remove } = await withCaps({ minutesPerDay: 20 });
    const meter = testMeter(() => storage);
    const other = await openStorage({ file, log: silentLogger() });
    const calls = billedCalls(other);
    await calls.begin('call_1', { workspaceId: PAYING_WORKSPACE_ID, startedAtMs: AT_MS });
    await other.calls.markAnswered(asCallId('call_1'), AT_MS);
    await other.close();
    const standing = await storage.callHolds.standing(PAYING_WORKSPACE_ID, DAY, 'EUR');
    assert.equal(standing.liveCalls, 1);
    const last = await openStorage({
      file,
      log: silentLogger(),
      chargeOf: (call) => meter.chargeOf(call),
    });
    const freed = await last.callHolds.standing(PAYING_WORKSPACE_ID, DAY, 'EUR');
    assert.equal(freed.liveCalls, 0);
    const entry = await last.ledger.find(PAYING_WORKSPACE_ID, asCallId('call_1'));
    assert.ok(entry !== null && entry.amountMicros > 0);
    await last.close();
    await remove();
  });
});

describe('a workspace that comes near a cap', () => {
  it('is warned once at four fifths, and once when a call is refused', async () => {
    const { storage, remove } = await withCaps({ minutesPerDay: 10 });
    const notices: CapNotice[] = [];
    const calls = billedCalls(storage, undefined, (notice) => notices.push(notice));
    const again = billedCalls(storage, undefined, (notice) => notices.push(notice));
    const of = { workspaceId: PAYING_WORKSPACE_ID, startedAtMs: AT_MS };
    await calls.past('call_1', { ...of, talkMs: 470_000 });
    await settle();
    assert.deepEqual(notices, []);
    await calls.past('call_2', { ...of, talkMs: 20_000 });
    await again.past('call_3', { ...of, talkMs: 60_000 });
    await settle();
    assert.deepEqual(
      notices.map(({ level, cap, period, limit }) => [level, cap, period, limit]),
      [['near', 'minutesPerDay', DAY, 10]],
    );
    for (const meter of [calls.meter, again.meter]) {
      const refused = await meter.admit(planOf('call_4'));
      assert.deepEqual(refused, { admitted: false, reason: 'quota-exceeded' });
    }
    await settle();
    assert.deepEqual(
      notices.map(({ level }) => level),
      ['near', 'reached'],
    );
    await remove();
  });
});

/** Notices are not waited for by any call. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 100));
