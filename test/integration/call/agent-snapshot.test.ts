import assert from 'node:assert/strict';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';

describe('a live call', function () {
  this.timeout(60_000);
  let gateway: Gateway;
  let phone: CallPhone;
  before(async () => {
    gateway = await Gateway.start();
    const idle = { idle_after_ms: 2000, idle_prompts: ['Are you still there?'] };
    await gateway.changeAgent({ greeting_text: 'Hello there.', ...idle });
    phone = await CallPhone.open(gateway.sipPort);
  });
  after(async () => {
    phone?.close();
    await gateway?.stop();
  });

  it('keeps the agent of its start, whatever its owner changes meanwhile [R6]', async () => {
    await phone.call();
    const { call_id: id } = await gateway.nextCall();
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    await gateway.changeAgent({
      enabled: false,
      greeting_text: 'Other words.',
      idle_prompts: ['Nothing of before.'],
      time_limit_seconds: 10,
    });
    const live = await gateway.callWhen(id, 'prompted', (_, turns) => turns.length > 1);
    assert.equal(live.end_reason, null);
    assert.equal(live.transcript?.[1]?.text, 'Are you still there?');
    const stranger = await CallPhone.open(gateway.sipPort);
    assert.equal((await stranger.dial()).status, 480, 'the next call has the agent of now');
    stranger.close();
    await phone.hangUp();
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
  });
});
