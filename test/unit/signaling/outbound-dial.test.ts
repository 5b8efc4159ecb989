import assert from 'node:assert/strict';

import type { DialRequest } from '../../../src/signaling/outbound-dial.ts';
import { SignalingError } from '../../../src/signaling/signaling-error.ts';
import type { AppFrame } from '../../support/scripted-engine.ts';
import type { Rig } from './rig.ts';
import { LATER_SDP, Owner, SDP, SDP_TYPE, startRig } from './rig.ts';

const withCode = (code: string) => (error: unknown) =>
  error instanceof SignalingError && error.code === code;
const DIALOG = 'out@test;from-tag=ours';

describe('an outbound call', () => {
  let rig: Rig;
  let owner: Owner;
  let abort: AbortController;
  beforeEach(async () => {
    rig = await startRig({ timeouts: { cancelMs: 100, byeMs: 200 } });
    owner = new Owner();
    abort = new AbortController();
  });
  afterEach(() => rig.close());

  const dial = (request: Partial<DialRequest> = {}) =>
    rig.signaling.dial(
      {
        uri: 'sip:bob@192.0.2.9',
        from: { user: '+4912345', displayName: 'Agent "Smith"' },
        offerSdp: SDP,
        timeoutMs: 10_000,
        signal: abort.signal,
        ...request,
      },
      owner,
    );
  const echo = (frame: AppFrame) => {
    rig.engine.echoRequest(
      frame,
      'dialed',
      frame.sip
        .replace(/^from: (.*)$/im, 'From: $1;tag=ours')
        .replace(
          '\r\n\r\n',
          '\r\nTo: <sip:bob@192.0.2.9>\r\nCall-ID: out@test\r\nCSeq: 1 INVITE\r\nContact: <sip:127.0.0.1:5060>\r\n\r\n',
        ),
    );
  };
  const respond = (status: string, headers: readonly string[] = [], body = '') => {
    rig.engine.deliver(
      [
        `SIP/2.0 ${status}`,
        'From: <sip:+4912345@127.0.0.1>;tag=ours',
        'To: <sip:bob@192.0.2.9>;tag=theirs',
        'Call-ID: out@test',
        'CSeq: 1 INVITE',
        'Contact: <sip:bob@192.0.2.9>',
        ...headers,
        '',
        body,
      ].join('\r\n'),
      { transactionId: 'dialed', dialogId: DIALOG },
    );
  };

  it('rings, has early media, and is answered', async () => {
    const dialing = dial({ headers: { 'X-Account': '42' } });
    const invite = await rig.engine.nextSip('INVITE sip:bob@192.0.2.9');
    assert.match(invite.sip, /^from: "Agent \\"Smith\\"" <sip:\+4912345@localhost>\r$/im);
    assert.match(invite.sip, /^X-Account: 42\r$/m);
    echo(invite);
    respond('180 Ringing');
    assert.deepEqual(await owner.progress.next(), { type: 'ringing', sipStatus: 180 });
    respond('183 Session Progress', SDP_TYPE, LATER_SDP);
    assert.deepEqual(await owner.progress.next(), {
      type: 'early-media',
      sipStatus: 183,
      sdp: LATER_SDP,
    });
    respond('200 OK', SDP_TYPE, LATER_SDP);
    const result = await dialing;
    assert.ok(result.type === 'answered');
    assert.equal(result.answerSdp, LATER_SDP);
    assert.equal(result.leg.sipCallId, 'out@test');
    assert.equal((await rig.engine.nextSip('ACK')).tokens[3], DIALOG);
    rig.engine.deliver(
      'BYE sip:127.0.0.1 SIP/2.0\nFrom: <sip:b@h>;tag=theirs\nTo: <sip:a@h>;tag=ours\nCall-ID: out@test\nCSeq: 4 BYE\n',
      { dialogId: DIALOG },
    );
    assert.equal((await owner.ends.next()).reason, 'caller-hung-up');
    assert.equal(rig.signaling.callCount, 0);
  });

  it('acknowledges a reliable provisional response', async () => {
    void dial();
    echo(await rig.engine.nextSip('INVITE'));
    respond('183 Session Progress', [...SDP_TYPE, 'Require: 100rel', 'RSeq: 77'], LATER_SDP);
    const prack = await rig.engine.nextSip('PRACK');
    assert.match(prack.sip, /^rack: 77 1 INVITE\r$/im);
  });

  const refusals: [string, string[], string][] = [
    ['486 Busy Here', [], 'callee-busy'],
    ['600 Busy Everywhere', [], 'callee-busy'],
    ['408 Request Timeout', [], 'no-answer'],
    ['480 Temporarily Unavailable', ['Reason: Q.850;cause=19;text="no answer"'], 'no-answer'],
    ['480 Temporarily Unavailable', [], 'callee-refused'],
    ['404 Not Found', [], 'callee-refused'],
    ['603 Decline', [], 'callee-refused'],
  ];
  for (const [status, headers, reason] of refusals) {
    it(`answered with ${[status, ...headers].join(', ')} ends as ${reason}`, async () => {
      const dialing = dial();
      echo(await rig.engine.nextSip('INVITE'));
      respond(status, headers);
      const result = await dialing;
      assert.ok(result.type === 'ended');
      assert.equal(result.reason, reason);
      assert.equal(result.sipStatus, Number(status.slice(0, 3)));
      assert.equal(rig.signaling.callCount, 0);
    });
  }

  it('that the engine will not send ends as refused', async () => {
    const dialing = dial();
    rig.engine.refuse(await rig.engine.nextSip('INVITE'), 'invalid request-uri');
    const result = await dialing;
    assert.ok(result.type === 'ended' && result.reason === 'callee-refused');
  });

  it('is canceled by its owner', async () => {
    const dialing = dial();
    echo(await rig.engine.nextSip('INVITE'));
    respond('180 Ringing');
    await owner.progress.next();
    abort.abort();
    assert.equal((await rig.engine.nextSip('CANCEL')).tokens[2], 'dialed');
    respond('487 Request Terminated');
    assert.deepEqual(await dialing, { type: 'ended', reason: null, sipStatus: 487, detail: null });
  });

  it('is canceled before the engine has even said that it was sent', async () => {
    const dialing = dial();
    const invite = await rig.engine.nextSip('INVITE');
    abort.abort();
    echo(invite);
    await rig.engine.nextSip('CANCEL');
    respond('487 Request Terminated');
    assert.equal((await dialing).type, 'ended');
  });

  it('is not sent when it was canceled before', async () => {
    abort.abort();
    assert.equal((await dial()).type, 'ended');
    assert.deepEqual(rig.engine.leftovers, []);
  });

  it('whose 200 crosses our CANCEL is acknowledged and hung up', async () => {
    const dialing = dial();
    echo(await rig.engine.nextSip('INVITE'));
    abort.abort();
    await rig.engine.nextSip('CANCEL');
    respond('200 OK', SDP_TYPE, LATER_SDP);
    await rig.engine.nextSip('ACK');
    await rig.engine.nextSip('BYE');
    const result = await dialing;
    assert.ok(result.type === 'ended' && result.reason === null);
    assert.deepEqual(owner.ends.all, []);
  });

  it('that rings too long is canceled as not answered', async () => {
    const dialing = dial({ timeoutMs: 20 });
    echo(await rig.engine.nextSip('INVITE'));
    await rig.engine.nextSip('CANCEL');
    respond('487 Request Terminated');
    const result = await dialing;
    assert.ok(result.type === 'ended' && result.reason === 'no-answer');
  });

  it('whose CANCEL nobody answers ends all the same', async () => {
    const dialing = dial({ timeoutMs: 20 });
    echo(await rig.engine.nextSip('INVITE'));
    const result = await dialing;
    assert.ok(result.type === 'ended' && result.reason === 'no-answer');
  });

  it('ends when the engine is lost, and when there is none', async () => {
    const dialing = dial();
    await rig.engine.nextSip('INVITE');
    rig.engine.crash();
    const result = await dialing;
    assert.ok(result.type === 'ended' && result.reason === 'sip-engine-lost');
    const second = await dial();
    assert.ok(second.type === 'ended' && second.reason === 'sip-engine-lost');
  });

  const malformed: [string, Partial<DialRequest>, string][] = [
    ['a line break in its address', { uri: 'sip:a@b\r\nX: 1' }, 'HEADER_MALFORMED'],
    ['an address that is none', { uri: 'http://example.com' }, 'HEADER_MALFORMED'],
    ['a line break in a header', { headers: { 'X-A': 'b\r\nVia: c' } }, 'HEADER_MALFORMED'],
    ['a header of the dialog', { headers: { 'Call-ID': 'mine' } }, 'HEADER_MALFORMED'],
    ['an offer too large', { offerSdp: SDP + 'a=x\r\n'.repeat(1_000) }, 'SDP_TOO_LARGE'],
  ];
  for (const [what, request, code] of malformed) {
    it(`with ${what} is not tried`, async () => {
      await assert.rejects(dial(request), withCode(code));
      assert.deepEqual(rig.engine.leftovers, []);
    });
  }
});
