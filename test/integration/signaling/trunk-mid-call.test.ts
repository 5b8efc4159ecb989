import assert from 'node:assert/strict';
import { once } from 'node:events';

import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { SipLeg } from '../../../src/signaling/sip-leg.ts';
import type { InboundRefer } from '../../../src/signaling/transfer/refer.ts';
import { CARRIER_SDP, type CarrierCall, FakeCarrier, first } from '../../support/fake-carrier.ts';
import { LegOwner } from '../../support/leg-owner.ts';
import { startTestEngine, type TestEngine } from '../../support/test-engine.ts';

const OURS = CARRIER_SDP.replace('o=- 7', 'o=- 8');
const HELD = CARRIER_SDP.replace('o=- 7 1', 'o=- 7 2').replace(/$/, 'a=sendonly\r\n');

describe('in the middle of a call, a carrier', function () {
  this.timeout(30_000);
  let engine: TestEngine;
  let signaling: SipSignaling;
  let carrier: FakeCarrier;
  let owner: LegOwner;
  let call: CarrierCall;
  let leg: SipLeg;
  before(async () => {
    engine = await startTestEngine();
    signaling = connectSipEngine({
      ...engine.address,
      onInvite: () => {},
      log: { info() {}, warn() {}, error() {} },
      timeouts: { byeMs: 300, requestMs: 1_500 },
    });
    await signaling.whenConnected();
  });
  after(async () => {
    await signaling.close();
    await engine.close();
  });
  beforeEach(async () => {
    carrier = await FakeCarrier.listen();
    owner = new LegOwner(
      () => OURS,
      () => Promise.resolve({ type: 'answer', sdp: OURS }),
    );
    carrier.onInvite = (invited) => {
      call = invited;
      invited.answer();
    };
    const result = await signaling.dial(
      {
        uri: 'sip:+34955666777@carrier.test',
        proxy: `sip:127.0.0.1:${carrier.port};transport=udp`,
        from: { user: 'ann', host: 'carrier.test' },
        offerSdp: OURS,
        timeoutMs: 10_000,
        signal: new AbortController().signal,
      },
      owner,
    );
    assert.ok(result.type === 'answered');
    leg = result.leg;
    await call.acked();
  });
  afterEach(async () => {
    await leg.hangUp();
    await carrier.close();
  });

  it('puts us on hold and takes us back, by re-INVITE', async () => {
    const held = await call.request('INVITE', { body: HELD });
    assert.equal(held.status, 200);
    assert.equal(held.body, OURS);
    assert.equal(await owner.offers.next(), HELD);
    assert.equal((await call.request('INVITE', { body: CARRIER_SDP })).status, 200);
  });

  it('refreshes the session by UPDATE without a body', async () => {
    const refreshed = await call.request('UPDATE', {
      headers: ['Supported: timer', 'Session-Expires: 1800;refresher=uac'],
    });
    assert.equal(refreshed.status, 200);
  });

  it('says 491, and our re-INVITE is tried again after a while', async () => {
    let asked = 0;
    call.answerTo = ({ method }) => {
      if (method !== 'INVITE') return { line: '200 OK' };
      asked += 1;
      return asked === 1 ? { line: '491 Request Pending' } : { line: '200 OK', body: CARRIER_SDP };
    };
    assert.equal(await leg.sendOffer(OURS), CARRIER_SDP);
    assert.equal(asked, 2);
  });

  it('offers at the same time as we do: it is told 491, and ours is answered', async () => {
    const crossing: Promise<{ readonly status: number | null }>[] = [];
    call.answerTo = ({ method }) => {
      if (method !== 'INVITE') return { line: '200 OK' };
      // On its way before our offer is answered.
      crossing.push(call.request('INVITE', { body: HELD }));
      return { line: '200 OK', body: CARRIER_SDP };
    };
    assert.equal(await leg.sendOffer(OURS), CARRIER_SDP);
    assert.equal((await crossing[0])?.status, 491);
    assert.deepEqual(owner.offers.all, []);
    // RFC 3261 §14.1: it waits, and offers again.
    assert.equal((await call.request('INVITE', { body: HELD })).status, 200);
    assert.equal(await owner.offers.next(), HELD);
  });

  it('sends keys by INFO', async () => {
    const answer = await call.request('INFO', {
      headers: ['Content-Type: application/dtmf-relay'],
      body: 'Signal=7\r\nDuration=160\r\n',
    });
    assert.equal(answer.status, 200);
    assert.equal(await owner.digits.next(), '7');
  });

  const REFERRED = '<sip:+34911000111@carrier.test>';
  const frag = (status: string, state = 'active;expires=60') => ({
    headers: [
      'Event: refer',
      `Subscription-State: ${state}`,
      'Content-Type: message/sipfrag;version=2.0',
    ],
    body: `SIP/2.0 ${status}\r\n`,
  });
  const refer = () => {
    const progress: number[] = [];
    const result = leg.refer({
      referTo: REFERRED,
      referredBy: '<sip:us@carrier.test>',
      onProgress: (status) => progress.push(status),
    });
    return { result, progress };
  };

  it('is referred away: takes it, tells how it goes, and that it is done', async () => {
    call.answerTo = ({ method }) => ({ line: method === 'REFER' ? '202 Accepted' : '200 OK' });
    const { result, progress } = refer();
    const request = await call.nextRequest('REFER');
    assert.equal(first(request, 'refer-to'), REFERRED);
    assert.equal(first(request, 'referred-by'), '<sip:us@carrier.test>');
    for (const news of ['100 Trying', '180 Ringing']) {
      assert.equal((await call.request('NOTIFY', frag(news))).status, 200);
    }
    const last = frag('200 OK', 'terminated;reason=noresource');
    assert.equal((await call.request('NOTIFY', last)).status, 200);
    assert.deepEqual(await result, { type: 'transferred', sipStatus: 200 });
    assert.deepEqual(progress, [202, 100, 180]);
    // Nothing is subscribed to any more, and the call goes on.
    assert.equal((await call.request('NOTIFY', last)).status, 481);
    assert.deepEqual(owner.ends.all, []);
  });

  for (const [what, line, expected] of [
    ['refuses REFER', '405 Method Not Allowed', { type: 'refused', sipStatus: 405 }],
    ['declines', '603 Decline', { type: 'refused', sipStatus: 603 }],
    ['cannot', '501 Not Implemented', { type: 'refused', sipStatus: 501 }],
  ] as const) {
    it(`${what} when it is referred away, and the call goes on`, async () => {
      call.answerTo = () => ({ line });
      assert.deepEqual(await refer().result, expected);
      assert.deepEqual(owner.ends.all, []);
    });
  }

  it('says that whom it was referred to is busy', async () => {
    call.answerTo = () => ({ line: '202 Accepted' });
    const { result } = refer();
    await call.nextRequest('REFER');
    await call.request('NOTIFY', frag('486 Busy Here', 'terminated;reason=noresource'));
    assert.deepEqual(await result, { type: 'failed', sipStatus: 486 });
  });

  it('ends the subscription without a word', async () => {
    call.answerTo = () => ({ line: '202 Accepted' });
    const { result } = refer();
    await call.nextRequest('REFER');
    await call.request('NOTIFY', frag('100 Trying', 'terminated;reason=giveup'));
    assert.deepEqual(await result, { type: 'failed', sipStatus: null });
  });

  it('accepts, and hangs up at once', async () => {
    call.answerTo = () => ({ line: '202 Accepted', headers: [] });
    const { result } = refer();
    await call.nextRequest('REFER');
    await call.request('NOTIFY', frag('100 Trying'));
    await call.request('BYE');
    assert.deepEqual(await result, { type: 'transferred', sipStatus: null });
    assert.equal((await owner.ends.next()).reason, 'caller-hung-up');
  });

  it('takes no subscription, and is gone without news', async () => {
    call.answerTo = () => ({ line: '202 Accepted', headers: ['Refer-Sub: false'] });
    assert.deepEqual(await refer().result, { type: 'transferred', sipStatus: null });
  });

  it('hears nothing of REFER, and the call goes on', async () => {
    carrier.isSilent = true;
    const { result } = refer();
    assert.deepEqual(await result, { type: 'refused', sipStatus: null });
    carrier.isSilent = false;
    assert.deepEqual(owner.ends.all, []);
  });

  it('hands us over: is told how the call goes by NOTIFY', async () => {
    const asked = new Promise<InboundRefer>((resolve) => {
      owner.onRefer = resolve;
    });
    const referring = call.request('REFER', {
      headers: [`Refer-To: ${REFERRED}`, 'Referred-By: <sip:boss@carrier.test>'],
    });
    const asking = await asked;
    const { to, referredBy } = asking;
    assert.deepEqual(to, { user: '+34911000111', host: 'carrier.test', replaces: null });
    assert.equal(referredBy, '<sip:boss@carrier.test>');
    const reports = asking.accept();
    assert.equal((await referring).status, 202);
    reports.report(180);
    reports.report(486);
    reports.report(200);
    const told = () => call.received.filter(({ method }) => method === 'NOTIFY');
    while (told().length < 3) await once(call, 'request');
    assert.deepEqual(
      told().map(({ body }) => body.trim()),
      ['SIP/2.0 100 Trying', 'SIP/2.0 180 Ringing', 'SIP/2.0 486 Busy Here'],
    );
    assert.match(first(told()[0] ?? assert.fail(), 'subscription-state'), /^active/);
    assert.match(first(told()[2] ?? assert.fail(), 'subscription-state'), /^terminated/);
    assert.equal(first(told()[0] ?? assert.fail(), 'event'), 'refer');
  });

  for (const [what, header, status] of [
    ['two places', 'Refer-To: <sip:a@b>, <sip:c@d>', 400],
    ['no call', 'Refer-To: <sip:a@b;method=MESSAGE>', 603],
    ['no telephone', 'Refer-To: <https://a.example>', 603],
    ['a broken Replaces', 'Refer-To: <sip:a@b?Replaces=nothing>', 603],
  ] as const) {
    it(`hands us over to ${what}, which is ${status}`, async () => {
      owner.onRefer = () => assert.fail('it was asked');
      assert.equal((await call.request('REFER', { headers: [header] })).status, status);
    });
  }

  it('breaks, and the leg ends all the same', async () => {
    carrier.isSilent = true;
    await leg.hangUp();
    assert.equal((await owner.ends.next()).reason, null);
  });

  it('forgets the call, and the leg ends', async () => {
    call.answerTo = () => ({ line: '481 Call/Transaction Does Not Exist' });
    await assert.rejects(leg.sendOffer(OURS));
    assert.equal((await owner.ends.next()).reason, 'caller-lost');
    assert.equal(first(await call.nextRequest('INVITE'), 'call-id'), leg.sipCallId);
  });
});
