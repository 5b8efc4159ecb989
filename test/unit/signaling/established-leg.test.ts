import assert from 'node:assert/strict';

import { SignalingError } from '../../../src/signaling/signaling-error.ts';
import type { SipLeg } from '../../../src/signaling/sip-leg.ts';
import type { AppFrame } from '../../support/scripted-engine.ts';
import type { Rig } from './rig.ts';
import {
  DIALOG_ID,
  inDialog,
  inviteText,
  LATER_SDP,
  Owner,
  SDP,
  SDP_TYPE,
  startRig,
} from './rig.ts';

const withCode = (code: string) => (error: unknown) =>
  error instanceof SignalingError && error.code === code;

describe('an established leg', () => {
  let rig: Rig;
  let owner: Owner;
  let leg: SipLeg;

  const deliver = (method: string, cseq: number, headers: readonly string[] = [], body = '') => {
    const transactionId = method === 'ACK' ? 'invite' : `${method}-${cseq}`;
    rig.engine.deliver(inDialog(method, cseq, headers, body), {
      dialogId: DIALOG_ID,
      transactionId,
    });
  };
  /** Answers a request of ours as the remote side would. */
  const respondTo = (frame: AppFrame, status: string, headers: string[] = [], body = '') => {
    const method = frame.sip.split(' ', 1)[0] ?? '';
    const sent = frame.sip.replace(
      '\r\n\r\n',
      `\r\nCall-ID: one@test\r\nFrom: <sip:demo@h>;tag=ours\r\nTo: <sip:ann@h>;tag=theirs\r\nCSeq: 9 ${method}\r\n\r\n`,
    );
    rig.engine.echoRequest(frame, `out-${method}`, sent);
    rig.engine.deliver(
      [
        `SIP/2.0 ${status}`,
        'From: <sip:demo@h>;tag=ours',
        'To: <sip:ann@h>;tag=theirs',
        'Call-ID: one@test',
        `CSeq: 9 ${method}`,
        ...headers,
        '',
        body,
      ].join('\r\n'),
      { transactionId: `out-${method}`, dialogId: DIALOG_ID },
    );
  };
  const answerInvite = async (headers: readonly string[] = [], body = SDP) => {
    owner = new Owner();
    rig.engine.deliver(inviteText(headers, body), { transactionId: 'invite' });
    const invite = await rig.invites.next();
    const answering = invite.answer(SDP, owner);
    rig.engine.echoAnswer(await rig.engine.nextSip('SIP/2.0 200'), DIALOG_ID);
    leg = await answering;
  };
  const hasEndedOnceWith = async (reason: string | null) => {
    const end = await owner.ends.next();
    assert.equal(end.reason, reason);
    assert.equal(rig.signaling.callCount, 0);
    assert.equal(owner.ends.all.length, 1);
    return end;
  };

  beforeEach(async () => {
    rig = await startRig({
      timeouts: { byeMs: 200, requestMs: 200, reinviteMs: 400, offerMs: 50 },
    });
    await answerInvite();
  });
  afterEach(() => rig.close());

  describe('ends', () => {
    it('when the caller hangs up, with the reason it gave', async () => {
      deliver('BYE', 2, ['Reason: Q.850;cause=16;text="Normal call clearing"']);
      const end = await hasEndedOnceWith('caller-hung-up');
      assert.equal(end.detail, 'Normal call clearing');
      assert.match((await rig.engine.nextSip('SIP/2.0 200')).sip, /cseq: 2 BYE/i);
    });

    it('when the BYE comes in the same segment as the echo of our 200', async () => {
      deliver('BYE', 2);
      await hasEndedOnceWith('caller-hung-up');
      await rig.engine.nextSip('SIP/2.0 200');
      owner = new Owner();
      rig.engine.deliver(inviteText(), { transactionId: 'invite' });
      const answering = (await rig.invites.next()).answer(SDP, owner);
      const ok = await rig.engine.nextSip('SIP/2.0 200');
      rig.engine.together(() => {
        rig.engine.echoAnswer(ok, DIALOG_ID);
        deliver('BYE', 2);
      });
      await answering;
      await hasEndedOnceWith('caller-hung-up');
    });

    it('by our BYE, which waits for the ACK', async () => {
      const ending = leg.hangUp({ q850: 16, text: 'the agent "said" goodbye' });
      assert.deepEqual(rig.engine.leftovers, []);
      deliver('ACK', 1);
      const bye = await rig.engine.nextSip('BYE');
      assert.match(bye.sip, /^reason: Q\.850;cause=16;text="the agent  said  goodbye"\r$/im);
      respondTo(bye, '200 OK');
      await ending;
      await leg.hangUp();
      await hasEndedOnceWith(null);
      assert.deepEqual(rig.engine.leftovers, []);
    });

    it('for its owner even when the ACK never comes, and the BYE follows a late one', async () => {
      await leg.hangUp();
      await hasEndedOnceWith(null);
      assert.deepEqual(rig.engine.leftovers, []);
      deliver('ACK', 1);
      await rig.engine.nextSip('BYE');
      assert.equal(owner.ends.all.length, 1);
    });

    it('by our BYE even when nobody answers it', async () => {
      deliver('ACK', 1);
      await leg.hangUp();
      await hasEndedOnceWith(null);
      await rig.engine.nextSip('BYE');
    });

    it('once when both hang up at the same time', async () => {
      deliver('ACK', 1);
      const ending = leg.hangUp();
      await rig.engine.nextSip('BYE');
      deliver('BYE', 2);
      await ending;
      await hasEndedOnceWith(null);
    });

    it('when the engine saw no ACK', async () => {
      rig.engine.deliver(inDialog('BYE', 2, ['Reason: SIP;cause=200;text="ACK timeout"']), {
        source: 'application',
        transactionId: 'unsolicited',
        dialogId: DIALOG_ID,
      });
      await hasEndedOnceWith('ack-timeout');
      assert.deepEqual(rig.engine.leftovers, []);
    });

    it('when the session timer ran out', async () => {
      rig.engine.deliver(
        inDialog('BYE', 2, ['Reason: SIP;cause=200;text="Session timer expired"']),
        { source: 'application', transactionId: 'unsolicited', dialogId: DIALOG_ID },
      );
      await hasEndedOnceWith('caller-lost');
    });

    it('when the engine is lost', async () => {
      rig.engine.crash();
      await hasEndedOnceWith('sip-engine-lost');
    });

    it('when the engine is lost while our BYE is out', async () => {
      deliver('ACK', 1);
      const ending = leg.hangUp();
      await rig.engine.nextSip('BYE');
      rig.engine.crash();
      await ending;
      await hasEndedOnceWith(null);
    });

    it('when its owner has a bug, and only this one', async () => {
      deliver('ACK', 1);
      owner.onDigit = () => {
        throw new Error('a bug');
      };
      deliver('INFO', 2, ['Content-Type: application/dtmf'], '1');
      respondTo(await rig.engine.nextSip('BYE'), '200 OK');
      await hasEndedOnceWith('internal-error');
      assert.ok(rig.signaling.isConnected);
    });
  });

  describe('with a late offer', () => {
    beforeEach(async () => {
      deliver('BYE', 2);
      await owner.ends.next();
      await rig.engine.nextSip('SIP/2.0 200');
      await answerInvite([], '');
    });

    it('gets the answer of the ACK', async () => {
      deliver('ACK', 1, SDP_TYPE, LATER_SDP);
      assert.equal(await owner.answers.next(), LATER_SDP);
    });

    it('without an answer in the ACK is hung up', async () => {
      deliver('ACK', 1);
      respondTo(await rig.engine.nextSip('BYE'), '200 OK');
      await hasEndedOnceWith('bad-offer');
    });
  });

  describe('gets a re-INVITE', () => {
    beforeEach(() => {
      deliver('ACK', 1);
    });

    it('and answers it', async () => {
      deliver('INVITE', 2, SDP_TYPE, LATER_SDP);
      assert.equal(await owner.offers.next(), LATER_SDP);
      const { sip } = await rig.engine.nextSip('SIP/2.0 200');
      assert.match(sip, /cseq: 2 INVITE/i);
      assert.ok(sip.endsWith(LATER_SDP));
    });

    it('and refuses it with what its owner says', async () => {
      owner.reply = () => Promise.resolve({ type: 'refuse', status: 488 });
      deliver('INVITE', 2, SDP_TYPE, LATER_SDP);
      await rig.engine.nextSip('SIP/2.0 488');
      deliver('INVITE', 3, SDP_TYPE, LATER_SDP);
      await rig.engine.nextSip('SIP/2.0 488');
    });

    it('and refuses it with 500 when its owner says nothing, or throws', async () => {
      owner.reply = () => new Promise(() => {});
      deliver('INVITE', 2, SDP_TYPE, LATER_SDP);
      await rig.engine.nextSip('SIP/2.0 500');
      owner.reply = () => Promise.reject(new Error('no'));
      deliver('INVITE', 3, SDP_TYPE, LATER_SDP);
      assert.match((await rig.engine.nextSip('SIP/2.0 500')).sip, /cseq: 3/i);
    });

    it('while another is open, and tells it to come back', async () => {
      owner.reply = () => new Promise(() => {});
      deliver('INVITE', 2, SDP_TYPE, SDP);
      deliver('INVITE', 3, SDP_TYPE, SDP);
      const { sip } = await rig.engine.nextSip('SIP/2.0 500');
      assert.match(sip, /cseq: 3[\s\S]*retry-after: \d+\r\n/i);
    });

    it('without an offer: offers, and takes the answer of its ACK', async () => {
      deliver('INVITE', 2);
      const { sip } = await rig.engine.nextSip('SIP/2.0 200');
      assert.ok(sip.endsWith(SDP));
      deliver('ACK', 2, SDP_TYPE, LATER_SDP);
      assert.equal(await owner.answers.next(), LATER_SDP);
    });

    it('with a body of another type, and refuses that', async () => {
      deliver('INVITE', 2, ['Content-Type: text/plain'], 'hello');
      assert.match((await rig.engine.nextSip('SIP/2.0 415')).sip, /accept: application\/sdp/i);
    });

    it('that is canceled, and says no more', async () => {
      let reply: (value: { type: 'answer'; sdp: string }) => void = () => {};
      owner.reply = () =>
        new Promise((resolve) => {
          reply = resolve;
        });
      deliver('INVITE', 2, SDP_TYPE, SDP);
      await owner.offers.next();
      deliver('CANCEL', 2);
      deliver('OPTIONS', 3);
      await rig.engine.nextSip('SIP/2.0 200');
      reply({ type: 'answer', sdp: SDP });
      deliver('OPTIONS', 4);
      assert.match((await rig.engine.nextSip('SIP/2.0 200')).sip, /OPTIONS/);
      assert.deepEqual(rig.engine.leftovers, []);
    });

    it('and a BYE meanwhile: the re-INVITE ends with 487', async () => {
      owner.reply = () => new Promise(() => {});
      deliver('INVITE', 2, SDP_TYPE, SDP);
      await owner.offers.next();
      deliver('BYE', 3);
      await rig.engine.nextSip('SIP/2.0 487');
      await hasEndedOnceWith('caller-hung-up');
    });
  });

  describe('gets', () => {
    beforeEach(() => {
      deliver('ACK', 1);
    });

    it('an UPDATE with an offer, and answers it', async () => {
      deliver('UPDATE', 2, SDP_TYPE, LATER_SDP);
      assert.equal(await owner.offers.next(), LATER_SDP);
      assert.ok((await rig.engine.nextSip('SIP/2.0 200')).sip.endsWith(LATER_SDP));
    });

    it('an UPDATE without one, and says 200 without a body', async () => {
      deliver('UPDATE', 2);
      assert.ok((await rig.engine.nextSip('SIP/2.0 200')).sip.endsWith('\r\n\r\n'));
      assert.deepEqual(owner.offers.all, []);
    });

    it('keys by INFO', async () => {
      deliver('INFO', 2, ['Content-Type: application/dtmf-relay'], 'Signal=5\r\nDuration=160\r\n');
      deliver('INFO', 3, ['Content-Type: application/dtmf'], '11');
      assert.deepEqual([await owner.digits.next(), await owner.digits.next()], ['5', '#']);
      await rig.engine.nextSip('SIP/2.0 200');
      await rig.engine.nextSip('SIP/2.0 200');
    });

    const others: [string, RegExp][] = [
      ['OPTIONS', /^SIP\/2.0 200[\s\S]*allow/i],
      ['REFER', /^SIP\/2.0 400/],
      ['MESSAGE', /^SIP\/2.0 405/],
      ['NOTIFY', /^SIP\/2.0 481/],
    ];
    for (const [method, expected] of others) {
      it(`${method}, and answers as it should`, async () => {
        deliver(method, 2);
        assert.match((await rig.engine.nextSip('SIP/2.0')).sip, expected);
      });
    }

    it('INFO of another kind, and says 415', async () => {
      deliver('INFO', 2, ['Content-Type: application/media_control+xml'], '<x/>');
      await rig.engine.nextSip('SIP/2.0 415');
      assert.deepEqual(owner.digits.all, []);
    });
  });

  describe('sends', () => {
    beforeEach(() => {
      deliver('ACK', 1);
    });

    it('a key by INFO', async () => {
      const sent = leg.sendInfoDigit('#');
      const info = await rig.engine.nextSip('INFO');
      assert.match(info.sip, /dtmf-relay[\s\S]*\r\n\r\nSignal=#\r\nDuration=160\r\n/);
      respondTo(info, '200 OK');
      await sent;
    });

    it('a key that is refused, unanswered, or none at all', async () => {
      const sent = leg.sendInfoDigit('1');
      respondTo(await rig.engine.nextSip('INFO'), '415 No');
      await assert.rejects(sent, withCode('REQUEST_REFUSED'));
      await assert.rejects(leg.sendInfoDigit('2'), withCode('REQUEST_TIMEOUT'));
      await assert.rejects(leg.sendInfoDigit('1\r\nX: 1'), withCode('HEADER_MALFORMED'));
    });

    it('a key into a dialog the remote side has forgotten, and hangs up', async () => {
      const sent = leg.sendInfoDigit('1');
      respondTo(await rig.engine.nextSip('INFO'), '481 Call Does Not Exist');
      await assert.rejects(sent, withCode('REQUEST_REFUSED'));
      respondTo(await rig.engine.nextSip('BYE'), '481 Call Does Not Exist');
      assert.equal((await hasEndedOnceWith('caller-lost')).sipStatus, 481);
    });

    it('a key while the engine dies', async () => {
      const sent = leg.sendInfoDigit('1');
      await rig.engine.nextSip('INFO');
      rig.engine.crash();
      await assert.rejects(sent, withCode('ENGINE_LOST'));
    });

    it('an offer, and resolves with the answer', async () => {
      const answered = leg.sendOffer(SDP);
      const invite = await rig.engine.nextSip('INVITE');
      await assert.rejects(leg.sendOffer(SDP), withCode('OFFER_PENDING'));
      respondTo(invite, '200 OK', [...SDP_TYPE, 'Contact: <sip:ann@h>'], LATER_SDP);
      assert.equal(await answered, LATER_SDP);
      await rig.engine.nextSip('ACK');
    });

    it('an offer that is refused, and another one after it', async () => {
      for (let round = 0; round < 2; round += 1) {
        const answered = leg.sendOffer(SDP);
        respondTo(await rig.engine.nextSip('INVITE'), '488 Not Acceptable Here');
        await assert.rejects(answered, withCode('REQUEST_REFUSED'));
      }
    });

    it('an offer into one of theirs: theirs is 491, ours is sent again after 491', async () => {
      const answered = leg.sendOffer(SDP);
      const first = await rig.engine.nextSip('INVITE');
      deliver('INVITE', 2, SDP_TYPE, SDP);
      await rig.engine.nextSip('SIP/2.0 491');
      assert.deepEqual(owner.offers.all, []);
      respondTo(first, '491 Request Pending');
      await rig.engine.nextSip('ACK');
      deliver('INVITE', 3, SDP_TYPE, SDP);
      await rig.engine.nextSip('SIP/2.0 200');
      const second = await rig.engine.nextSip('INVITE');
      respondTo(second, '200 OK', [...SDP_TYPE, 'Contact: <sip:ann@h>'], LATER_SDP);
      assert.equal(await answered, LATER_SDP);
    });
  });
});
