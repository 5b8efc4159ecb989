import assert from 'node:assert/strict';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { startTestEngine, type TestEngine } from '../../support/test-engine.ts';

const GREETING = 'Hello there.';

describe('a call through drachtio-server', function () {
  this.timeout(60_000);
  let engine: TestEngine;
  let gateway: Gateway;
  let phone: CallPhone;

  before(async function () {
    if ((process.env['DRACHTIO_BIN'] ?? '') === '') {
      process.stderr.write('skipped: DRACHTIO_BIN names no drachtio-server\n');
      this.skip();
    }
    engine = await startTestEngine();
    const { host, port, secret } = engine.address;
    const address = `drachtio://:${encodeURIComponent(secret)}@${host}:${port}`;
    gateway = await Gateway.start({ env: { TRUNKLINE_SIP_ENGINE: address } });
    await gateway.changeAgent({ greeting_text: GREETING });
  });
  after(async () => {
    await gateway?.stop();
    await engine?.close();
  });
  beforeEach(async () => {
    phone = await CallPhone.open(engine.sip.port);
  });
  afterEach(() => phone?.close());

  it('is greeted and ends when the caller hangs up', async () => {
    await phone.call();
    const { call_id: id } = await gateway.nextCall();
    await gateway.callWhen(id, 'greeted', (_, turns) => turns[0]?.text === GREETING);
    assert.equal((await phone.hangUp()).status, 200);
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'caller-hung-up');
    assert.equal(gateway.endLines(id).length, 1);
  });

  it('is refused, canceled and hung up by its owner as with our own engine', async () => {
    const nobody = await CallPhone.open(engine.sip.port);
    assert.equal((await nobody.dial({ user: 'nobody' })).status, 404);
    nobody.close();

    const hasty = await CallPhone.open(engine.sip.port);
    const final = hasty.dial();
    hasty.sip.cancel();
    const { status } = await final;
    if (status === 200) await hasty.hangUp();
    hasty.close();
    const canceled = await gateway.nextEndedCall();
    const reason = status === 200 ? 'caller-hung-up' : 'caller-canceled';
    assert.equal(canceled.end_reason, reason);

    await phone.call();
    const { call_id: id } = await gateway.nextCall();
    await phone.untilSound();
    await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
    await phone.sip.nextRequest('BYE');
    assert.equal((await gateway.endOf(id)).end_reason, 'operator-hung-up');
  });
});
