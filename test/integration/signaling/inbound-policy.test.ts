import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import { InboundPolicy } from '../../../src/signaling/trunk/inbound-policy.ts';
import { sourceFilter, TrunkBook } from '../../../src/signaling/trunk/trunk-book.ts';
import { CARRIER_SDP } from '../../support/fake-carrier.ts';
import { SipPhone } from '../../support/sip-phone.ts';
import { startTestEngine, type TestEngine } from '../../support/test-engine.ts';
import { aTrunk } from '../../unit/signaling/trunk/a-trunk.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

describe('an inbound call by a trunk that asks for a password', () => {
  let engine: TestEngine;
  let signaling: SipSignaling;
  let phone: SipPhone;
  const trunks: (string | null)[] = [];
  const policy = new InboundPolicy({
    book: new TrunkBook([
      aTrunk({
        name: 'guarded',
        allowedSources: ['127.0.0.0/8'],
        inboundCredentials: { username: 'theirs', password: 'proof' },
      }),
    ]),
    nowMs: () => Date.UTC(2026, 0, 1),
  });
  before(async () => {
    engine = await startTestEngine();
    signaling = connectSipEngine({
      ...engine.address,
      admit: (request) => policy.judge(request),
      onInvite: (invite) => {
        trunks.push(invite.trunk);
        invite.refuse(486);
      },
      log: { info() {}, warn() {}, error() {} },
    });
    await signaling.whenConnected();
  });
  after(async () => {
    await signaling.close();
    await engine.close();
  });
  beforeEach(async () => {
    trunks.length = 0;
    phone = await SipPhone.open(engine.sip.port);
  });
  afterEach(() => phone.close());

  const credentials = (challenge: string, password: string) => {
    const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1] ?? '';
    const uri = `sip:demo@127.0.0.1:${engine.sip.port}`;
    const key = hash(`theirs:guarded:${password}`);
    const response = hash(`${key}:${nonce}:00000001:c:auth:${hash(`INVITE:${uri}`)}`);
    return `Authorization: Digest username="theirs", realm="guarded", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="c"`;
  };

  it('is challenged with SHA-256 and MD5, each in a header of its own', async () => {
    const refusal = await phone.invite({ sdp: CARRIER_SDP });
    assert.equal(refusal.status, 401);
    const challenges = refusal.headers.get('www-authenticate') ?? [];
    assert.deepEqual(
      challenges.map((challenge) => /algorithm=([^,]+)/.exec(challenge)?.[1]),
      ['SHA-256', 'MD5'],
    );
    assert.deepEqual(trunks, []);
  });

  it('is taken with the right password, and named by its trunk', async () => {
    const refusal = await phone.invite({ sdp: CARRIER_SDP });
    const [challenge = ''] = refusal.headers.get('www-authenticate') ?? [];
    const final = await phone.invite({
      sdp: CARRIER_SDP,
      headers: [credentials(challenge, 'proof')],
    });
    assert.equal(final.status, 486);
    assert.deepEqual(trunks, ['guarded']);
  });

  it('is refused with a wrong one', async () => {
    const refusal = await phone.invite({ sdp: CARRIER_SDP });
    const [challenge = ''] = refusal.headers.get('www-authenticate') ?? [];
    const final = await phone.invite({
      sdp: CARRIER_SDP,
      headers: [credentials(challenge, 'guess')],
    });
    assert.equal(final.status, 403);
    assert.deepEqual(trunks, []);
  });
});

describe('the sources that the SIP engine hears', () => {
  it('are those of trunks and of the list', () => {
    const isHeard = sourceFilter(new TrunkBook([aTrunk({ allowedSources: ['203.0.113.0/24'] })]), [
      '198.51.100.7',
      '2001:db8::/32',
    ]);
    const heard = ['203.0.113.1', '198.51.100.7', '2001:db8::1', '::ffff:198.51.100.7'];
    assert.deepEqual(
      heard.map(isHeard),
      heard.map(() => true),
    );
    const others = ['198.51.100.8', '192.0.2.1', '2001:db9::1', 'x'];
    assert.deepEqual(
      others.map(isHeard),
      others.map(() => false),
    );
  });
});
