import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { SrtpSession } from '../../../src/media/srtp/srtp-session.ts';
import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { CheckName, Diagnosis } from '../../../src/signaling/trunk/doctor/finding.ts';
import type { MediaPlace } from '../../../src/signaling/trunk/doctor/patient.ts';
import type { Trunk } from '../../../src/signaling/trunk/trunk.ts';
import { TrunkService } from '../../../src/signaling/trunk/trunk-service.ts';
import { needsOpenssl, TestAuthority } from '../../support/certificates.ts';
import { cryptoLine, cryptoLineOf, newSrtpKeys, PhoneSrtp } from '../../support/phone-srtp.ts';
import { CARRIER_SDP, FakeCarrier } from '../../support/fake-carrier.ts';
import { startTestEngine, type TestEngine } from '../../support/test-engine.ts';
import { aTrunk } from '../../unit/signaling/trunk/a-trunk.ts';

const SILENT = { info() {}, warn() {}, error() {} };
const MEDIA: MediaPlace = {
  bindAddress: '127.0.0.1',
  externalAddress: null,
  ports: { first: 41_000, last: 41_999 },
  codecs: ['pcmu', 'pcma', 'opus'],
  guardPackets: (keys) => new SrtpSession(keys),
};

describe('the doctor of trunks', function () {
  this.timeout(60_000);
  let engine: TestEngine;
  let signaling: SipSignaling;
  let carrier: FakeCarrier;
  before(async () => {
    engine = await startTestEngine({ t1Ms: 20 });
    signaling = connectSipEngine({ ...engine.address, onInvite: () => {}, log: SILENT });
    await signaling.whenConnected();
  });
  after(async () => {
    await signaling.close();
    await engine.close();
  });
  beforeEach(async () => {
    carrier = await FakeCarrier.listen();
  });
  afterEach(() => carrier.close());

  const atCarrier = (changes: Partial<Trunk> = {}) =>
    aTrunk({ hosts: [{ host: '127.0.0.1', port: carrier.port }], optionsSeconds: 0, ...changes });
  const look = async (
    trunk: Trunk,
    { testNumber = null, media = MEDIA }: { testNumber?: string | null; media?: MediaPlace } = {},
  ): Promise<Diagnosis> => {
    const service = new TrunkService({
      trunks: [trunk],
      signaling: () => signaling,
      log: SILENT,
      dns: {
        naptr: () => Promise.resolve([]),
        srv: () => Promise.resolve([]),
        addresses: (name) => Promise.resolve(name === 'carrier.test' ? ['127.0.0.1'] : []),
      },
      media: () => media,
      registerTimeoutMs: 500,
    });
    const diagnosis = await service.diagnose(trunk.name, testNumber);
    assert.ok(diagnosis !== null && diagnosis !== 'busy');
    return diagnosis;
  };
  const finding = (diagnosis: Diagnosis, name: CheckName) =>
    diagnosis.findings.find(({ check }) => check === name) ?? assert.fail(`no check of ${name}`);
  const finds = (diagnosis: Diagnosis, name: CheckName, verdict: string, what: RegExp) => {
    const { summary, fix, ...found } = finding(diagnosis, name);
    assert.equal(found.verdict, verdict, `${name}: ${summary}`);
    assert.match(`${summary} ${fix ?? ''}`, what);
    assert.equal(
      fix === null,
      verdict === 'ok' || verdict === 'skipped',
      'what is wrong has a fix',
    );
  };

  it('finds nothing wrong with a good trunk but that it is not registered by this service', async () => {
    const diagnosis = await look(atCarrier({ registration: null }));
    assert.equal(diagnosis.verdict, 'ok', JSON.stringify(diagnosis.findings, null, 1));
    assert.equal(diagnosis.findings.length, 10);
    finds(diagnosis, 'certificate', 'skipped', /TLS/);
    finds(diagnosis, 'rtp', 'skipped', /Name a number/);
    // A question about bindings, and none was made or taken away.
    assert.equal(carrier.bindings.size, 0);
  });

  it('knows no trunk of another name', async () => {
    const service = new TrunkService({ trunks: [], signaling: () => signaling, log: SILENT });
    assert.equal(await service.diagnose('nobody', null), null);
  });

  it('sees that DNS knows nothing', async () => {
    const diagnosis = await look(atCarrier({ hosts: [{ host: 'nowhere.test', port: null }] }));
    assert.equal(diagnosis.verdict, 'fail');
    finds(diagnosis, 'dns', 'fail', /nowhere\.test.*spelling/s);
    finds(diagnosis, 'options', 'skipped', /no place/);
  });

  it('sees that one of two hosts has no address', async () => {
    const [known] = atCarrier().hosts;
    const hosts = [known, { host: 'nowhere.test', port: null }] as const;
    finds(await look(atCarrier({ hosts })), 'dns', 'warn', /nowhere\.test/);
  });

  it('sees that nobody listens for TCP', async () => {
    const spare = createSocket('udp4').bind(0, '127.0.0.1');
    await once(spare, 'listening');
    const hosts = [{ host: '127.0.0.1', port: spare.address().port }] as const;
    const diagnosis = await look(atCarrier({ hosts, transport: 'tcp' }));
    spare.close();
    finds(diagnosis, 'reach', 'fail', /wrong port or transport/);
    assert.ok(Object.values(finding(diagnosis, 'reach').facts).includes('refused'));
    finds(diagnosis, 'options', 'fail', /firewall/);
  });

  it('sees that nobody answers', async () => {
    carrier.isSilent = true;
    const diagnosis = await look(atCarrier());
    finds(diagnosis, 'options', 'fail', /No place answers/);
    finds(diagnosis, 'registration', 'fail', /does not answer/);
  });

  for (const [status, what] of [
    [403, /forbids.*address/s],
    [503, /answers 503/],
  ] as const) {
    it(`sees a carrier that answers ${status}`, async () => {
      carrier.optionsStatus = status;
      finds(await look(atCarrier()), 'options', 'warn', what);
    });
  }

  it('tells a wrong password from a right one', async () => {
    carrier.rules.password = 'another';
    finds(await look(atCarrier()), 'registration', 'fail', /refuses the password/);
    carrier.rules.password = 'secret';
    finds(await look(atCarrier()), 'registration', 'warn', /password is right.*not registered/s);
  });

  it('tells a blocked account, an unknown user and a strange algorithm apart', async () => {
    carrier.rules.refuseWith = { status: 403 };
    finds(await look(atCarrier()), 'registration', 'fail', /forbids/);
    carrier.rules.refuseWith = { status: 404 };
    finds(await look(atCarrier()), 'registration', 'fail', /does not know the user/);
    carrier.rules.refuseWith = null;
    carrier.rules.algorithms = ['TIGER'];
    finds(await look(atCarrier()), 'registration', 'fail', /realm or an algorithm/);
  });

  it('sees a NAT, and an external address that is not ours', async () => {
    carrier.rules.seenAs = '203.0.113.9:1024';
    finds(await look(atCarrier()), 'address', 'warn', /NAT.*external_address.*203\.0\.113\.9/s);
    const wrong = atCarrier({ externalAddress: '203.0.113.77' });
    finds(await look(wrong), 'address', 'fail', /another address.*203\.0\.113\.9/s);
    const right = atCarrier({ externalAddress: '203.0.113.9' });
    finds(await look(right), 'address', 'ok', /sees us at external_address/);
  });

  it('sees that audio is asked for at no address', async () => {
    const media = { ...MEDIA, bindAddress: '0.0.0.0' };
    finds(await look(atCarrier(), { media }), 'media-address', 'fail', /media\.external_address/);
  });

  it('sees that there is no codec to speak', async () => {
    const diagnosis = await look(atCarrier({ codecs: ['g722'] }));
    finds(diagnosis, 'codecs', 'fail', /None of the codecs.*pcmu, pcma, opus/s);
  });

  describe('by a call', () => {
    let echo: Socket;
    beforeEach(async () => {
      echo = createSocket('udp4').bind(0, '127.0.0.1');
      await once(echo, 'listening');
    });
    afterEach(() => echo.close());
    const sdp = (hasEvents: boolean) =>
      CARRIER_SDP.replace(
        /^m=audio.*$/m,
        `m=audio ${echo.address().port} RTP/AVP 8${hasEvents ? ' 101' : ''}`,
      ) + (hasEvents ? 'a=rtpmap:101 telephone-event/8000\r\n' : '');
    const called = { testNumber: '+34955666777' };

    it('hears itself: audio both ways, keys by RFC 4733', async () => {
      echo.on('message', (packet, { port, address }) => echo.send(packet, port, address));
      carrier.onInvite = (call) => call.answer(sdp(true));
      const diagnosis = await look(atCarrier(), called);
      finds(diagnosis, 'rtp', 'ok', /both ways/);
      finds(diagnosis, 'codecs', 'ok', /pcma/);
      finds(diagnosis, 'dtmf', 'ok', /./);
      assert.equal(finding(diagnosis, 'rtp').facts['heard_ourselves'], true);
      await carrier.request('BYE');
    });

    for (const srtp of ['required', 'optional'] as const) {
      it(`hears itself encrypted, where that is ${srtp}`, async () => {
        carrier.onInvite = (call) => {
          const offered = cryptoLineOf(call.invite.body) ?? assert.fail('no key is offered');
          const ours = newSrtpKeys(offered.keys.suite);
          const [hears, speaks] = [new PhoneSrtp(offered.keys), new PhoneSrtp(ours)];
          echo.on('message', (packet, { port, address }) => {
            const plain = hears.unprotect(packet);
            if (plain !== null) echo.send(speaks.protect(plain), port, address);
          });
          const profile = srtp === 'required' ? 'RTP/SAVP' : 'RTP/AVP';
          const answer = sdp(true).replace('RTP/AVP', profile);
          call.answer(`${answer}${cryptoLine(offered.tag, ours)}\r\n`);
        };
        const diagnosis = await look(atCarrier({ srtp }), called);
        finds(diagnosis, 'rtp', 'ok', /both ways, encrypted/);
        assert.equal(finding(diagnosis, 'rtp').facts['heard_ourselves'], true);
      });
    }

    it('does not take plain audio for encrypted', async () => {
      echo.on('message', (packet, { port, address }) => echo.send(packet, port, address));
      carrier.onInvite = (call) => call.answer(sdp(true));
      const diagnosis = await look(atCarrier({ srtp: 'required' }), called);
      finds(diagnosis, 'codecs', 'fail', /answer .* cannot be used.*encrypt.*srtp: off/s);
      finds(diagnosis, 'rtp', 'skipped', /No audio could be agreed on/);
      assert.equal(finding(diagnosis, 'rtp').facts['packets_sent'], 0);
    });

    it('hears nothing, and sees that keys need INFO', async () => {
      carrier.onInvite = (call) => call.answer(sdp(false));
      const diagnosis = await look(atCarrier(), called);
      finds(diagnosis, 'rtp', 'fail', /no audio came.*media ports/s);
      finds(diagnosis, 'dtmf', 'warn', /dtmf: info/);
    });

    it('hears somebody who does not show that he hears', async () => {
      carrier.onInvite = (call) => call.answer(sdp(true));
      echo.on('message', (packet, { port, address }) => {
        const silence = Buffer.concat([packet.subarray(0, 12), Buffer.alloc(160, 0xd5)]);
        echo.send(silence, port, address);
      });
      finds(await look(atCarrier(), called), 'rtp', 'warn', /nothing shows that ours arrives/);
    });

    it('is refused: no common codec, nobody there, a number that may not be called', async () => {
      carrier.onInvite = (call) => call.respond(488);
      finds(await look(atCarrier(), called), 'codecs', 'fail', /takes none of our codecs/);
      carrier.onInvite = (call) => call.respond(486);
      finds(await look(atCarrier(), called), 'rtp', 'warn', /callee-busy/);
      const local = atCarrier({ outboundPrefixes: ['+1'] });
      finds(await look(local, called), 'rtp', 'warn', /no trunk may call that number/);
    });
  });

  describe('of a certificate', function () {
    let authority: TestAuthority;
    before(function () {
      needsOpenssl(this);
      authority = new TestAuthority();
    });
    after(() => authority?.remove());

    const byTls = async (
      names: readonly string[],
      days: number,
      tls: Partial<Trunk['tls']> = {},
    ) => {
      const port = await carrier.listenTls(authority.issue(names, days));
      const hosts = [{ host: 'carrier.test', port }] as const;
      const verify = { verify: true, caFile: authority.caFile, ...tls };
      return look(atCarrier({ hosts, transport: 'tls', registration: null, tls: verify }));
    };

    it('that is good says until when', async () => {
      const diagnosis = await byTls(['DNS:carrier.test'], 60);
      finds(diagnosis, 'certificate', 'ok', /valid/);
      assert.equal(finding(diagnosis, 'certificate').facts['issuer'], 'An authority of tests');
      finds(diagnosis, 'reach', 'ok', /taken/);
    });

    it('that runs out, that nobody vouches for, that bears another name, that nobody checks', async () => {
      finds(await byTls(['DNS:carrier.test'], 5), 'certificate', 'warn', /expires in [45] days/);
      const unknown = await byTls(['DNS:carrier.test'], 60, { caFile: null });
      finds(unknown, 'certificate', 'fail', /tls_ca_file/);
      finds(await byTls(['DNS:other.test'], 60), 'certificate', 'fail', /bears none of/);
      const unchecked = await byTls(['DNS:carrier.test'], 60, { verify: false });
      finds(unchecked, 'certificate', 'warn', /not verified/);
      const missing = await byTls(['DNS:carrier.test'], 60, { caFile: '/nowhere/ca.pem' });
      finds(missing, 'certificate', 'fail', /cannot be read/);
    });
  });
});
