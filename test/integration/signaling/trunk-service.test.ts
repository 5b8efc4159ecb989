import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';

import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { DnsLookup } from '../../../src/signaling/trunk/sip-targets.ts';
import type { Trunk } from '../../../src/signaling/trunk/trunk.ts';
import { TrunkService } from '../../../src/signaling/trunk/trunk-service.ts';
import { CARRIER_SDP, FakeCarrier, first } from '../../support/fake-carrier.ts';
import { LegOwner } from '../../support/leg-owner.ts';
import { startTestEngine, type TestEngine } from '../../support/test-engine.ts';
import { aTrunk } from '../../unit/signaling/trunk/a-trunk.ts';

const SILENT = { info() {}, warn() {}, error() {} };

describe('the trunks of the daemon', () => {
  let engine: TestEngine;
  let signaling: SipSignaling;
  let north: FakeCarrier;
  let south: FakeCarrier;
  let service: TrunkService;
  const changes = new EventEmitter();
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
    [north, south] = [await FakeCarrier.listen(), await FakeCarrier.listen()];
  });
  afterEach(async () => {
    await service.stop();
    await Promise.all([north.close(), south.close()]);
  });

  /** `sip.north.test` and `sip.south.test` by SRV; all names are loopback. */
  const dns: DnsLookup = {
    naptr: () => Promise.resolve([]),
    srv: (name) => {
      const carrier = /^_sip\._udp\.sip\.(north|south)\.test$/.exec(name)?.[1];
      if (carrier === undefined) return Promise.resolve([]);
      const { port } = carrier === 'north' ? north : south;
      return Promise.resolve([{ name: `${carrier}.test`, port, priority: 1, weight: 1 }]);
    },
    addresses: () => Promise.resolve(['127.0.0.1']),
  };
  const host = (name: string) => ({ host: name, port: null });
  const NORTH = aTrunk({ name: 'north', hosts: [host('sip.north.test')], optionsSeconds: 1 });
  const SOUTH = aTrunk({ name: 'south', hosts: [host('sip.south.test')], optionsSeconds: 1 });
  const start = (trunks: readonly Trunk[]) => {
    service = new TrunkService({
      trunks,
      signaling: () => signaling,
      log: SILENT,
      dns,
      onRegistration: () => changes.emit('change'),
      onHealth: () => changes.emit('change'),
      registerTimeoutMs: 500,
      probeTimeoutMs: 200,
    });
    service.start();
  };
  const view = (name: string) => {
    const found = service.views().find((trunk) => trunk.name === name);
    assert.ok(found !== undefined);
    return found;
  };
  const until = async (holds: () => boolean) => {
    while (!holds()) await once(changes, 'change');
  };
  const registered = (...names: readonly string[]) =>
    until(() => names.every((name) => view(name).registration?.isRegistered === true));
  const dial = () =>
    service.dial(
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

  it('register where DNS leads, are probed there, and call there', async () => {
    north.challengesInvites = true;
    north.onInvite = (call) => call.answer();
    start([NORTH]);
    await registered('north');
    assert.equal(view('north').registration?.registrar, `udp/127.0.0.1:${north.port}`);
    assert.equal(view('north').isUp, true);
    assert.match((await north.request('OPTIONS')).uri, /^sip:carrier\.test$/);
    const result = await dial();
    assert.ok(result.type === 'answered');
    assert.equal(view('north').channels, 1);
    assert.deepEqual(view('north').hosts, ['sip.north.test']);
    assert.doesNotMatch(JSON.stringify(service.views()), /secret/);
    await result.leg.hangUp();
    assert.equal(view('north').channels, 0);
  });

  it('are recognized by what their names resolve to', async () => {
    start([aTrunk({ ...NORTH, registration: null })]);
    assert.equal(service.isSource('127.0.0.1'), false);
    await north.request('OPTIONS');
    assert.equal(service.isSource('127.0.0.1'), true);
    const request = {
      method: 'INVITE',
      uri: 'sip:x@y',
      sourceAddress: '127.0.0.1',
      authorization: undefined,
    };
    assert.deepEqual(service.admit(request), { type: 'take', trunk: 'north' });
  });

  it('go down when they do not answer, so that calls take another, and come up again', async function () {
    this.timeout(20_000);
    const loose = { registration: null };
    start([aTrunk({ ...NORTH, ...loose }), aTrunk({ ...SOUTH, ...loose })]);
    north.optionsStatus = 503;
    south.onInvite = (call) => call.respond(486);
    await until(() => !view('north').isUp);
    assert.equal(view('north').health.lastProbe?.sipStatus, 503);
    assert.equal((await dial()).trunk.name, 'south');
    north.optionsStatus = 200;
    await until(() => view('north').isUp);
    assert.equal(view('south').isUp, true);
  });

  it('register again when a probe shows that our address moved', async () => {
    start([NORTH]);
    await registered('north');
    north.rules.seenAs = '203.0.113.9:1024';
    const moved = await north.request('REGISTER', 3);
    assert.match(first(moved, 'contact'), /^<sip:ann@203\.0\.113\.9:1024>/);
    await until(() => view('north').registration?.observedAddress === '203.0.113.9:1024');
  });

  it('follow a reload: the changed anew, the gone away, the others undisturbed', async () => {
    start([NORTH, SOUTH]);
    await registered('north', 'south');
    const before = south.count('REGISTER');
    await service.reload([aTrunk({ ...NORTH, username: 'bob' }), SOUTH]);
    await registered('north', 'south');
    assert.deepEqual([...north.bindings.keys()], ['bob']);
    await service.reload([SOUTH]);
    assert.equal(north.bindings.size, 0);
    assert.equal(south.count('REGISTER'), before);
    assert.deepEqual(
      service.views().map((trunk) => trunk.name),
      ['south'],
    );
  });

  it('say where they are reached when the operator wrote an address', async () => {
    start([aTrunk({ ...NORTH, externalAddress: '198.51.100.9' })]);
    await registered('north');
    const contact = first(await north.request('REGISTER', 2), 'contact');
    assert.match(contact, /^<sip:ann@198\.51\.100\.9:5060>;expires=3600$/);
  });

  it('are deregistered when the daemon stops', async () => {
    start([NORTH, SOUTH]);
    await registered('north', 'south');
    await service.stop();
    assert.deepEqual([north.bindings.size, south.bindings.size], [0, 0]);
  });
});
