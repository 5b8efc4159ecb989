import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RECEPTIONIST } from '../../../src/dialogue/templates/receptionist.ts';
import { toPhrasebookView } from '../../../src/http/phrasebook-shape.ts';
import { CallPhone, type CallPhoneOptions } from '../../support/call-phone.ts';
import { EventReader } from '../../support/event-reader.ts';
import { FakeCarrier } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { OpenAiChatServer, textReply, toolReply } from '../../support/openai-chat-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { type Received, WebhookReceiver } from '../../support/webhook-receiver.ts';

const NUMBER = '+34911222333';
const DESK = '+34955666777';
const WEATHER = {
  name: 'weather',
  description: 'Tells the weather.',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
};
const PRIVATE = 'Villanueva-de-la-Serena';

const ALLOWED = { TRUNKLINE_WEBHOOKS_ALLOWED_NETWORKS: '127.0.0.0/8' };

const ofType = (received: readonly Received[], type: string) =>
  received.filter(({ event }) => event.event_type === type);
const isEnded = (received: readonly Received[]) => ofType(received, 'call.completed').length > 0;

const toolsTold = (receiver: WebhookReceiver, path: string) =>
  ofType(receiver.at(path), 'tool.invocation').map(({ event: { payload } }) => [
    payload['tool_name'],
    payload['arguments'],
    payload['are_arguments_left_out'],
  ]);

describe('webhooks of what an agent does', function () {
  this.timeout(60_000);
  let receiver: WebhookReceiver;
  let chat: OpenAiChatServer;
  let gateway: Gateway;
  let phone: CallPhone;
  let id: string;

  before(async () => {
    [receiver, chat] = await Promise.all([WebhookReceiver.listen(), OpenAiChatServer.start()]);
    gateway = await Gateway.start({
      env: {
        ...ALLOWED,
        TRUNKLINE_LLM_BASE_URL: chat.baseUrl,
        TRUNKLINE_LLM_API_KEY: chat.apiKey,
        TRUNKLINE_LLM_MODEL: chat.model,
      },
    });
  });
  after(async () => {
    await gateway?.stop();
    await chat?.stop();
    await receiver?.close();
  });
  afterEach(async () => {
    phone.close();
    await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
    await gateway.endOf(id);
  });

  const greet = async (
    path: string,
    change: Readonly<Record<string, unknown>> = {},
    options: CallPhoneOptions = {},
  ) => {
    const hook = { webhook_url: receiver.url(path), greeting_text: 'Hi.' };
    await gateway.changeAgent({ ...hook, tool_definitions: [WEATHER], ...change });
    phone = await CallPhone.open(gateway.sipPort, options);
    await phone.call({ user: 'demo' });
    ({ call_id: id } = await gateway.nextCall());
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
  };
  it('name each tool that the model uses, also on the event stream, and never in the log', async () => {
    await greet('/tools');
    const stream = await EventReader.open(`${gateway.httpUrl}/v1/calls/${id}/events`, {
      authorization: `Bearer ${gateway.adminKey}`,
    });
    chat.next(
      toolReply('weather', { city: PRIVATE }),
      toolReply('send_dtmf', { digits: '42#' }),
      toolReply('end_call', { reason: 'all is said' }),
    );
    await phone.press('1');
    await receiver.until('/tools', 'ended', isEnded);
    const expected = [
      ['weather', { city: PRIVATE }, false],
      ['send_dtmf', { digits: '42#' }, false],
      ['end_call', { reason: 'all is said' }, false],
    ];
    assert.deepEqual(toolsTold(receiver, '/tools'), expected);
    await stream.closed;
    assert.deepEqual(
      stream.events.filter(({ name }) => name === 'tool').map(({ data }) => data['tool']),
      expected.map(([name, args]) => ({ name, arguments: args, are_arguments_left_out: false })),
    );
    assert.equal(gateway.lines.join('\n').includes(PRIVATE), false);
    const results = chat.requests.at(-1)?.body.messages?.filter(({ role }) => role === 'tool');
    assert.match(results?.[0]?.content ?? '', /the tool has no server/);
  });

  it('leave out arguments that are too long, and say so', async () => {
    await greet('/long');
    chat.next(toolReply('weather', { city: 'x'.repeat(9000) }), toolReply('end_call', {}));
    await phone.press('1');
    await receiver.until('/long', 'ended', isEnded);
    assert.deepEqual(toolsTold(receiver, '/long')[0], ['weather', {}, true]);
  });

  it('say nothing of a tool that there is not', async () => {
    await greet('/unknown');
    chat.next(toolReply('launch', {}), textReply('I cannot do that.'));
    await phone.press('1');
    await gateway.callWhen(id, 'answered', (_, turns) => turns.length > 2);
    await phone.hangUp();
    await receiver.until('/unknown', 'ended', isEnded);
    assert.deepEqual(toolsTold(receiver, '/unknown'), []);
  });

  it('tell while the call lives that its audio got bad, once', async () => {
    await greet('/lossy', {}, { network: { seed: 7, loss: 0.3 } });
    const isTold = (received: readonly Received[]) =>
      ofType(received, 'call.quality_degraded').length > 0;
    await receiver.until('/lossy', 'told of bad audio', isTold, 30_000);
    const [told] = ofType(receiver.at('/lossy'), 'call.quality_degraded');
    const lost = Number(told?.event.payload['fraction_lost']);
    assert.ok(lost > 0.1 && lost < 0.5, `${lost}`);
    await phone.hangUp();
    await receiver.until('/lossy', 'ended', isEnded);
    assert.equal(ofType(receiver.at('/lossy'), 'call.quality_degraded').length, 1);
  });

  it('tell each time that a silent caller is asked, and that the call ended for it', async () => {
    const prompts = ['Are you there?', 'Hello?'];
    await greet('/silent', { idle_after_ms: 1000, idle_prompts: prompts });
    await receiver.until('/silent', 'ended', isEnded, 30_000);
    const told = ofType(receiver.at('/silent'), 'call.idle_silence').map(({ event }) => [
      event.payload['prompt_number'],
      event.payload['prompt'],
      event.payload['ends_call'],
    ]);
    assert.deepEqual(told, [
      [1, 'Are you there?', false],
      [2, 'Hello?', false],
      [null, null, true],
    ]);
  });
});

describe('webhooks of a call that is transferred', function () {
  this.timeout(60_000);

  it('follow it from its start to its end, by a phrasebook that uses the tool too', async () => {
    const [receiver, carrier, folder] = await Promise.all([
      WebhookReceiver.listen(),
      FakeCarrier.listen(),
      temporaryFolder(),
    ]);
    const file = join(folder.path, 'trunkline.yaml');
    const trunk = [
      'trunks:',
      '  - name: north',
      `    hosts: ["127.0.0.1:${carrier.port}"]`,
      '    transport: udp',
      '    domain: carrier.test',
      '    outbound_prefixes: ["+34"]',
      '    options_seconds: 0',
      `    numbers: { "${NUMBER}": agt_demo }`,
      '',
    ];
    await writeFile(file, trunk.join('\n'));
    const gateway = await Gateway.start({ env: { ...ALLOWED, TRUNKLINE_CONFIG: file } });
    await gateway.changeAgent({
      webhook_url: receiver.url('/transfer'),
      greeting_text: 'Hi.',
      phrasebook: toPhrasebookView(RECEPTIONIST.phrasebook),
      transfer_targets: [{ name: 'the front desk', number: DESK }],
    });
    const phone = await CallPhone.open(gateway.sipPort);
    phone.sip.onRequest = ({ method }) => ({ status: method === 'REFER' ? 202 : 200 });
    await phone.call({ user: NUMBER });
    const { call_id: id } = await gateway.nextCall();
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    await phone.press('0');
    await phone.sip.nextRequest('REFER');
    const news = ['Event: refer', 'Subscription-State: terminated;reason=noresource'];
    const type = 'message/sipfrag;version=2.0';
    await phone.sip.request('NOTIFY', 'SIP/2.0 200 OK\r\n', type, news);
    await receiver.until('/transfer', 'ended', isEnded);
    phone.close();
    await gateway.stop();
    await Promise.all([carrier.close(), receiver.close(), folder.remove()]);

    const used = toolsTold(receiver, '/transfer');
    assert.deepEqual(used, [['transfer_call', { to: 'the front desk' }, false]]);
    const events = ofType(receiver.at('/transfer'), 'call.transfer');
    const told = events.map(({ event }) => event.payload);
    assert.deepEqual(
      told.map(({ transfer_stage, transfer_to, mode }) => [transfer_stage, transfer_to, mode]),
      [
        ['started', DESK, 'blind'],
        ['completed', DESK, 'blind'],
      ],
    );
    assert.deepEqual([told[1]?.['transfer_by'], told[1]?.['sip_status']], ['agent', 200]);
    assert.equal(told[0]?.['transfer_ended_at'], null);
    assert.match(String(told[1]?.['transfer_ended_at']), /^\d{4}-/);
  });
});

describe('webhooks of a workspace that comes to a cap', function () {
  this.timeout(60_000);

  it('warn at four fifths and tell the end, once each, at the address of the workspace', async () => {
    const receiver = await WebhookReceiver.listen();
    const gateway = await Gateway.start({ env: ALLOWED });
    const send = async (method: string, path: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await gateway.api(path, { method, headers, body: JSON.stringify(body) });
      assert.ok(answer.ok, await answer.text());
    };
    await gateway.changeAgent({ webhook_url: receiver.url('/agent'), greeting_text: 'Hi.' });
    await send('PATCH', '/v1/workspace', { webhook_url: receiver.url('/workspace') });
    await send('PUT', '/v1/workspace/caps', { calls_per_day: 1 });
    for (const isTaken of [true, false, false]) {
      const phone = await CallPhone.open(gateway.sipPort);
      if (isTaken) {
        await phone.call({ user: 'demo' });
        await phone.hangUp();
        await gateway.endOf((await gateway.nextCall()).call_id);
      } else assert.ok(((await phone.dial({ user: 'demo' })).status ?? 0) >= 400);
      phone.close();
    }
    const isTold = (got: readonly Received[]) => got.length >= 2;
    await receiver.until('/workspace', 'told of the cap', isTold);
    const ended = (got: readonly Received[]) => ofType(got, 'call.completed').length >= 1;
    await receiver.until('/agent', 'told of the calls', ended);
    const told = receiver.at('/workspace').map(({ event }) => event);
    assert.deepEqual(
      told.map(({ event_type, payload: { level, cap, used, limit } }) => [
        event_type,
        level,
        cap,
        used,
        limit,
      ]),
      [
        ['workspace.spend_cap', 'warning', 'calls_per_day', 1, 1],
        ['workspace.spend_cap', 'reached', 'calls_per_day', 1, 1],
      ],
    );
    assert.match(String(told[0]?.payload['period']), /^\d{4}-\d\d-\d\d$/);
    assert.equal(told[0]?.payload['workspace_id'], 'ws_demo');
    assert.equal(ofType(receiver.at('/agent'), 'workspace.spend_cap').length, 0);

    for (const event_type of ['workspace.spend_cap', 'call.transfer', 'tool.invocation']) {
      await send('POST', '/v1/webhooks/test', { webhook_url: receiver.url('/try'), event_type });
      assert.equal(receiver.at('/try').at(-1)?.event.event_type, event_type);
    }
    await gateway.stop();
    await receiver.close();
  });
});
