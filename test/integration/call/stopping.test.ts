import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { header } from '../../support/sip-phone.ts';

describe('a daemon that is told to stop', function () {
  this.timeout(60_000);
  let dataDir: string;
  const gateways: Gateway[] = [];
  const phones: CallPhone[] = [];
  /** Calls of earlier tests, and how they must stand in the data. */
  const expected = new Map<string, string>();

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'trunkline-stop-'));
  });
  afterEach(async () => {
    for (const phone of phones.splice(0)) phone.close();
    for (const gateway of gateways.splice(0)) await gateway.kill();
  });
  after(() => rm(dataDir, { recursive: true, force: true }));

  async function start(): Promise<Gateway> {
    const gateway = await Gateway.start({ dataDir });
    gateways.push(gateway);
    return gateway;
  }

  async function phoneOf(gateway: Gateway): Promise<CallPhone> {
    const phone = await CallPhone.open(gateway.sipPort);
    phones.push(phone);
    return phone;
  }

  it('says what it waits for, refuses new calls, lets the live one end, and exits with 0', async () => {
    const gateway = await start();
    const phone = await phoneOf(gateway);
    await phone.call();
    const { call_id: id } = await gateway.nextCall();
    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await gateway.line(/draining: 1 call live/);

    const late = await phoneOf(gateway);
    const refused = await late.dial();
    assert.equal(refused.status, 503);
    assert.match(header(refused, 'retry-after'), /^\d+$/);
    const health = (await (await gateway.api('/health')).json()) as { status: string };
    assert.equal(health.status, 'draining');

    // It still speaks.
    await phone.untilSound();
    assert.equal((await phone.hangUp()).status, 200);
    const [exitCode] = await exited;
    assert.equal(exitCode, 0);
    assert.equal(gateway.endLines(id).length, 1);
    expected.set(id, 'caller-hung-up');
  });

  it('hangs up at once when it is told a second time', async () => {
    const gateway = await start();
    const phone = await phoneOf(gateway);
    await phone.call();
    const { call_id: id } = (await gateway.calls())[0] ?? assert.fail();
    await phone.untilSound();
    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await gateway.line(/draining: 1 call live/);
    gateway.process.kill('SIGTERM');
    await phone.sip.nextRequest('BYE');
    const [exitCode] = await exited;
    assert.equal(exitCode, 0);
    assert.equal(gateway.endLines(id).length, 1);
    expected.set(id, 'stopped-by-operator');
  });

  it('keeps what was written, and closes the calls of one that was killed, once', async () => {
    const gateway = await start();
    const phone = await phoneOf(gateway);
    await gateway.changeAgent({ greeting_text: 'Hello there.' });
    await phone.call();
    const { call_id: id } = (await gateway.calls())[0] ?? assert.fail();
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length === 1);
    await gateway.kill();

    const second = await start();
    const call = await second.endOf(id);
    assert.equal(call.end_reason, 'daemon-crashed');
    assert.equal(call.blame, 'gateway');
    assert.equal(call.status, 'completed');
    assert.equal(call.transcript?.length, 1);
    assert.notEqual(call['ended_at'], null);
    for (const [earlier, reason] of expected) {
      const stored = await second.call(earlier);
      assert.equal(stored.end_reason, reason);
      assert.equal(stored.transcript?.[0]?.is_interrupted, true);
    }
    await second.kill();

    const third = await start();
    assert.deepEqual(await third.call(id), call);
    const stopped = third.stop();
    assert.equal(await stopped, 0);
  });
});
