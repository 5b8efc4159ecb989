import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { Trunk } from '../../../src/signaling/trunk/trunk.ts';
import { TrunkService } from '../../../src/signaling/trunk/trunk-service.ts';
import { CARRIER_SDP, FakeCarrier, first } from '../../support/fake-carrier.ts';
import { LegOwner } from '../../support/leg-owner.ts';
import { startTestEngine, type TestEngine } from '../../support/test-engine.ts';
import { aTrunk } from '../../unit/signaling/trunk/a-trunk.ts';

const SILENT = { info() {}, warn() {}, error() {} };

describe('the way to a carrier', function () {
  this.timeout(30_000);
  let engine: TestEngine;
  let signaling: SipSignaling;
  let carrier: FakeCarrier;
  let service: TrunkService;
  const changes = new EventEmitter();
  before(async function () {
    engine = await startTestEngine({ prefersTcp: (address) => service.prefersTcp(address) });
    if (engine.embedded === undefined) {
      process.stderr.write('skipped: drachtio-server keeps its ways itself\n');
      this.skip();
    }
    signaling = connectSipEngine({ ...engine.address, onInvite: () => {}, log: SILENT });
    await signaling.whenConnected();
  });
  after(async () => {
    await signaling?.close();
    await engine?.close();
  });
  beforeEach(async () => {
    carrier = await FakeCarrier.listen();
    carrier.onInvite = (call) => call.respond(486);
  });
  afterEach(async () => {
    await service.stop();
    await carrier.close();
  });

  const start = async (settings: Partial<Trunk>) => {
    service = new TrunkService({
      trunks: [
        aTrunk({
          hosts: [{ host: '127.0.0.1', port: carrier.port }],
          optionsSeconds: 0,
          ...settings,
        }),
      ],
      signaling: () => signaling,
      keepAlive: ({ transport, ...place }) => engine.embedded?.keepAlive(transport, place) ?? true,
      log: SILENT,
      onRegistration: () => changes.emit('change'),
    });
    service.start();
    while (service.views()[0]?.registration?.state !== 'registered') await once(changes, 'change');
  };
  const dial = (sdp: string) =>
    service.dial(
      {
        to: '+34955666777',
        caller: { number: null },
        trunk: null,
        offerFor: () => sdp,
        signal: new AbortController().signal,
      },
      new LegOwner(
        () => sdp,
        async () => ({ type: 'refuse', status: 488 }),
      ),
    );
  const large = `${CARRIER_SDP}${'a=note:x\r\n'.repeat(150)}`;

  it('is TCP for requests above 1,300 octets, and UDP for others', async () => {
    await start({ prefersTcp: true });
    await dial(CARRIER_SDP);
    await dial(large);
    const invites = carrier.requests.filter(({ method }) => method === 'INVITE');
    assert.deepEqual(
      invites.map(({ transport }) => transport),
      ['udp', 'tcp'],
    );
    const [, byTcp] = invites;
    assert.ok(byTcp !== undefined && first(byTcp, 'contact').includes(';transport=tcp'));
    assert.match(first(byTcp, 'via'), /^SIP\/2\.0\/TCP /);
    assert.equal((await carrier.request('REGISTER')).transport, 'udp');
  });

  it('is UDP for large requests too, where nobody takes TCP, or the trunk does not want it', async () => {
    await start({ prefersTcp: true });
    await carrier.closeTcp();
    await dial(large);
    assert.equal((await carrier.request('INVITE')).transport, 'udp');
    await service.reload([
      aTrunk({ hosts: [{ host: '127.0.0.1', port: carrier.port }], optionsSeconds: 0 }),
    ]);
    await dial(large);
    assert.equal((await carrier.request('INVITE', 2)).transport, 'udp');
  });

  for (const transport of ['udp', 'tcp'] as const) {
    it(`is kept open by line ends over ${transport}`, async () => {
      await start({ transport, keepAliveSeconds: 1 });
      await once(carrier, 'keep-alive');
      await once(carrier, 'keep-alive');
      assert.deepEqual(carrier.keepAlives, [transport, transport]);
      assert.equal(carrier.count('REGISTER'), 2, 'the challenge and its answer, and no more');
    });
  }

  it('is made anew, with a registration, when the connection is lost', async () => {
    await start({ transport: 'tcp', keepAliveSeconds: 1 });
    const registers = carrier.count('REGISTER');
    carrier.disconnect();
    await carrier.request('REGISTER', registers + 1);
    assert.equal(carrier.connectionCount, 1);
  });

  it('is not kept where the trunk does not ask for it', async () => {
    await start({ transport: 'tcp' });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual(carrier.keepAlives, []);
  });
});
