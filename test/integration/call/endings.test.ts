import assert from 'node:assert/strict';
import { setImmediate as soon, setTimeout as delay } from 'node:timers/promises';
import { CallPhone } from '../../support/call-phone.ts';
import { type CallView, Gateway } from '../../support/gateway.ts';
import { header } from '../../support/sip-phone.ts';

/** 64 times T1 (RFC 3261 §13.3.1.4), and room for a busy machine. */
const ACK_TIMEOUT_MS = 32_000;

describe('however a call ends, it ends once', function () {
  this.timeout(60_000);
  let gateway: Gateway;
  let phone: CallPhone;
  /** Called before all others and never acknowledged: its end is looked at last. */
  let unacknowledged: { readonly phone: CallPhone; readonly id: string; readonly atMs: number };

  before(async () => {
    gateway = await Gateway.start();
    const silent = await CallPhone.open(gateway.sipPort);
    await silent.call({ acknowledge: false });
    const { call_id: id } = await gateway.nextCall();
    unacknowledged = { phone: silent, id, atMs: performance.now() };
  });
  after(async () => {
    unacknowledged?.phone.close();
    await gateway?.stop();
  });
  beforeEach(async () => {
    phone = await CallPhone.open(gateway.sipPort);
  });
  afterEach(() => phone.close());

  async function endedOnce(reason: string, blame = 'none'): Promise<CallView> {
    const call = await gateway.nextEndedCall();
    assert.equal(call.end_reason, reason);
    assert.equal(call.blame, blame);
    assert.equal(gateway.endLines(call.call_id).length, 1);
    return call;
  }

  /** Everything but the unacknowledged call is gone, and was counted once. */
  async function nothingLeaked(): Promise<void> {
    const endsAtMs = performance.now() + 10_000;
    while ((await gateway.metric('trunkline_calls_live')) > 1 && performance.now() < endsAtMs) {
      await delay(50);
    }
    assert.equal(await gateway.metric('trunkline_calls_live'), 1);
    const started = await gateway.metric('trunkline_calls_started_total');
    assert.equal(await gateway.metric('trunkline_calls_ended_total'), started - 1);
  }

  it('by a CANCEL on the heels of the INVITE', async () => {
    const final = phone.dial();
    phone.sip.cancel();
    assert.equal((await final).status, 487);
    const call = await endedOnce('caller-canceled');
    assert.equal(call.status, 'failed');
    assert.equal(call.sip_status, 487);
    await nothingLeaked();
  });

  it('by a CANCEL at the first sign of the gateway', async () => {
    const trying = new Promise<void>((resolve) => phone.sip.once('status-100', () => resolve()));
    const final = phone.dial();
    // An answer that comes sooner than 200 ms needs no 100 (RFC 3261 §17.2.1).
    await Promise.race([trying, final]);
    phone.sip.cancel();
    const { status } = await final;
    if (status === 200) await phone.hangUp();
    else assert.equal(status, 487);
    await endedOnce(status === 200 ? 'caller-hung-up' : 'caller-canceled');
    await nothingLeaked();
  });

  it('by a CANCEL that races the 200, at ten moments', async () => {
    for (let moment = 0; moment < 10; moment += 1) {
      const racer = await CallPhone.open(gateway.sipPort);
      const final = racer.dial();
      if (moment % 2 === 1) await soon();
      if (moment > 1) await delay(moment / 2);
      racer.sip.cancel();
      const { status } = await final;
      if (status === 200) await racer.hangUp();
      racer.close();
      await endedOnce(status === 200 ? 'caller-hung-up' : 'caller-canceled');
    }
    await nothingLeaked();
  });

  it('by a BYE right behind the ACK', async () => {
    await phone.call();
    assert.equal((await phone.hangUp()).status, 200);
    const call = await endedOnce('caller-hung-up');
    assert.equal(call.status, 'completed');
    await nothingLeaked();
  });

  it('by a BYE instead of the ACK', async () => {
    await phone.call({ acknowledge: false });
    assert.equal((await phone.hangUp()).status, 200);
    await endedOnce('caller-hung-up');
    await nothingLeaked();
  });

  it('by two BYEs at once', async () => {
    await phone.call();
    const answers = await Promise.all([phone.hangUp(), phone.hangUp()]);
    assert.ok(answers.some(({ status }) => status === 200));
    assert.ok(answers.every(({ status }) => status === 200 || status === 481));
    await endedOnce('caller-hung-up');
    await nothingLeaked();
  });

  it('by a BYE that crosses the one of its owner', async () => {
    await phone.call();
    const { call_id: id } = await gateway.nextCall();
    const [deleted, bye] = await Promise.all([
      gateway.api(`/v1/calls/${id}`, { method: 'DELETE' }),
      phone.hangUp(),
    ]);
    assert.equal(deleted.status, 204);
    assert.ok(bye.status === 200 || bye.status === 481, String(bye.status));
    const call = await gateway.endOf(id);
    assert.ok(['caller-hung-up', 'operator-hung-up'].includes(call.end_reason ?? ''));
    assert.equal(gateway.endLines(id).length, 1);
    await nothingLeaked();
  });

  it('when the daemon refuses: nobody has that name', async () => {
    assert.equal((await phone.dial({ user: 'nobody' })).status, 404);
    await nothingLeaked();
  });

  it('when the agent is switched off', async () => {
    await gateway.changeAgent({ enabled: false });
    assert.equal((await phone.dial()).status, 480);
    await gateway.changeAgent({ enabled: true });
    const call = await endedOnce('agent-disabled', 'operator');
    assert.equal(call.sip_status, 480);
    await nothingLeaked();
  });

  it('when the agent has as many calls as it may', async () => {
    await gateway.changeAgent({ concurrent_calls_max: 1 });
    assert.equal((await phone.dial()).status, 486);
    await gateway.changeAgent({ concurrent_calls_max: 100 });
    const call = await endedOnce('agent-busy', 'operator');
    assert.equal(call.sip_status, 486);
    await nothingLeaked();
  });

  it('when there is no common codec', async () => {
    const sdp = phone
      .sdp()
      .replace('RTP/AVP 0 101', 'RTP/AVP 18')
      .replace('rtpmap:0 PCMU', 'rtpmap:18 G729');
    assert.equal((await phone.dial({ sdp })).status, 488);
    const call = await endedOnce('no-common-codec', 'caller');
    assert.equal(call.sip_status, 488);
    await nothingLeaked();
  });

  it('when the offer is no session description', async () => {
    assert.equal((await phone.dial({ sdp: 'v=0\r\nthis is nonsense\r\n' })).status, 400);
    const call = await endedOnce('bad-offer', 'caller');
    assert.equal(call.sip_status, 400);
    await nothingLeaked();
  });

  it('when its 200 is never acknowledged', async () => {
    const bye = await unacknowledged.phone.sip.nextRequest('BYE');
    const waitedMs = performance.now() - unacknowledged.atMs;
    assert.ok(header(bye, 'call-id') === unacknowledged.phone.sip.callId);
    // It may be given up later than that on a busy machine, but never sooner.
    assert.ok(waitedMs > ACK_TIMEOUT_MS - 1000, `after ${waitedMs} ms`);
    const call = await gateway.endOf(unacknowledged.id);
    assert.equal(call.end_reason, 'ack-timeout');
    assert.equal(call.blame, 'caller');
    assert.equal(gateway.endLines(call.call_id).length, 1);
    assert.equal(await gateway.metric('trunkline_calls_live'), 0);
  });
});
