import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CallPhone } from '../../support/call-phone.ts';
import { type CarrierCall, FakeCarrier, first } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { TestPhone } from '../../support/test-phone.ts';

const NUMBER = '+34911222333';
const CALLEE = '+34955666777';
const GREETING = 'Hello there, how can I help?';

describe('a daemon with a trunk', function () {
  this.timeout(60_000);
  let carrier: FakeCarrier;
  let gateway: Gateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let configFile: string;

  const trunkYaml = (settings: readonly string[] = []) =>
    [
      'trunks:',
      '  - name: north',
      `    hosts: ["127.0.0.1:${carrier.port}"]`,
      '    transport: udp',
      '    username: ann',
      '    password: secret-of-ann',
      '    register: true',
      '    outbound_prefixes: ["+34"]',
      '    country: ES',
      '    codecs: [pcma]',
      '    channels_max: 2',
      '    calls_per_second: 100',
      ...settings.map((line) => `    ${line}`),
      `    numbers: { "${NUMBER}": agt_demo }`,
      '',
    ].join('\n');

  before(async () => {
    [carrier, folder] = await Promise.all([FakeCarrier.listen(), temporaryFolder()]);
    carrier.rules.password = 'secret-of-ann';
    carrier.challengesInvites = true;
    configFile = join(folder.path, 'trunkline.yaml');
    await writeFile(configFile, trunkYaml());
    gateway = await Gateway.startByEngine({ env: { TRUNKLINE_CONFIG: configFile } });
    await gateway.changeAgent({ greeting_text: GREETING });
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await folder?.remove();
  });

  const dial = (body: Readonly<Record<string, unknown>>) =>
    gateway.api('/v1/calls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent_id: 'agt_demo', ...body }),
    });
  const nextInvite = async (): Promise<CarrierCall> =>
    new Promise((resolve) => {
      carrier.onInvite = resolve;
    });
  const dialed = async (body: Readonly<Record<string, unknown>> = {}) => {
    const invited = nextInvite();
    const response = await dial({ to_number: CALLEE, ...body });
    const call = (await response.json()) as Record<string, string>;
    assert.equal(response.status, 201, JSON.stringify(call));
    return { id: call['call_id'] ?? '', call, carrierCall: await invited };
  };
  const refused = async (body: Readonly<Record<string, unknown>>, status: number, code: string) => {
    const invites = carrier.count('INVITE');
    const response = await dial(body);
    const error = (await response.json()) as Record<string, string>;
    assert.deepEqual([response.status, error['error_code']], [status, code]);
    assert.equal(carrier.count('INVITE'), invites, 'nothing was dialed');
  };
  const trunk = async () => {
    const { trunks } = (await (await gateway.api('/v1/trunks')).json()) as {
      trunks: Record<string, unknown>[];
    };
    return trunks.find(({ name }) => name === 'north') ?? assert.fail('the trunk is not shown');
  };
  const whenTrunk = async (holds: (shown: Record<string, unknown>) => boolean) => {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const shown = await trunk();
      if (holds(shown)) return shown;
      assert.ok(Date.now() < deadline, JSON.stringify(shown));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  it('registers with the carrier, and shows it without its password', async () => {
    await whenTrunk(({ is_up: isUp }) => isUp === true);
    const shown = await trunk();
    assert.match(JSON.stringify(shown['registration']), /"is_registered":true/);
    assert.doesNotMatch(JSON.stringify(shown), /secret-of-ann/);
    assert.match(carrier.bindings.get('ann') ?? '', new RegExp(`:${gateway.sipPort}>`));
    assert.equal(await gateway.metric('trunkline_trunk_registered', /trunk="north"/), 1);
    assert.equal((await fetch(`${gateway.httpUrl}/v1/trunks`)).status, 401);
  });

  it("answers the trunk's number with its agent, in the trunk's codec", async () => {
    const phone = await CallPhone.open(gateway.sipPort, { codec: 'pcma' });
    await phone.call({
      user: NUMBER,
      headers: [
        'P-Asserted-Identity: "Bob" <sip:+34666777888@carrier.test>',
        'Diversion: <sip:+34600000001@carrier.test>;reason=no-answer',
        'Reason: Q.850;cause=19;text="No answer"',
        'Identity: e30.eyJhdHRlc3QiOiJBIn0.c2ln;info=<https://cert.test>;alg=ES256;ppt=shaken',
      ],
    });
    const { call_id: id } = await gateway.nextCall();
    assert.ok((await phone.listenUntilQuiet()).length > 8000, 'a second of speech');
    assert.equal((await trunk())['channels'], 1);
    await phone.hangUp();
    const call = await gateway.endOf(id);
    phone.close();
    assert.equal(call.end_reason, 'caller-hung-up');
    assert.equal(call['from_number'], '+34666777888');
    assert.equal(call['to_number'], NUMBER);
    const { headers, ...facts } = call['network_facts'] as Record<string, unknown>;
    assert.deepEqual(facts, {
      caller_name: 'Bob',
      is_private: false,
      diverted_from: '+34600000001',
      diversion_reason: 'no-answer',
      reason: 'Q.850;cause=19;text="No answer"',
      claimed_attestation: 'A',
    });
    assert.match(JSON.stringify(headers), /"identity":"e30/);
    assert.equal(call.transcript?.[0]?.text, GREETING);
    assert.equal((await trunk())['channels'], 0);
  });

  it('refuses what its trunk cannot speak with 488, and numbers of nobody with 404', async () => {
    const phones = [
      await CallPhone.open(gateway.sipPort, { codec: 'pcmu' }),
      await CallPhone.open(gateway.sipPort, { codec: 'pcma' }),
    ] as const;
    assert.equal((await phones[0].dial({ user: NUMBER })).status, 488);
    // Also the id of an agent is nobody's number.
    assert.equal((await phones[1].dial({ user: 'agt_demo' })).status, 404);
    for (const phone of phones) phone.close();
    assert.equal((await gateway.nextEndedCall()).end_reason, 'no-common-codec');
  });

  it('calls out: rings, is answered, the callee hears the greeting and hangs up', async () => {
    const callee = await TestPhone.open({ codec: 'pcma' });
    const { id, call, carrierCall } = await dialed();
    assert.equal(call['status'], 'initiated');
    assert.equal(call['direction'], 'outbound');
    assert.deepEqual([call['from_number'], call['to_number']], [NUMBER, CALLEE]);
    assert.match(call['started_at'] ?? '', /^\d{4}-/);
    const { invite } = carrierCall;
    assert.match(invite.uri, /^sip:\+34955666777@127\.0\.0\.1/);
    assert.match(first(invite, 'from'), /sip:\+34911222333@/);
    assert.match(invite.body, /^m=audio \d+ RTP\/AVP 8 101\r$/m);
    assert.equal((await gateway.call(id)).status, 'initiated');

    carrierCall.respond(180);
    await gateway.callWhen(id, 'ringing', ({ status }) => status === 'ringing');
    carrierCall.answer(callee.sdp());
    await carrierCall.acked();
    callee.connectTo(invite.body);
    await callee.nextSound(15_000);
    await callee.quietFor(1000);
    const live = await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    assert.equal(live.status, 'in-progress');
    assert.equal((await trunk())['channels'], 1);

    assert.equal((await carrierCall.request('BYE')).status, 200);
    const ended = await gateway.endOf(id);
    callee.close();
    assert.equal(ended.status, 'completed');
    assert.equal(ended.end_reason, 'caller-hung-up');
    assert.equal(ended.transcript?.[0]?.text, GREETING);
    assert.equal(ended.media?.codec, 'pcma');
    assert.equal(gateway.endLines(id).length, 1);
    assert.equal((await trunk())['channels'], 0);
  });

  it('hangs up an answered call when its owner says so, and tells the agent its variables', async () => {
    await gateway.changeAgent({ greeting_text: 'Hello {{first_name}}.' });
    const callee = await TestPhone.open({ codec: 'pcma' });
    const { id, carrierCall } = await dialed({
      to_number: '955 66 67 77',
      variables: { first_name: 'Carla' },
    });
    assert.match(carrierCall.invite.uri, /^sip:\+34955666777@/);
    carrierCall.answer(callee.sdp());
    callee.connectTo(carrierCall.invite.body);
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    assert.equal((await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' })).status, 204);
    assert.match(first(await carrierCall.nextRequest('BYE'), 'reason'), /cause=16/);
    const ended = await gateway.endOf(id);
    callee.close();
    await gateway.changeAgent({ greeting_text: GREETING });
    assert.equal(ended.end_reason, 'operator-hung-up');
    assert.equal(ended.transcript?.[0]?.text, 'Hello Carla.');
  });

  it('cancels while it rings', async () => {
    const { id, carrierCall } = await dialed();
    carrierCall.respond(180);
    await gateway.callWhen(id, 'ringing', ({ status }) => status === 'ringing');
    assert.equal((await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' })).status, 204);
    await carrierCall.nextRequest('CANCEL');
    const call = await gateway.endOf(id);
    assert.deepEqual([call.status, call.end_reason], ['failed', 'operator-hung-up']);
    assert.equal((await trunk())['channels'], 0);
  });

  for (const [what, status, reason] of [
    ['is busy', 486, 'callee-busy'],
    ['declines', 603, 'callee-refused'],
    ['is not there', 408, 'no-answer'],
    ['cannot be reached', 503, 'trunk-unavailable'],
  ] as const) {
    it(`says that the callee ${what} by ${reason}`, async () => {
      const { id, carrierCall } = await dialed();
      carrierCall.respond(status);
      const call = await gateway.endOf(id);
      assert.equal(call.status, 'failed');
      assert.equal(call.end_reason, reason);
      assert.equal(call.sip_status, status);
      assert.equal(gateway.endLines(id).length, 1);
    });
  }

  it('ends a call whose answer it cannot speak', async () => {
    const { id, carrierCall } = await dialed();
    const callee = await TestPhone.open({ codec: 'pcmu' });
    carrierCall.answer(callee.sdp());
    await carrierCall.nextRequest('BYE');
    assert.equal((await gateway.endOf(id)).end_reason, 'no-common-codec');
    callee.close();
  });

  it('refuses before dialing: prefixes, callers, numbers, agents', async () => {
    await refused({ to_number: '+15551234567' }, 403, 'DESTINATION_NOT_ALLOWED');
    const caller = { to_number: CALLEE, from_number: '+34900000000' };
    await refused(caller, 403, 'CALLER_ID_NOT_ALLOWED');
    await refused({ to_number: 'sip:x@evil.test' }, 400, 'INVALID_ARGUMENT');
    await refused({ to_number: '12' }, 400, 'INVALID_ARGUMENT');
    await refused({ to_number: '00000' }, 400, 'INVALID_ARGUMENT');
    await refused({ to_number: CALLEE, agent_id: 'agt_nobody' }, 404, 'NOT_FOUND');
  });

  it('has no room for more calls than the trunk has channels, either way', async () => {
    const calls = [await dialed(), await dialed()] as const;
    for (const { carrierCall } of calls) carrierCall.respond(180);
    assert.equal((await trunk())['channels'], 2);
    await refused({ to_number: CALLEE }, 503, 'UNAVAILABLE');
    const phone = await CallPhone.open(gateway.sipPort, { codec: 'pcma' });
    assert.equal((await phone.dial({ user: NUMBER })).status, 503);
    phone.close();
    for (const { id } of calls) await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
    for (const { id } of calls) await gateway.endOf(id);
    assert.equal((await trunk())['channels'], 0);
  });

  it('follows SIGHUP without touching a live call, and keeps what it had when the file is wrong', async () => {
    const callee = await TestPhone.open({ codec: 'pcma' });
    const { id, carrierCall } = await dialed();
    carrierCall.answer(callee.sdp());
    callee.connectTo(carrierCall.invite.body);
    await callee.nextSound(15_000);

    await writeFile(configFile, trunkYaml(['no_such_thing: 1']));
    gateway.process.kill('SIGHUP');
    await gateway.line(/trunks not reloaded.*|no_such_thing/);
    assert.equal((await trunk())['channels_max'], 2);

    await writeFile(configFile, trunkYaml().replace('channels_max: 2', 'channels_max: 7'));
    gateway.process.kill('SIGHUP');
    await whenTrunk(({ channels_max: max, is_up: isUp }) => max === 7 && isUp === true);
    assert.equal((await gateway.call(id)).status, 'in-progress');
    assert.equal((await trunk())['channels'], 1);
    assert.equal((await carrierCall.request('BYE')).status, 200);
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
    callee.close();
  });

  it('rings only as long as the trunk says', async () => {
    const brief = trunkYaml(['no_answer_seconds: 5', 'options_seconds: 0']);
    await writeFile(configFile, brief);
    const reloaded = gateway.lines.filter((line) => line.includes('trunks reloaded')).length;
    gateway.process.kill('SIGHUP');
    while (gateway.lines.filter((line) => line.includes('trunks reloaded')).length === reloaded) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { id, carrierCall } = await dialed();
    carrierCall.respond(180);
    await carrierCall.nextRequest('CANCEL');
    const call = await gateway.endOf(id);
    assert.deepEqual([call.status, call.end_reason], ['failed', 'no-answer']);
  });

  it('takes its registration away when it stops, and has logged no number and no password', async () => {
    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await exited;
    assert.equal(carrier.bindings.has('ann'), false);
    const log = gateway.lines.filter((line) => line.startsWith('{')).join('\n');
    for (const secret of ['secret-of-ann', '955666777', '911222333', '666777888']) {
      assert.equal(log.includes(secret), false, `"${secret}" stands in the log`);
    }
  });
});
