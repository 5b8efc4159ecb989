import assert from 'node:assert/strict';
import { asAgentId } from '../../../src/model/ids.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { DEMO_WORKSPACE_ID } from '../../../src/storage/bootstrap.ts';
import { openStorage, type Storage } from '../../../src/storage/storage.ts';
import { newCall, temporaryStorage } from '../../support/storage.ts';

const AGENT = asAgentId('agt_demo');
const NUMBER = '+34955666777';

describe('storage of click-to-call', () => {
  let temporary: Awaited<ReturnType<typeof temporaryStorage>>;
  let other: Storage;
  before(async () => {
    temporary = await temporaryStorage();
    // As a second process on the same file.
    other = await openStorage({ file: temporary.file, log: silentLogger() });
  });
  after(async () => {
    await other.close();
    await temporary.remove();
  });

  it('gives a number to one of many that want it at once, over two processes [R19]', async () => {
    const asked = Array.from({ length: 500 }, (_, n) =>
      (n % 2 === 0 ? temporary.storage : other).clickToCall.reserve(AGENT, NUMBER, 1000),
    );
    const taken = (await Promise.all(asked)).filter((isTaken) => isTaken);
    assert.equal(taken.length, 1);
    assert.equal(await other.clickToCall.reserve(AGENT, '+34955666778', 1000), true);
    assert.equal(await other.clickToCall.reserve(asAgentId('agt_x'), NUMBER, 1000), true);
  });

  it('holds it while the call lives, and a minute for a process that died before', async () => {
    const { clickToCall, calls } = temporary.storage;
    assert.equal(await clickToCall.reserve(AGENT, NUMBER, 60_999), false);
    assert.equal(
      await clickToCall.reserve(AGENT, NUMBER, 61_001),
      true,
      'its call was never named',
    );
    const call = newCall('call_1', { direction: 'outbound', toNumber: NUMBER });
    await calls.create(call);
    await clickToCall.settle(AGENT, NUMBER, call.id);
    assert.equal(await other.clickToCall.reserve(AGENT, NUMBER, 9_000_000), false);
    await calls.end(call.id, {
      endedAtMs: 9_000_000,
      reason: 'no-answer',
      sipStatus: null,
      report: null,
    });
    assert.equal(await other.clickToCall.reserve(AGENT, NUMBER, 9_000_001), true);
    await other.clickToCall.settle(AGENT, NUMBER, null);
    assert.equal(await clickToCall.reserve(AGENT, NUMBER, 9_000_002), true, 'it was given back');
  });

  it('makes one pair of credentials for all who ask first, and one more for tests', async () => {
    const owner = { agentId: AGENT, workspaceId: DEMO_WORKSPACE_ID, isTest: false };
    const both = [temporary.storage.clickToCall, other.clickToCall];
    const made = await Promise.all([...both, ...both].map((one) => one.ensure(owner, 5)));
    assert.equal(new Set(made.map((one) => one.token)).size, 1);
    const test = await other.clickToCall.ensure({ ...owner, isTest: true }, 5);
    assert.match(test.token, /^ctk_test_/);
    const found = await temporary.storage.clickToCall.findByToken(test.token, 6);
    assert.deepEqual(found, test);
    assert.equal(await other.clickToCall.findByToken('ctk_unknown', 6), null);
  });

  it('remembers a request once, and its answer for whoever asks again', async () => {
    const both = [temporary.storage.clickToCall, other.clickToCall] as const;
    const first = await Promise.all(both.map((one) => one.remember('key', 'hash', 5)));
    assert.equal(first.filter((before) => before === null).length, 1);
    await both[0].answer('key', '{"callId":"call_1"}');
    const again = await both[1].remember('key', 'other', 6);
    assert.deepEqual(again, { bodyHash: 'hash', answer: '{"callId":"call_1"}' });
    await both[0].answer('key', null);
    assert.equal(await both[1].remember('key', 'other', 7), null);
  });
});
