import assert from 'node:assert/strict';

import type { DialRequest, DialResult } from '../../../src/signaling/outbound-dial.ts';
import { needsSipp, sippCallee } from '../../support/sipp.ts';
import { PhoneOwner, SipPhone } from './sip-phone.ts';

describe('a SIP phone that we call', function () {
  this.timeout(60_000);
  let phone: SipPhone;
  before(function () {
    needsSipp(this);
  });
  beforeEach(async () => {
    phone = await SipPhone.start();
  });
  afterEach(() => phone.close());

  const dial = (port: number, owner: PhoneOwner, request: Partial<DialRequest> = {}) =>
    phone.signaling.dial(
      {
        uri: `sip:bob@127.0.0.1:${port}`,
        from: { user: 'agent', displayName: 'Agent' },
        offerSdp: owner.offer(),
        headers: { 'X-Account': '42' },
        timeoutMs: 10_000,
        signal: new AbortController().signal,
        ...request,
      },
      owner,
    );
  const answered = (result: DialResult) => {
    assert.ok(result.type === 'answered', JSON.stringify(result));
    return result;
  };

  it('rings, answers, and is hung up on', async () => {
    const owner = new PhoneOwner();
    const callee = await sippCallee('signaling-callee-answers');
    const { leg, answerSdp } = answered(await dial(callee.port, owner));
    assert.match(answerSdp, /m=audio/);
    assert.deepEqual(await owner.progress.next(), { type: 'ringing', sipStatus: 180 });
    await leg.hangUp();
    await callee.done;
    assert.equal((await owner.ends.next()).reason, null);
    assert.equal(phone.signaling.callCount, 0);
  });

  it('answers and hangs up', async () => {
    const owner = new PhoneOwner();
    const callee = await sippCallee('signaling-callee-hangs-up');
    answered(await dial(callee.port, owner));
    assert.equal((await owner.ends.next()).reason, 'caller-hung-up');
    await callee.done;
    assert.equal(owner.ends.all.length, 1);
  });

  it('is busy', async () => {
    const callee = await sippCallee('signaling-callee-busy');
    const result = await dial(callee.port, new PhoneOwner());
    assert.ok(result.type === 'ended');
    assert.deepEqual([result.reason, result.sipStatus], ['callee-busy', 486]);
    await callee.done;
  });

  it('rings too long', async () => {
    const callee = await sippCallee('signaling-callee-rings');
    const result = await dial(callee.port, new PhoneOwner(), { timeoutMs: 600 });
    assert.ok(result.type === 'ended');
    assert.equal(result.reason, 'no-answer');
    await callee.done;
  });

  it('rings until its owner gives up', async () => {
    const callee = await sippCallee('signaling-callee-rings');
    const owner = new PhoneOwner();
    const abort = new AbortController();
    const dialing = dial(callee.port, owner, { signal: abort.signal });
    await owner.progress.next();
    abort.abort();
    const result = await dialing;
    assert.ok(result.type === 'ended' && result.reason === null, JSON.stringify(result));
    await callee.done;
  });

  it('answers too late, and is hung up on', async () => {
    const callee = await sippCallee('signaling-callee-answers-late');
    const owner = new PhoneOwner();
    const abort = new AbortController();
    const dialing = dial(callee.port, owner, { signal: abort.signal });
    await owner.progress.next();
    abort.abort();
    const result = await dialing;
    assert.ok(result.type === 'ended' && result.reason === null, JSON.stringify(result));
    await callee.done;
    assert.deepEqual(owner.ends.all, []);
  });

  it('has reliable early media, and answers without repeating it', async () => {
    const callee = await sippCallee('signaling-callee-early-media');
    const owner = new PhoneOwner();
    const { leg, answerSdp } = answered(await dial(callee.port, owner));
    const progress = await owner.progress.next();
    assert.ok(progress.type === 'early-media');
    assert.equal(answerSdp, progress.sdp);
    await leg.hangUp();
    await callee.done;
  });

  it('gets a key by INFO', async () => {
    const callee = await sippCallee('signaling-callee-gets-digit');
    const { leg } = answered(await dial(callee.port, new PhoneOwner()));
    await leg.sendInfoDigit('#');
    await leg.hangUp();
    await callee.done;
  });

  it('gets an offer in mid-call, again after a glare', async () => {
    const callee = await sippCallee('signaling-callee-gets-offer');
    const owner = new PhoneOwner();
    const { leg } = answered(await dial(callee.port, owner));
    assert.match(await leg.sendOffer(owner.offer('sendonly')), /a=recvonly/);
    await leg.hangUp();
    await callee.done;
  });
});
