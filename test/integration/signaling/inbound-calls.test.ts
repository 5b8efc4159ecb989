import assert from 'node:assert/strict';

import { SignalingError } from '../../../src/signaling/signaling-error.ts';
import type { SipLegEnd } from '../../../src/signaling/sip-leg.ts';
import { Inbox } from '../../support/leg-owner.ts';
import { needsSipp, sipp } from '../../support/sipp.ts';
import { PhoneOwner, SipPhone } from './sip-phone.ts';

const DRACHTIO = Boolean(process.env['DRACHTIO_BIN']);

describe('a SIP phone that calls us', function () {
  this.timeout(60_000);
  let phone: SipPhone;
  before(function () {
    needsSipp(this);
  });
  beforeEach(async () => {
    phone = await SipPhone.start({ t1Ms: 100 });
  });
  afterEach(() => phone.close());

  const run = (scenario: string, transport: 'udp' | 'tcp' = 'udp') =>
    sipp({ scenario: `signaling-${scenario}`, remote: phone.engine.sip, transport });
  const hasEnded = async (owner: PhoneOwner, reason: SipLegEnd['reason']) => {
    assert.equal((await owner.ends.next()).reason, reason);
    assert.equal(owner.ends.all.length, 1);
    assert.equal(phone.signaling.callCount, 0);
  };

  for (const transport of ['udp', 'tcp'] as const) {
    it(`is answered and hangs up, over ${transport}`, async () => {
      const [{ owner }] = await Promise.all([phone.take(), run('caller-hangs-up', transport)]);
      await hasEnded(owner, 'caller-hung-up');
    });

    it(`is hung up on, over ${transport}`, async () => {
      const running = run('agent-hangs-up', transport);
      const { owner, leg } = await phone.take();
      await leg.hangUp({ q850: 16, text: 'the agent is done' });
      await running;
      await hasEnded(owner, null);
    });
  }

  it('hangs up in the instant of its ACK, ten times, and each call ends once', async () => {
    const calls = 10;
    const running = sipp({
      scenario: 'signaling-caller-hangs-up-at-once',
      remote: phone.engine.sip,
      calls,
      callsPerSecond: 50,
    });
    const taken = Array.from({ length: calls }, () => phone.take());
    for (const { owner } of await Promise.all(taken)) {
      assert.equal((await owner.ends.next()).reason, 'caller-hung-up');
      assert.equal(owner.ends.all.length, 1);
    }
    await running;
  });

  it('cancels while it rings', async () => {
    const running = run('cancel-while-ringing');
    const invite = await phone.invites.next();
    const ends = new Inbox<SipLegEnd>();
    invite.onCanceled((end) => ends.put(end));
    invite.ring();
    assert.deepEqual(await ends.next(), {
      reason: 'caller-canceled',
      sipStatus: 487,
      detail: 'Call completed elsewhere',
    });
    await running;
    await assert.rejects(invite.answer('v=0', new PhoneOwner()), SignalingError);
  });

  it('cancels before we have said anything', async () => {
    const running = run('cancel-at-once');
    const invite = await phone.invites.next();
    const ends = new Inbox<SipLegEnd>();
    invite.onCanceled((end) => ends.put(end));
    assert.equal((await ends.next()).reason, 'caller-canceled');
    await running;
  });

  for (const status of [486, 503]) {
    it(`is refused with ${status}`, async () => {
      const running = run(`refused-${status}`);
      (await phone.invites.next()).refuse(status, { retryAfterSeconds: 7 });
      await running;
      assert.equal(phone.signaling.callCount, 0);
    });
  }

  it('has no codec of ours and is told so', async () => {
    await Promise.all([run('refused-488'), phone.refuseBySdp()]);
  });

  it('requires an extension we lack', async () => {
    await run('refused-420');
  });

  it('offers nothing, and answers our offer in its ACK', async () => {
    const [{ owner }] = await Promise.all([phone.take(), run('late-offer')]);
    assert.match(await owner.answers.next(), /m=audio/);
    await hasEnded(owner, 'caller-hung-up');
  });

  it('holds, resumes without an offer, and changes by UPDATE', async () => {
    const [{ owner }] = await Promise.all([phone.take(), run('hold-and-resume')]);
    assert.deepEqual(
      owner.offers.all.map((sdp) => /a=(sendonly|inactive)/.exec(sdp)?.[1]),
      ['sendonly', 'inactive'],
    );
    assert.equal(owner.answers.all.length, 1);
    await hasEnded(owner, 'caller-hung-up');
  });

  it('wants a codec we lack in mid-call, and the call goes on', async () => {
    const [{ owner }] = await Promise.all([phone.take(), run('reinvite-refused')]);
    await hasEnded(owner, 'caller-hung-up');
  });

  it('sends keys by INFO', async () => {
    const [{ owner }] = await Promise.all([phone.take(), run('info-digits')]);
    assert.deepEqual(owner.digits.all, ['5', '#']);
    await hasEnded(owner, 'caller-hung-up');
  });

  it('asks for what we do not do, and is told so', async () => {
    const [{ owner }] = await Promise.all([phone.take(), run('other-requests')]);
    await hasEnded(owner, 'caller-hung-up');
  });

  it('requires reliable provisional responses', async () => {
    const [{ owner }] = await Promise.all([phone.take(), run('requires-100rel')]);
    await hasEnded(owner, 'caller-hung-up');
  });

  it('never acknowledges our 200', async function () {
    // drachtio-server waits its 32 s.
    this.timeout(DRACHTIO ? 60_000 : 20_000);
    const running = sipp({
      scenario: 'signaling-never-acks',
      remote: phone.engine.sip,
      timeoutMs: 50_000,
    });
    const { owner } = await phone.take();
    assert.equal((await owner.ends.next()).reason, 'ack-timeout');
    await running;
    assert.equal(owner.ends.all.length, 1);
  });

  it('is told by OPTIONS what we can do, and that we are draining', async () => {
    await run('options');
    phone.signaling.drain();
    await run('options-draining');
  });
});
