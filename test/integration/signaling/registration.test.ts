import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';

import { connectSipEngine, type SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import type { RegistrationStatus } from '../../../src/signaling/trunk/registration.ts';
import { RegistrationClient } from '../../../src/signaling/trunk/registration-client.ts';
import type { SipTarget } from '../../../src/signaling/trunk/sip-targets.ts';
import type { Trunk } from '../../../src/signaling/trunk/trunk.ts';
import { FakeCarrier, first } from '../../support/fake-carrier.ts';
import { startTestEngine, type TestEngine } from '../../support/test-engine.ts';
import { aTrunk } from '../../unit/signaling/trunk/a-trunk.ts';

const SILENT = { info() {}, warn() {}, error() {} };

describe('registration with a carrier', () => {
  let engine: TestEngine;
  let signaling: SipSignaling;
  let carrier: FakeCarrier;
  const clients: RegistrationClient[] = [];
  const changes = new EventEmitter();
  let nowMs: number;
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
    nowMs = Date.UTC(2026, 0, 1);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.stop()));
    await carrier.close();
  });

  const at = (port: number, transport: SipTarget['transport'] = 'udp'): SipTarget => ({
    transport,
    host: '127.0.0.1',
    address: '127.0.0.1',
    port,
  });
  const clientOf = (settings: Partial<Trunk> = {}, targets = [at(carrier.port)]) => {
    const client = new RegistrationClient({
      trunk: aTrunk(settings),
      send: (request) => signaling.request(request),
      targets: () => Promise.resolve(targets),
      nowMs: () => nowMs,
      random: () => 0.5,
      log: SILENT,
      onChange: (status) => changes.emit('change', status),
      timeoutMs: 1_000,
    });
    clients.push(client);
    client.start();
    return client;
  };
  const until = async (
    client: RegistrationClient,
    holds: (status: RegistrationStatus) => boolean,
  ) => {
    while (!holds(client.status)) await once(changes, 'change');
    return client.status;
  };
  const registered = (client: RegistrationClient) =>
    until(client, (status) => status.state === 'registered');
  const waiting = (client: RegistrationClient) =>
    until(client, (status) => status.state === 'waiting');

  const challenges: readonly (readonly [string, Partial<FakeCarrier['rules']>, RegExp])[] = [
    ['MD5', { algorithms: ['MD5'] }, /algorithm=MD5, qop=auth/],
    ['MD5-sess', { algorithms: ['MD5-sess'] }, /algorithm=MD5-sess/],
    ['SHA-256', { algorithms: ['SHA-256'] }, /algorithm=SHA-256/],
    ['SHA-512-256', { algorithms: ['SHA-512-256'] }, /algorithm=SHA-512-256/],
    ['a server of RFC 2069', { hasQop: false }, /^(?!.*qop=).*$/],
    ['several challenges', { algorithms: ['TIGER', 'MD5', 'SHA-256'] }, /algorithm=SHA-256/],
    ['a proxy', { isProxy: true }, /^Digest /],
  ];
  for (const [what, rules, expected] of challenges) {
    it(`answers ${what}`, async () => {
      Object.assign(carrier.rules, rules);
      const status = await registered(clientOf());
      assert.equal(status.lastAnswer?.status, 200);
      const header = rules.isProxy === true ? 'proxy-authorization' : 'authorization';
      assert.match(first(await carrier.request('REGISTER', 2), header), expected);
      assert.equal(carrier.count('REGISTER'), 2);
      assert.match(
        carrier.bindings.get('ann') ?? '',
        new RegExp(`^<sip:ann@127.0.0.1:${engine.sip.port}>`),
      );
    });
  }

  it('keeps one Call-ID, and takes our own expiry from among other contacts', async () => {
    carrier.rules.grantSeconds = 120;
    const status = await registered(clientOf());
    assert.equal(status.expiresAtMs, nowMs + 120_000);
    const [one, two] = [await carrier.request('REGISTER'), await carrier.request('REGISTER', 2)];
    assert.equal(first(one, 'call-id'), first(two, 'call-id'));
    assert.equal(first(one, 'from'), first(two, 'from'));
    assert.equal(
      Number.parseInt(first(two, 'cseq'), 10),
      Number.parseInt(first(one, 'cseq'), 10) + 1,
    );
    assert.equal(two.uri, 'sip:carrier.test');
  });

  it('follows a stale nonce', async () => {
    carrier.rules.nonceUsesMax = 1;
    const client = clientOf();
    await registered(client);
    client.renew();
    await carrier.request('REGISTER', 4);
    const status = await registered(client);
    assert.equal(status.failures, 0);
    const cseqs = carrier.requests.map((request) => Number.parseInt(first(request, 'cseq'), 10));
    assert.deepEqual(
      cseqs,
      cseqs.map((_, index) => (cseqs[0] ?? 0) + index),
    );
  });

  it('gives up a wrong password after one attempt, and says when it tries again', async () => {
    carrier.rules.password = 'another';
    const status = await waiting(clientOf());
    assert.equal(status.lastAnswer?.status, 401);
    assert.ok((status.nextAttemptAtMs ?? 0) > nowMs);
    assert.equal(carrier.count('REGISTER'), 2);
  });

  it('asks for as long as the registrar wants', async () => {
    carrier.rules.minExpiresSeconds = 7200;
    const status = await registered(clientOf());
    assert.equal(status.expiresAtMs, nowMs + 7_200_000);
  });

  it('registers over TCP', async () => {
    await registered(clientOf({}, [at(carrier.port, 'tcp')]));
    assert.equal((await carrier.request('REGISTER')).transport, 'tcp');
    assert.match(carrier.bindings.get('ann') ?? '', /;transport=tcp>/);
  });

  it('fails over when a registrar is not there, is silent, or says 503', async function () {
    const [broken, silent] = [await FakeCarrier.listen(), await FakeCarrier.listen()];
    try {
      broken.rules.refuseWith = { status: 503, headers: ['Retry-After: 60'] };
      silent.isSilent = true;
      const closed = await FakeCarrier.listen();
      const closedPort = closed.port;
      await closed.close();
      const targets = [at(closedPort, 'tcp'), at(broken.port), at(silent.port), at(carrier.port)];
      const status = await registered(clientOf({}, targets));
      assert.equal(status.registrar, `udp/127.0.0.1:${carrier.port}`);
      assert.equal(broken.count('REGISTER'), 1);
    } finally {
      await Promise.all([broken.close(), silent.close()]);
    }
  });

  it('stays with a registrar that refuses', async () => {
    const other = await FakeCarrier.listen();
    try {
      carrier.rules.refuseWith = { status: 403 };
      const status = await waiting(clientOf({}, [at(carrier.port), at(other.port)]));
      assert.equal(status.lastAnswer?.status, 403);
      assert.equal(other.count('REGISTER'), 0);
    } finally {
      await other.close();
    }
  });

  it('registers again with the address the registrar saw, taking the former away', async () => {
    carrier.rules.seenAs = '203.0.113.9:1024';
    const client = clientOf();
    const status = await until(
      client,
      ({ state }) => state === 'registered' && carrier.count('REGISTER') > 2,
    );
    assert.equal(status.observedAddress, '203.0.113.9:1024');
    const contact = first(await carrier.request('REGISTER', 3), 'contact');
    assert.match(contact, /^<sip:ann@203\.0\.113\.9:1024>;expires=3600/);
    // drachtio-server sends one contact alone.
    if (engine.name === 'embedded') {
      assert.match(contact, new RegExp(`, <sip:ann@127.0.0.1:${engine.sip.port}>;expires=0$`));
    }
    assert.equal(carrier.count('REGISTER'), 3);
  });

  it('is taken away when it stops', async () => {
    const client = clientOf();
    await registered(client);
    assert.equal(carrier.bindings.size, 1);
    await client.stop();
    assert.equal(carrier.bindings.size, 0);
    assert.equal(client.status.state, 'idle');
  });

  it('stops in time when the registrar is silent', async () => {
    const client = clientOf();
    await registered(client);
    carrier.isSilent = true;
    await client.stop();
  });
});
