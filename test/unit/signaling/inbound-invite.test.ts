import assert from 'node:assert/strict';

import { SignalingError } from '../../../src/signaling/signaling-error.ts';
import type { SipLegEnd } from '../../../src/signaling/sip-leg.ts';
import { Inbox } from '../../support/leg-owner.ts';
import type { Rig } from './rig.ts';
import { DIALOG_ID, inDialog, inviteText, Owner, SDP, startRig } from './rig.ts';

const withCode = (code: string) => (error: unknown) =>
  error instanceof SignalingError && error.code === code;

describe('an inbound INVITE', () => {
  let rig: Rig;
  let lost: Promise<void>;
  beforeEach(async () => {
    let onLost = () => {};
    lost = new Promise((resolve) => {
      onLost = resolve;
    });
    const trunkOf = (source: string) => (source === '192.0.2.77' ? 'carrier' : null);
    rig = await startRig({ trunkOf, onLost });
  });
  afterEach(() => rig.close());

  const nextInvite = async (headers: readonly string[] = [], body = SDP) => {
    rig.engine.deliver(inviteText(headers, body), { transactionId: 'invite' });
    return rig.invites.next();
  };
  const cancel = () => {
    rig.engine.deliver(
      inviteText(['Reason: SIP;cause=200;text="Call completed elsewhere"'], '').replaceAll(
        'INVITE',
        'CANCEL',
      ),
      { transactionId: 'invite' },
    );
  };

  it('says who calls whom, from where and with what', async () => {
    const invite = await nextInvite(['X-Account: 42', 'Diversion: <sip:boss@example.com>']);
    assert.deepEqual(invite.from, { user: 'ann', host: '192.0.2.77', displayName: 'Ann Caller' });
    assert.deepEqual(invite.dialed, { user: 'demo', host: '127.0.0.1', displayName: '' });
    assert.deepEqual(
      [invite.sourceAddress, invite.sourcePort, invite.transport, invite.trunk],
      ['192.0.2.77', 5066, 'udp', 'carrier'],
    );
    assert.deepEqual(invite.headers, {
      'x-account': '42',
      diversion: '<sip:boss@example.com>',
    });
    assert.equal(invite.offerSdp, SDP);
  });

  it('without a body is a late offer', async () => {
    assert.equal((await nextInvite([], '')).offerSdp, null);
  });

  it('may carry its offer in a multipart body', async () => {
    const body = `--b\r\nContent-Type: application/sdp\r\n\r\n${SDP}\r\n--b--\r\n`;
    rig.engine.deliver(
      inviteText([], body).replace('application/sdp', 'multipart/mixed;boundary=b'),
    );
    assert.equal((await rig.invites.next()).offerSdp?.trim(), SDP.trim());
  });

  it('rings once, however often it is told to', async () => {
    const invite = await nextInvite();
    invite.ring();
    invite.ring();
    const ringing = await rig.engine.nextSip('SIP/2.0 180');
    assert.doesNotMatch(ringing.sip, /100rel/);
    invite.refuse(486);
    await rig.engine.nextSip('SIP/2.0 486');
    assert.deepEqual(rig.engine.leftovers, []);
  });

  it('that requires 100rel rings reliably, and its 200 waits for the PRACK', async () => {
    const invite = await nextInvite(['Require: 100rel']);
    invite.ring();
    const answering = invite.answer(SDP, new Owner());
    const ringing = await rig.engine.nextSip('SIP/2.0 180');
    assert.match(ringing.sip, /^require: 100rel\r$/im);
    assert.deepEqual(rig.engine.leftovers, []);
    rig.engine.echo(ringing, DIALOG_ID, ringing.sip.replace('\r\n\r\n', '\r\nRSeq: 7\r\n\r\n'));
    rig.engine.deliver(inDialog('PRACK', 2, ['RAck: 7 1 INVITE']), { dialogId: DIALOG_ID });
    const first = await rig.engine.nextSip('SIP/2.0 200');
    const second = await rig.engine.nextSip('SIP/2.0 200');
    assert.match(first.sip, /cseq: 2 PRACK/i);
    assert.match(second.sip, /cseq: 1 INVITE/i);
    rig.engine.echoAnswer(second, DIALOG_ID);
    await answering;
  });

  it('that requires 100rel is answered all the same when the engine cannot do it', async () => {
    const invite = await nextInvite(['Require: 100rel']);
    invite.ring();
    const answering = invite.answer(SDP, new Owner());
    rig.engine.refuse(await rig.engine.nextSip('SIP/2.0 180'), 'no 100rel');
    rig.engine.echoAnswer(await rig.engine.nextSip('SIP/2.0 200'), DIALOG_ID);
    await answering;
  });

  it('is refused with what the refusal says', async () => {
    const invite = await nextInvite();
    invite.refuse(503, { retryAfterSeconds: 4.2, reasonText: 'going "down"\r\nX: 1' });
    const { sip } = await rig.engine.nextSip('SIP/2.0 503');
    assert.match(sip, /^retry-after: 5\r$/im);
    assert.match(sip, /^warning: 399 trunkline "going  down   X: 1"\r$/im);
    assert.equal(rig.signaling.callCount, 0);
  });

  it('takes the first verdict only', async () => {
    const invite = await nextInvite();
    invite.refuse(404);
    invite.refuse(486);
    await assert.rejects(invite.answer(SDP, new Owner()), withCode('INVITE_SETTLED'));
    await rig.engine.nextSip('SIP/2.0 404');
    assert.deepEqual(rig.engine.leftovers, []);
  });

  it('cannot be refused with a status that refuses nothing', async () => {
    const invite = await nextInvite();
    assert.throws(() => invite.refuse(200), TypeError);
    invite.refuse(480);
  });

  it('is not answered with more than the engine can carry', async () => {
    const invite = await nextInvite();
    const sdp = SDP + 'a=x\r\n'.repeat(1_000);
    await assert.rejects(invite.answer(sdp, new Owner()), withCode('SDP_TOO_LARGE'));
    invite.refuse(500);
  });

  it('that nobody decides about is refused in the end', async () => {
    await rig.close();
    rig = await startRig({ timeouts: { verdictMs: 20 } });
    const invite = await nextInvite();
    const end = await new Promise((resolve) => {
      invite.onCanceled(resolve);
    });
    assert.deepEqual(end, { reason: 'internal-error', sipStatus: 500, detail: null });
    await rig.engine.nextSip('SIP/2.0 500');
  });

  it('whose taker throws is refused with 500', async () => {
    await rig.close();
    rig = await startRig({
      onInvite: () => {
        throw new Error('a bug');
      },
    });
    rig.engine.deliver(inviteText());
    await rig.engine.nextSip('SIP/2.0 500');
    assert.equal(rig.signaling.callCount, 0);
  });

  describe('and CANCEL', () => {
    it('while it waits: its owner is told once, with the reason', async () => {
      const invite = await nextInvite();
      const ends = new Inbox<SipLegEnd>();
      invite.onCanceled((end) => ends.put(end));
      cancel();
      const detail = 'Call completed elsewhere';
      assert.deepEqual(await ends.next(), { reason: 'caller-canceled', sipStatus: 487, detail });
      cancel();
      rig.engine.crash();
      await lost;
      assert.equal(ends.all.length, 1);
      invite.refuse(486);
      await assert.rejects(invite.answer(SDP, new Owner()), withCode('INVITE_CANCELED'));
      assert.deepEqual(rig.engine.leftovers, []);
    });

    it('and the loss of the engine: its owner is told that too', async () => {
      const invite = await nextInvite();
      const ends = new Inbox<SipLegEnd>();
      invite.onCanceled((end) => ends.put(end));
      rig.engine.crash();
      assert.equal((await ends.next()).reason, 'sip-engine-lost');
      await assert.rejects(invite.answer(SDP, new Owner()), withCode('ENGINE_LOST'));
    });

    it('while we answer and the engine dies: the answer is rejected', async () => {
      const invite = await nextInvite();
      const owner = new Owner();
      const answering = invite.answer(SDP, owner);
      await rig.engine.nextSip('SIP/2.0 200');
      rig.engine.crash();
      await assert.rejects(answering, withCode('ENGINE_LOST'));
      assert.deepEqual(owner.ends.all, []);
    });

    it('in the same segment as the INVITE: its owner is told when it asks', async () => {
      rig.engine.together(() => {
        rig.engine.deliver(inviteText(), { transactionId: 'invite' });
        cancel();
      });
      const invite = await rig.invites.next();
      const end = await new Promise<{ reason: string | null }>((resolve) => {
        invite.onCanceled(resolve);
      });
      assert.equal(end.reason, 'caller-canceled');
    });

    it('that crosses our 200: the answer is rejected and no leg lives', async () => {
      const invite = await nextInvite();
      const owner = new Owner();
      const answering = invite.answer(SDP, owner);
      const ok = await rig.engine.nextSip('SIP/2.0 200');
      rig.engine.together(() => {
        cancel();
        rig.engine.refuse(ok, 'Response not sent due to unknown transaction');
      });
      await assert.rejects(answering, withCode('INVITE_CANCELED'));
      assert.deepEqual(owner.ends.all, []);
      assert.equal(rig.signaling.callCount, 0);
    });

    it('while the 200 waits for a PRACK: the answer is rejected and no 200 goes out', async () => {
      const invite = await nextInvite(['Require: 100rel']);
      invite.ring();
      const answering = invite.answer(SDP, new Owner());
      await rig.engine.nextSip('SIP/2.0 180');
      cancel();
      await assert.rejects(answering, withCode('INVITE_CANCELED'));
      assert.deepEqual(rig.engine.leftovers, []);
    });
  });

  describe('is refused at once', () => {
    const refused: [string, string, RegExp][] = [
      [
        'with an extension we lack',
        inviteText(['Require: 100rel, recursion']),
        /420[\s\S]*unsupported: recursion/i,
      ],
      ['without Contact', inviteText().replace(/Contact: .*\r\n/, ''), /400/],
      [
        'with a body of another type',
        inviteText().replace('application/sdp', 'text/plain'),
        /415[\s\S]*accept: application\/sdp/i,
      ],
      ['for a dialog nobody knows', inDialog('INVITE', 9), /481/],
    ];
    for (const [what, message, expected] of refused) {
      it(what, async () => {
        rig.engine.deliver(message);
        assert.match((await rig.engine.nextSip('SIP/2.0')).sip, expected);
        assert.deepEqual(rig.invites.all, []);
      });
    }
  });

  describe('beside other requests', () => {
    const requests: [string, RegExp][] = [
      ['OPTIONS', /^SIP\/2.0 200[\s\S]*allow: INVITE, ACK[\s\S]*accept: application\/sdp/i],
      ['MESSAGE', /^SIP\/2.0 405[\s\S]*allow:/i],
      ['REGISTER', /^SIP\/2.0 405/],
      ['SUBSCRIBE', /^SIP\/2.0 405/],
      ['REFER', /^SIP\/2.0 403/],
      ['NOTIFY', /^SIP\/2.0 481/],
      ['INFO', /^SIP\/2.0 481/],
      ['UPDATE', /^SIP\/2.0 481/],
      ['FROBNICATE', /^SIP\/2.0 501/],
    ];
    for (const [method, expected] of requests) {
      it(`${method} gets its own answer`, async () => {
        rig.engine.deliver(inDialog(method, 3).replace(';tag=ours', ''));
        assert.match((await rig.engine.nextSip('SIP/2.0')).sip, expected);
        assert.ok(rig.signaling.isConnected);
      });
    }

    it('OPTIONS is 503 while draining', async () => {
      rig.signaling.drain();
      rig.engine.deliver(inDialog('OPTIONS', 3).replace(';tag=ours', ''));
      assert.match((await rig.engine.nextSip('SIP/2.0')).sip, /^SIP\/2.0 503[\s\S]*retry-after/i);
    });
  });
});
