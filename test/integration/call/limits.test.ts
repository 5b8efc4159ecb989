import assert from 'node:assert/strict';
import { CallPhone } from '../../support/call-phone.ts';
import { freeUdpPort } from '../../support/free-port.ts';
import { Gateway } from '../../support/gateway.ts';
import { header } from '../../support/sip-phone.ts';

const GREETING = 'Hello there.';
const GOODBYE = 'Our time is up. Thank you for calling. Goodbye.';

describe('the limits of a call', function () {
  this.timeout(60_000);
  let gateway: Gateway;
  let phone: CallPhone;

  before(async () => {
    gateway = await Gateway.start({
      env: { TRUNKLINE_LIMITS_CALLS_MAX: '1', TRUNKLINE_LIMITS_CALL_SECONDS_MAX: '10' },
    });
    await gateway.changeAgent({ greeting_text: GREETING });
  });
  after(() => gateway?.stop());
  beforeEach(async () => {
    phone = await CallPhone.open(gateway.sipPort);
  });
  afterEach(() => phone.close());

  it('are of the daemon: one more call than it takes is refused with 503', async () => {
    await phone.call();
    const { call_id: first } = await gateway.nextCall();
    const second = await CallPhone.open(gateway.sipPort);
    const refused = await second.dial();
    second.close();
    assert.equal(refused.status, 503);
    assert.match(header(refused, 'retry-after'), /^\d+$/);
    const call = await gateway.nextEndedCall();
    assert.equal(call.end_reason, 'at-capacity');
    assert.equal(call.blame, 'gateway');
    assert.equal(call.sip_status, 503);
    assert.equal((await gateway.call(first)).end_reason, null);
    await phone.hangUp();
    await gateway.endOf(first);
  });

  it('are of its agent: who stays silent is asked, and then the call ends', async () => {
    await gateway.changeAgent({ idle_after_ms: 1000, idle_prompts: ['Are you still there?'] });
    await phone.call();
    const { call_id: id } = await gateway.nextCall();
    await phone.sip.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'caller-silent');
    assert.equal(call.blame, 'caller');
    assert.deepEqual(
      call.transcript?.map(({ text }) => text),
      [GREETING, 'Are you still there?'],
    );
    assert.equal(gateway.endLines(id).length, 1);
  });

  it('are of time: the agent says so and hangs up', async () => {
    await gateway.changeAgent({ idle_after_ms: 60_000 });
    await phone.call();
    const { call_id: id } = await gateway.nextCall();
    await phone.sip.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'time-limit');
    assert.equal(call.blame, 'none');
    assert.equal(call.transcript?.at(-1)?.text, GOODBYE);
    assert.equal(gateway.endLines(id).length, 1);
  });
});

describe('a daemon with media ports for one call', function () {
  this.timeout(60_000);
  let gateway: Gateway;

  before(async () => {
    const port = 2 * Math.floor((await freeUdpPort()) / 2);
    gateway = await Gateway.start({
      env: { TRUNKLINE_MEDIA_WORKERS: '1', TRUNKLINE_MEDIA_PORTS: `${port}-${port + 1}` },
    });
  });
  after(() => gateway?.stop());

  it('refuses the second with 503, and the first goes on', async () => {
    const phones = [
      await CallPhone.open(gateway.sipPort),
      await CallPhone.open(gateway.sipPort),
    ] as const;
    const [first, second] = phones;
    await first.call();
    const { call_id: id } = await gateway.nextCall();
    const refused = await second.dial();
    assert.equal(refused.status, 503);
    assert.match(header(refused, 'retry-after'), /^\d+$/);
    assert.equal((await gateway.nextEndedCall()).end_reason, 'at-capacity');
    await first.untilSound();
    assert.equal((await gateway.call(id)).end_reason, null);
    await first.hangUp();
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
    for (const phone of phones) phone.close();
  });
});
