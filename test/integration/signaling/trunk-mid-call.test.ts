import assert from 'node:assert/strict';

import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { SipLeg } from '../../../src/signaling/sip-leg.ts';
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
      timeouts: { byeMs: 300 },
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

  it('sends keys by INFO', async () => {
    const answer = await call.request('INFO', {
      headers: ['Content-Type: application/dtmf-relay'],
      body: 'Signal=7\r\nDuration=160\r\n',
    });
    assert.equal(answer.status, 200);
    assert.equal(await owner.digits.next(), '7');
  });

  it('asks us to transfer ourselves, which we do not take yet', async () => {
    const answer = await call.request('REFER', { headers: ['Refer-To: <sip:x@carrier.test>'] });
    assert.equal(answer.status, 405);
  });

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
