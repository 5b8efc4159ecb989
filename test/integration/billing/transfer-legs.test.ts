import assert from 'node:assert/strict';
import { journalOf } from '../../../src/call-journal.ts';
import type { LegPlan, MeteredLeg } from '../../../src/call/call-gate.ts';
import type { Caps } from '../../../src/model/billing.ts';
import { asCallId } from '../../../src/model/ids.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { openStorage, type Storage } from '../../../src/storage/storage.ts';
import { billedCalls } from '../../support/billed-calls.ts';
import { testMeter } from '../../support/billing.ts';
import {
  addPayingWorkspace,
  DEMO_AGENT,
  PAYING_RATE,
  PAYING_WORKSPACE_ID,
  temporaryStorage,
} from '../../support/storage.ts';

const DAY = '2027-01-15';
const AT_MS = Date.UTC(2027, 0, 15, 12);
const ALL = { fromMs: 0, beforeMs: AT_MS * 2 };
const OF = { workspaceId: PAYING_WORKSPACE_ID, startedAtMs: AT_MS };
/** 60/60 at 0.60 a minute. */
const LEG_RATE = {
  ...PAYING_RATE,
  direction: 'outbound',
  prefix: '+34',
  perMinuteMicros: 600_000,
  setupMicros: 0,
  firstSeconds: 60,
  nextSeconds: 60,
} as const;

const legPlan = (number: number, change: Partial<LegPlan> = {}): LegPlan => ({
  callId: asCallId('call_1'),
  workspaceId: PAYING_WORKSPACE_ID,
  agentId: DEMO_AGENT.id,
  door: 'trunk',
  number,
  toNumber: '+34955666777',
  startedAtMs: AT_MS + 10_000,
  secondsLeft: 270,
  ...change,
});

async function withCaps(caps: Partial<Caps> = {}) {
  const temporary = await temporaryStorage();
  await addPayingWorkspace(temporary.storage, caps);
  const card = { currency: 'EUR', rates: [PAYING_RATE, LEG_RATE] };
  await temporary.storage.billingTerms.setRates(PAYING_WORKSPACE_ID, card, 1);
  const { storage } = temporary;
  const entries = async (from: Storage = storage) => {
    const all = await from.ledger.list(PAYING_WORKSPACE_ID, ALL, 100);
    return all
      .map(({ id, kind, seconds, amountMicros }) => `${id} ${kind} ${seconds} ${amountMicros}`)
      .toSorted();
  };
  const held = async () =>
    (await storage.callHolds.standing(PAYING_WORKSPACE_ID, DAY, 'EUR')).day.held;
  return { ...temporary, entries, held };
}

function admitted(leg: MeteredLeg | { readonly admitted: false }): MeteredLeg {
  assert.ok(leg.admitted);
  return leg;
}

/** Writes of a leg are not waited for by its call. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 100));

const LEG_1 = 'led_1_1 transfer-leg 61 1200000';
const LEG_2 = 'led_1_2 transfer-leg 20 600000';
const CALL = 'led_1 call 100 120500';

describe('a leg that is dialed to put a caller through', () => {
  it('has one entry by the rate of its number, and its hold until then', async () => {
    const { storage, entries, held, remove } = await withCaps({ minutesPerDay: 100 });
    const calls = billedCalls(storage);
    const call = await calls.begin('call_1', OF);
    assert.deepEqual(await held(), { calls: 1, seconds: 930, micros: (930_000 * 70) / 60 + 1_500 });
    const leg = admitted(await calls.meter.admitLeg(legPlan(1)));
    const both = await held();
    assert.deepEqual([both.calls, both.seconds], [1, 1230], 'time, and no call more');
    leg.answered(AT_MS + 20_000);
    leg.ended(AT_MS + 81_000);
    leg.ended(AT_MS + 90_000);
    await settle();
    assert.deepEqual(await entries(), [LEG_1]);
    assert.equal((await held()).seconds, 930);
    // The second is on the line when the call ends.
    admitted(await calls.meter.admitLeg(legPlan(2))).answered(AT_MS + 80_500);
    assert.equal(await calls.end(call, 100_000), true);
    assert.deepEqual(await entries(), [CALL, LEG_1, LEG_2]);
    assert.deepEqual(await held(), { calls: 0, seconds: 0, micros: 0 });
    const days = { fromDay: DAY, toDay: DAY };
    const sums = await storage.usage.total(PAYING_WORKSPACE_ID, days, 'EUR');
    assert.deepEqual(
      [sums.calls, sums.answeredCalls, sums.seconds, sums.amountMicros],
      [1, 1, 181, 1_920_500],
    );
    await remove();
  });

  it('is free and has its list price in a demo workspace, and none to a browser', async () => {
    const { storage, remove, entries } = await withCaps();
    await storage.workspaces.update(PAYING_WORKSPACE_ID, { type: 'demo' }, 2);
    const { meter, begin, end } = billedCalls(storage);
    const call = await begin('call_1', OF);
    admitted(await meter.admitLeg(legPlan(1, { toNumber: 'sip:anna' }))).answered(AT_MS);
    const leg = admitted(await meter.admitLeg(legPlan(2)));
    leg.answered(AT_MS + 20_000);
    leg.ended(AT_MS + 30_000);
    await end(call, 100_000);
    assert.equal((await entries()).length, 2);
    const all = await storage.ledger.list(PAYING_WORKSPACE_ID, ALL, 100);
    const entry = all.find(({ kind }) => kind === 'transfer-leg');
    assert.deepEqual([entry?.amountMicros, entry?.listPriceMicros], [0, 600_000]);
    assert.equal(entry?.tariff?.perMinuteMicros, 600_000);
    await remove();
  });

  it('is refused with the reason of the cap when it cannot have all that its call has left', async () => {
    for (const [caps, reason] of [
      [{ minutesPerDay: 20 }, 'quota-exceeded'],
      [{ microsPerDay: 4_000_000 }, 'spend-cap-reached'],
    ] as const) {
      const { storage, held, entries, remove } = await withCaps(caps);
      const { meter, begin } = billedCalls(storage);
      await begin('call_1', OF);
      const before = await held();
      // 300 s: 1,230 s together, and 3.00 beside the 1.0865 of the call.
      assert.deepEqual(await meter.admitLeg(legPlan(1)), { admitted: false, reason });
      assert.deepEqual(await held(), before);
      const shorter = await meter.admitLeg(legPlan(2, { secondsLeft: 200 }));
      assert.equal(shorter.admitted, true);
      assert.deepEqual(await entries(), []);
      await remove();
    }
  });

  it('costs the same when the end of its call has to be written again', async () => {
    const { storage, entries, remove } = await withCaps();
    const calls = billedCalls(storage);
    const call = await calls.begin('call_1', OF);
    admitted(await calls.meter.admitLeg(legPlan(1))).answered(AT_MS + 39_500);
    const ending = { endedAtMs: AT_MS + 100_500, reason: 'caller-hung-up' } as const;
    // What was not written the first time.
    assert.equal(calls.meter.chargesOf(call, ending).length, 2);
    await calls.end(call, 100_000);
    assert.deepEqual(await entries(), [CALL, LEG_1]);
    await remove();
  });

  it('is charged once when its process dies, by whichever comes first', async () => {
    const { storage, file, entries, remove } = await withCaps({ minutesPerDay: 100 });
    const other = await openStorage({ file, log: silentLogger() });
    const calls = billedCalls(other);
    const call = await calls.begin('call_1', OF);
    await journalOf(other, calls.meter).answered(call.id, AT_MS);
    const answered = admitted(await calls.meter.admitLeg(legPlan(1)));
    answered.answered(AT_MS + 1_000);
    const ringing = admitted(await calls.meter.admitLeg(legPlan(2)));
    await settle();
    // Its lease is given back, and it goes on as if nothing had happened.
    await storage.writes.write({
      statement: {
        name: 'test-stop',
        rank: 9,
        sql: `UPDATE instances SET stopped_at_ms = 1, heartbeat_at_ms = ${AT_MS + 61_500}
          WHERE id IN (SELECT value ->> 0 FROM json_each(?1)) RETURNING id`,
      },
      id: other.instanceId,
      subject: 'test',
      row: [other.instanceId],
    });
    const meter = testMeter(() => storage);
    const next = await openStorage({
      file,
      log: silentLogger(),
      chargeOf: (ended) => meter.chargeOf(ended),
    });
    const expected = [
      'led_1 call 62 78500',
      'led_1_1 transfer-leg 61 1200000',
      'led_1_2 transfer-leg 0 0',
    ];
    assert.deepEqual(await entries(next), expected);
    answered.ended(AT_MS + 200_000);
    ringing.ended(AT_MS + 200_000);
    assert.equal(await calls.end(call, 200_000), false);
    await settle();
    await next.closeOrphans();
    assert.deepEqual(await entries(), expected);
    const { day, liveCalls } = await next.callHolds.standing(PAYING_WORKSPACE_ID, DAY, 'EUR');
    assert.deepEqual([day.held.seconds, liveCalls], [0, 0]);
    await next.close();
    await other.close();
    await remove();
  });
});
