import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CallPhone } from '../../support/call-phone.ts';
import { type CarrierCall, FakeCarrier, first } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { type Kamailio, needsKamailio, startKamailio } from '../../support/kamailio.ts';
import {
  makeNamespace,
  needsNamespaces,
  type NetworkNamespace,
} from '../../support/network-namespace.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { TestPhone } from '../../support/test-phone.ts';
import { assertTone, toneOf } from '../../support/tones.ts';

const NUMBER = '+34911222333';
const CALLEE = '+34955666777';

const trunkOf = (host: string, settings: readonly string[]) =>
  [
    'trunks:',
    '  - name: north',
    `    hosts: ["${host}"]`,
    '    transport: udp',
    '    username: ann',
    '    password: secret-of-ann',
    '    register: true',
    '    outbound_prefixes: ["+34"]',
    '    codecs: [pcma]',
    `    caller_id_number: "${NUMBER}"`,
    ...settings.map((line) => `    ${line}`),
    '',
  ].join('\n');

describe('a daemon whose address moves', function () {
  this.timeout(90_000);
  let namespace: NetworkNamespace | undefined;
  let carrier: FakeCarrier | undefined;
  let gateway: Gateway | undefined;
  let folder: Awaited<ReturnType<typeof temporaryFolder>> | undefined;

  before(async function () {
    needsNamespaces(this);
    folder = await temporaryFolder();
    namespace = makeNamespace();
    carrier = await FakeCarrier.listen(namespace.here);
    carrier.rules.password = 'secret-of-ann';
    const file = join(folder.path, 'trunkline.yaml');
    const settings = ['options_seconds: 2', 'agent: agt_demo'];
    await writeFile(file, trunkOf(`${namespace.here}:${carrier.port}`, settings));
    gateway = await Gateway.start({
      namespace: namespace.name,
      env: {
        TRUNKLINE_CONFIG: file,
        TRUNKLINE_SIP_HOST: '0.0.0.0',
        TRUNKLINE_MEDIA_HOST: '0.0.0.0',
        TRUNKLINE_MEDIA_EXTERNAL_ADDRESS: namespace.thereNext,
        TRUNKLINE_HTTP_HOST: namespace.fixed,
      },
    });
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    namespace?.remove();
    await folder?.remove();
  });

  it('registers anew from where it is seen, and is called there, with audio both ways', async () => {
    assert.ok(namespace && carrier && gateway);
    const bindingAt = async (address: string) => {
      const deadline = Date.now() + 30_000;
      const isBound = () => carrier?.bindings.get('ann')?.includes(`@${address}:`) === true;
      while (!isBound()) {
        assert.ok(Date.now() < deadline, `bound to ${carrier?.bindings.get('ann')}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return /<([^>]+)>/.exec(carrier?.bindings.get('ann') ?? '')?.[1] ?? assert.fail();
    };
    await bindingAt(namespace.there);
    namespace.move();
    await bindingAt(namespace.thereNext);
    const sources = carrier.requests.map(({ sourceAddress }) => sourceAddress);
    assert.deepEqual([...new Set(sources)], [namespace.there, namespace.thereNext]);

    const callee = await TestPhone.open({ codec: 'pcma', address: namespace.here });
    const invited = new Promise<CarrierCall>((resolve) => {
      assert.ok(carrier);
      carrier.onInvite = resolve;
    });
    const dialed = await gateway.api('/v1/calls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent_id: 'agt_demo', to_number: CALLEE }),
    });
    assert.equal(dialed.status, 201);
    const { call_id: id } = (await dialed.json()) as { call_id: string };
    const call = await invited;
    assert.equal(call.invite.sourceAddress, namespace.thereNext);
    call.answer(callee.sdp());
    callee.connectTo(call.invite.body);
    await callee.nextSound(20_000);
    await callee.press('7');
    await gateway.callWhen(id, 'pressed', (_, turns) => turns.some(({ via }) => via === 'digits'));
    assert.equal((await call.request('BYE')).status, 200);
    await gateway.endOf(id);
    callee.close();
  });
});

describe('a phone behind a NAT', function () {
  this.timeout(60_000);
  let gateway: Gateway;
  before(async () => {
    gateway = await Gateway.start();
  });
  after(() => gateway?.stop());

  it('is answered, heard and hung up on where it is, whatever address it says it has', async () => {
    const phone = await CallPhone.open(gateway.sipPort, { claims: '192.168.77.7:5066' });
    const sdp = phone
      .sdp()
      .replace(/^c=IN IP4 .*$/m, 'c=IN IP4 192.168.77.7')
      .replace(/^m=audio \d+/m, 'm=audio 40404');
    await phone.call({ sdp });
    const { call_id: id } = await gateway.nextCall();
    assert.ok((await phone.listenUntilQuiet()).length > 8_000, 'the greeting is heard');
    await phone.press('7');
    await gateway.callWhen(id, 'pressed', (_, turns) => turns.some(({ via }) => via === 'digits'));
    assert.equal((await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' })).status, 204);
    await phone.sip.nextRequest('BYE');
    phone.close();
    const { media } = await gateway.endOf(id);
    assert.ok((media?.packets_received ?? 0) > 50);
  });
});

describe('a daemon behind a record-routing Kamailio', function () {
  this.timeout(120_000);
  let kamailio: Kamailio | undefined;
  let gateway: Gateway | undefined;
  let callee: FakeCarrier | undefined;
  let folder: Awaited<ReturnType<typeof temporaryFolder>> | undefined;

  const start = async (calleePort: number) => {
    folder = await temporaryFolder();
    kamailio = await startKamailio({
      password: 'secret-of-ann',
      algorithm: 'SHA-256',
      nonceSeconds: 60,
      minExpiresSeconds: 60,
      calleePort,
    });
    const file = join(folder.path, 'trunkline.yaml');
    const settings = ['domain: carrier.test', 'options_seconds: 0', 'agent: agt_demo'];
    await writeFile(file, trunkOf(`127.0.0.1:${kamailio.port}`, settings));
    gateway = await Gateway.start({ env: { TRUNKLINE_CONFIG: file } });
    await gateway.line(/"msg":"registered with a carrier"/);
    return { gateway, kamailio };
  };
  before(function () {
    needsKamailio(this);
  });
  afterEach(async () => {
    await gateway?.stop();
    await kamailio?.close();
    await callee?.close();
    await folder?.remove();
    [gateway, kamailio, callee, folder] = [undefined, undefined, undefined, undefined];
  });

  const putThrough = async (from: Gateway, id: string) => {
    const response = await from.api(`/v1/calls/${id}/transfer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ to_number: CALLEE, mode: 'bridge' }),
    });
    assert.equal(response.status, 202, await response.text());
  };

  it('is called through it and calls through it, and holds and hangs up by its routes', async () => {
    callee = await FakeCarrier.listen();
    const invited = new Promise<CarrierCall>((resolve) => {
      assert.ok(callee);
      callee.onInvite = resolve;
    });
    const { gateway: daemon, kamailio: proxy } = await start(callee.port);
    const phone = await CallPhone.open(proxy.port, { codec: 'pcma' });
    await phone.call({ user: 'ann' });
    const { call_id: id } = await daemon.nextCall();
    await daemon.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    await putThrough(daemon, id);
    const call = await invited;
    assert.match(first(call.invite, 'record-route'), new RegExp(`:${proxy.port};lr`));
    const desk = await TestPhone.open({ codec: 'pcma' });
    call.answer(desk.sdp());
    await call.acked();
    desk.connectTo(call.invite.body);
    assert.match((await phone.reoffer('sendonly')).body, /a=recvonly/);
    assert.equal((await phone.reoffer('sendrecv')).status, 200);
    phone.heardPcm8k();
    await Promise.all([
      phone.play(toneOf(700, 1_500)),
      desk.say({ samples: toneOf(1_300, 1_500), sampleRateHz: 8_000 }),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 400));
    assertTone(phone.heardPcm8k(), 1_300, 700, 'the caller hears the desk');
    assertTone(desk.recording().samples.slice(-12_000), 700, 1_300, 'the desk hears the caller');
    await phone.hangUp();
    const bye = await call.nextRequest('BYE');
    assert.equal((bye.headers.get('via') ?? []).length, 2, 'it came through the proxy');
    assert.equal((await daemon.endOf(id)).end_reason, 'transferred');
    phone.close();
    desk.close();
  });
});
