import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';

import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { Trunk } from '../../../src/signaling/trunk/trunk.ts';
import type { Place } from '../../../src/sip-engine/transport/transport.ts';
import { TrunkService } from '../../../src/signaling/trunk/trunk-service.ts';
import { CARRIER_SDP, FakeCarrier, first } from '../../support/fake-carrier.ts';
import {
  type Kamailio,
  needsKamailio,
  needsKamailioTls,
  startKamailio,
} from '../../support/kamailio.ts';
import { needsOpenssl, TestAuthority, type TestCertificate } from '../../support/certificates.ts';
import { LegOwner } from '../../support/leg-owner.ts';
import { SipPhone } from '../../support/sip-phone.ts';
import { startTestEngine, type TestEngine } from '../../support/test-engine.ts';
import { aTrunk } from '../../unit/signaling/trunk/a-trunk.ts';

const SILENT = { info() {}, warn() {}, error() {} };

describe('a trunk to Kamailio', function () {
  this.timeout(30_000);
  let engine: TestEngine;
  let signaling: SipSignaling;
  let callee: FakeCarrier;
  let kamailio: Kamailio | undefined;
  let service: TrunkService | undefined;
  const trunksOfInvites: (string | null)[] = [];
  const changes = new EventEmitter();
  before(async function () {
    needsKamailio(this);
    engine = await startTestEngine({ findPeer: (place) => peerOf(place) });
    signaling = connectSipEngine({
      ...engine.address,
      admit: (request) => service?.admit(request) ?? { type: 'take', trunk: null },
      onInvite: (invite) => {
        trunksOfInvites.push(invite.trunk);
        invite.refuse(486);
      },
      log: SILENT,
    });
    await signaling.whenConnected();
    callee = await FakeCarrier.listen();
  });
  afterEach(async () => {
    await service?.stop();
    await kamailio?.close();
    service = undefined;
    kamailio = undefined;
  });
  after(async () => {
    await signaling?.close();
    await engine?.close();
    await callee?.close();
  });

  let authority: TestAuthority | undefined;
  after(() => authority?.remove());
  const secured = (context: Mocha.Context) => {
    needsOpenssl(context);
    needsKamailioTls(context);
    if (engine.name !== 'embedded') context.skip();
    authority ??= new TestAuthority();
    const settings = { tls: { verify: true, caFile: authority.caFile } };
    return { settings, certificate: authority.issue(['DNS:carrier.test']) };
  };
  const peerOf = (place: Place) => {
    const found = service?.tlsPeer(place) ?? null;
    if (found === null) return undefined;
    const { caFile, ...peer } = found;
    return caFile === null ? peer : { ...peer, ca: readFileSync(caFile, 'utf8') };
  };
  const start = async (
    algorithm: 'MD5' | 'SHA-256',
    settings: Partial<Trunk> = {},
    certificate?: TestCertificate,
  ) => {
    kamailio = await startKamailio({
      password: 'secret',
      algorithm,
      nonceSeconds: 1,
      minExpiresSeconds: 120,
      calleePort: callee.port,
      ...(certificate === undefined ? {} : { certificate }),
    });
    const { port, tlsPort } = kamailio;
    const hosts: Trunk['hosts'] = [{ host: '127.0.0.1', port: tlsPort === 0 ? port : tlsPort }];
    const started = new TrunkService({
      trunks: [aTrunk({ name: 'kamailio', hosts, ...settings })],
      signaling: () => signaling,
      log: SILENT,
      onRegistration: () => changes.emit('change'),
    });
    service = started;
    started.start();
    while (started.views()[0]?.registration?.state !== 'registered') await once(changes, 'change');
    return { service: started, port };
  };

  for (const algorithm of ['MD5', 'SHA-256'] as const) {
    it(`registers with ${algorithm}, is refreshed past a stale nonce, and is found by callers`, async () => {
      const { service: running, port } = await start(algorithm, {
        registration: { expiresSeconds: 60 },
      });
      const before = running.views()[0]?.registration;
      // It would not take 60 s (423): the registration lasts as long as it wants.
      assert.ok((before?.expiresAtMs ?? 0) - (before?.lastAnswer?.atMs ?? 0) >= 120_000);
      // Kamailio's clock alone makes its nonce stale, after a second; then a refresh is asked for.
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      running.connected();
      while (running.views()[0]?.registration?.lastAnswer === before?.lastAnswer) {
        await once(changes, 'change');
      }
      while (running.views()[0]?.registration?.state !== 'registered')
        await once(changes, 'change');
      assert.equal(running.views()[0]?.registration?.lastAnswer?.status, 200);
      const phone = await SipPhone.open(port);
      try {
        const final = await phone.invite({ user: 'ann', sdp: CARRIER_SDP });
        assert.equal(final.status, 486);
        assert.equal(trunksOfInvites.at(-1), 'kamailio');
      } finally {
        phone.close();
      }
    });
  }

  for (const transport of ['udp', 'tcp', 'tls'] as const) {
    it(`calls out through it over ${transport}: challenged, record-routed, hung up`, async function () {
      const tls = transport === 'tls' ? secured(this) : null;
      const { service: running } = await start(
        'SHA-256',
        { transport, ...tls?.settings },
        tls?.certificate,
      );
      callee.onInvite = (call) => {
        call.respond(180);
        call.answer();
      };
      const byesBefore = callee.count('BYE');
      const result = await running.dial(
        {
          to: '+34955666777',
          caller: { number: null },
          trunk: null,
          offerFor: () => CARRIER_SDP,
          signal: new AbortController().signal,
        },
        new LegOwner(
          () => CARRIER_SDP,
          () => Promise.resolve({ type: 'refuse', status: 488 }),
        ),
      );
      assert.ok(result.type === 'answered', JSON.stringify(result));
      const invite = callee.requests.findLast(({ method }) => method === 'INVITE');
      assert.ok(invite !== undefined && first(invite, 'record-route') !== '');
      assert.equal(first(invite, 'proxy-authorization'), '');
      await result.leg.hangUp();
      assert.equal(callee.count('BYE'), byesBefore + 1);
    });
  }

  it('is found by callers over the connection it registered by TLS', async function () {
    const { settings, certificate } = secured(this);
    const { port } = await start('MD5', { transport: 'tls', ...settings }, certificate);
    const phone = await SipPhone.open(port);
    try {
      const final = await phone.invite({ user: 'ann', sdp: CARRIER_SDP });
      assert.equal(final.status, 486);
      assert.equal(trunksOfInvites.at(-1), 'kamailio');
    } finally {
      phone.close();
    }
  });
});
