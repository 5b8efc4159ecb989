import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { callByCarrier } from '../../support/carrier-caller.ts';
import { type CarrierCall, FakeCarrier, first } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import {
  makeRoutedNetwork,
  needsRouters,
  type RoutedNetwork,
} from '../../support/network-namespace.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { TestPhone } from '../../support/test-phone.ts';

const NUMBER = '+34911222333';
const CALLEE = '+34955666777';
const SIP_PORT = 5060;

describe('a daemon behind a router that translates addresses', function () {
  this.timeout(90_000);
  let network: RoutedNetwork;
  let carrier: FakeCarrier;
  let second: FakeCarrier;
  let gateway: Gateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  before(async function () {
    needsRouters(this);
    folder = await temporaryFolder();
    network = makeRoutedNetwork(SIP_PORT);
    carrier = await FakeCarrier.listen(network.here);
    second = await FakeCarrier.listen(network.alsoHere);
    carrier.rules.password = 'secret-of-ann';
    const shared = [
      '    transport: udp',
      '    domain: carrier.test',
      '    outbound_prefixes: ["+34"]',
      '    codecs: [pcma]',
      `    caller_id_number: "${NUMBER}"`,
    ];
    const trunks = [
      'trunks:',
      '  - name: north',
      `    hosts: ["${network.here}:${carrier.port}", "${network.alsoHere}:${second.port}"]`,
      '    username: ann',
      '    password: secret-of-ann',
      '    register: true',
      '    options_seconds: 2',
      '    agent: agt_demo',
      ...shared,
      '  - name: south',
      `    hosts: ["${network.alsoHere}:${second.port}"]`,
      '    options_seconds: 0',
      `    external_address: ${network.outside}`,
      ...shared,
      '',
    ];
    const file = join(folder.path, 'trunkline.yaml');
    await writeFile(file, trunks.join('\n'));
    gateway = await Gateway.start({
      namespace: network.name,
      env: {
        TRUNKLINE_CONFIG: file,
        TRUNKLINE_SIP_HOST: '0.0.0.0',
        TRUNKLINE_SIP_PORT: String(SIP_PORT),
        TRUNKLINE_SIP_NO_RESPONSE_SECONDS: '2',
        TRUNKLINE_MEDIA_HOST: '0.0.0.0',
        TRUNKLINE_MEDIA_EXTERNAL_ADDRESS: network.outside,
        TRUNKLINE_HTTP_HOST: network.fixed,
      },
    });
    await gateway.changeAgent({ greeting_text: 'Good day, you hear me well.' });
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await second?.close();
    network?.remove();
    await folder?.remove();
  });
  afterEach(() => network.filter());

  /** What is registered, once it is at this address: `sip:ann@address:port`. */
  const contactAt = async (address: string): Promise<string> => {
    const { min, max } = network.translatedPorts;
    const deadline = Date.now() + 40_000;
    for (;;) {
      const contact = /<([^>]+)>/.exec(carrier.bindings.get('ann') ?? '')?.[1] ?? '';
      const port = Number(/@[\d.]+:(\d+)/.exec(contact)?.[1]);
      if (contact.includes(`@${address}:`) && port >= min && port <= max) return contact;
      assert.ok(
        Date.now() < deadline,
        `registered: ${contact} ${carrier.requests.length} ${second.requests.length} ${gateway.lines.slice(-30).join('\n')}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const nextInvite = (at: FakeCarrier) =>
    new Promise<CarrierCall>((resolve) => {
      at.onInvite = resolve;
    });
  const dial = async (): Promise<string> => {
    const dialed = await gateway.api('/v1/calls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent_id: 'agt_demo', to_number: CALLEE }),
    });
    const call = (await dialed.json()) as { call_id: string };
    assert.equal(dialed.status, 201, JSON.stringify(call));
    return call.call_id;
  };
  /** The agent is heard, and hears a key. */
  const talk = async (phone: TestPhone, id: string): Promise<void> => {
    await phone.nextSound(20_000);
    await phone.press('7');
    await gateway.callWhen(id, 'pressed', (_, turns) => turns.some(({ via }) => via === 'digits'));
  };
  const aPhone = (address: string) =>
    TestPhone.open({ codec: 'pcma', address, followsSource: true });

  /** The carrier calls who is registered there; both are heard, and the carrier hangs up. */
  const isCalledAt = async (contact: string): Promise<void> => {
    const phone = await aPhone(network.here);
    const call = await callByCarrier(carrier, contact, { from: CALLEE, sdp: phone.sdp() });
    assert.doesNotMatch(call.answer.body, new RegExp(network.inside), 'no private address is told');
    phone.connectTo(call.answer.body);
    const { call_id: id } = await gateway.nextCall();
    await talk(phone, id);
    assert.equal((await call.request('BYE')).status, 200);
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
    phone.close();
  };

  it('is registered, and called, at the address and port that the router gave it', async () => {
    await isCalledAt(await contactAt(network.outside));
  });

  it('calls out, tells no private address, and is hung up on through the router', async () => {
    const callee = await aPhone(network.here);
    const invited = nextInvite(carrier);
    const id = await dial();
    const call = await invited;
    assert.equal(call.invite.sourceAddress, network.outside);
    assert.doesNotMatch(call.invite.body, new RegExp(network.inside));
    call.answer(callee.sdp());
    callee.connectTo(call.invite.body);
    await talk(callee, id);
    assert.equal((await call.request('BYE')).status, 200);
    await gateway.endOf(id);
    callee.close();
  });

  for (const [status, reason] of [
    [404, 'callee-refused'],
    [486, 'callee-busy'],
    [603, 'callee-refused'],
  ] as const) {
    it(`asks nobody else after ${status}`, async () => {
      carrier.onInvite = (call) => call.respond(status);
      second.onInvite = (call) => call.respond(500);
      const before = second.count('INVITE');
      const id = await dial();
      const call = await gateway.endOf(id);
      assert.deepEqual([call.end_reason, call.sip_status], [reason, status]);
      assert.equal(second.count('INVITE'), before);
    });
  }

  it('talks with the branch of a fork that answered, and not with the other', async () => {
    const [ringing, answering] = [await aPhone(network.here), await aPhone(network.alsoHere)];
    const invited = nextInvite(carrier);
    const id = await dial();
    const call = await invited;
    call.respond(183, { sdp: ringing.sdp(), toTag: 'one' });
    ringing.connectTo(call.invite.body);
    call.respond(183, { sdp: answering.sdp(), toTag: 'two' });
    answering.connectTo(call.invite.body);
    await new Promise((resolve) => setTimeout(resolve, 500));
    call.answer(answering.sdp(), { toTag: 'two' });
    await call.acked();
    await talk(answering, id);
    const heard = ringing.arrivals.filter(({ rms }) => rms > 200);
    assert.equal(heard.length, 0, 'the branch that lost hears nothing of the agent');
    await ringing.press('9');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { transcript = [] } = await gateway.call(id);
    assert.ok(
      transcript.every(({ text }) => !text.includes('9')),
      'nor is it heard',
    );
    assert.equal((await call.request('BYE')).status, 200);
    await gateway.endOf(id);
    for (const phone of [ringing, answering]) phone.close();
  });

  const gone = (verdict: string) => `ip daddr ${network.here} udp dport ${carrier.port} ${verdict}`;
  for (const [what, rule] of [
    ['all packets to it are lost', () => [gone('drop')]],
    ['it cannot be reached, as ICMP says', () => [gone('reject')]],
    ['its answers are lost', () => [`ip saddr ${network.here} udp sport ${carrier.port} drop`]],
  ] as const) {
    it(`calls by the next host when ${what}`, async () => {
      network.filter(...rule());
      const callee = await aPhone(network.alsoHere);
      carrier.onInvite = () => {};
      const invited = nextInvite(second);
      const id = await dial();
      const call = await invited;
      call.answer(callee.sdp());
      callee.connectTo(call.invite.body);
      await talk(callee, id);
      assert.equal((await call.request('BYE')).status, 200);
      await gateway.endOf(id);
      callee.close();
    });
  }

  it('calls by the next trunk when both hosts of the first refuse', async () => {
    carrier.onInvite = (call) => call.respond(503);
    const asked: CarrierCall[] = [];
    const taken = new Promise<CarrierCall>((resolve) => {
      second.onInvite = (call) => {
        asked.push(call);
        if (asked.length === 1) call.respond(500);
        else resolve(call);
      };
    });
    const callee = await aPhone(network.alsoHere);
    const id = await dial();
    const call = await taken;
    call.answer(callee.sdp());
    callee.connectTo(call.invite.body);
    await talk(callee, id);
    assert.equal(asked.length, 2);
    assert.equal(first(call.invite, 'contact'), `<sip:${network.outside}:${SIP_PORT}>`);
    assert.equal((await call.request('BYE')).status, 200);
    await gateway.endOf(id);
    callee.close();
  });

  it('is registered anew, and called, when the router gets another address', async () => {
    carrier.onInvite = (call) => call.respond(180);
    network.move();
    await isCalledAt(await contactAt(network.outsideNext));
  });
});
