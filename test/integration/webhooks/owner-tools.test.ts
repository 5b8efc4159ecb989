import assert from 'node:assert/strict';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { OpenAiChatServer, textReply, toolReply } from '../../support/openai-chat-server.ts';
import {
  answering,
  breaking,
  isSignedBy,
  stalling,
  type Behavior,
  WebhookReceiver,
} from '../../support/webhook-receiver.ts';

const PRIVATE = 'Villanueva-de-la-Serena';
const saying =
  (body: string, status = 200): Behavior =>
  (response) =>
    response.writeHead(status).end(body);

describe("an agent's own tools", function () {
  this.timeout(60_000);
  let receiver: WebhookReceiver;
  let chat: OpenAiChatServer;
  let gateway: Gateway;
  let phone: CallPhone | null = null;
  let live: string | null = null;

  before(async () => {
    [receiver, chat] = await Promise.all([WebhookReceiver.listen(), OpenAiChatServer.start()]);
    gateway = await Gateway.start({
      env: {
        TRUNKLINE_WEBHOOKS_ALLOWED_NETWORKS: '127.0.0.0/8',
        TRUNKLINE_WEBHOOKS_TIMEOUT_MS: '1000',
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
    phone?.close();
    phone = null;
    if (live !== null) await gateway.api(`/v1/calls/${live}`, { method: 'DELETE' });
    live = null;
  });

  const giveTool = (url: string) =>
    gateway.changeAgent({
      greeting_text: 'Hi.',
      tool_definitions: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'Tells the weather.',
            parameters: { type: 'object', properties: { city: { type: 'string' } } },
          },
          url,
        },
      ],
    });

  /** What the model was told that the tool said, on a new call. */
  const resultOnCall = async (url: string): Promise<unknown> => {
    await giveTool(url);
    phone = await CallPhone.open(gateway.sipPort);
    await phone.call({ user: 'demo' });
    const { call_id: id } = await gateway.nextCall();
    live = id;
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    const asked = chat.requests.length;
    chat.next(toolReply('weather', { city: PRIVATE }), textReply('That is what I know.'));
    await phone.press('1');
    await chat.received(asked + 2);
    await gateway.callWhen(id, 'answered', (_, turns) =>
      turns.some(({ text }) => text === 'That is what I know.'),
    );
    await phone.hangUp();
    await gateway.endOf(id);
    phone.close();
    live = null;
    return toldOfTool();
  };
  const toldOfTool = (): unknown => {
    const told = chat.requests.at(-1)?.body.messages?.filter(({ role }) => role === 'tool') ?? [];
    return JSON.parse(told.at(-1)?.content ?? 'null');
  };

  it('are run by a signed POST, and the agent goes on with what the server says', async () => {
    receiver.behaviors.set('/weather', saying('{"sky": "clear"}'));
    assert.deepEqual(await resultOnCall(receiver.url('/weather')), { sky: 'clear' });
    const [request] = receiver.at('/weather');
    assert.ok(request !== undefined);
    assert.equal(request.headers['x-trunkline-event'], 'tool.call');
    const { payload, event_type: type } = request.event;
    assert.equal(type, 'tool.call');
    assert.deepEqual([payload['name'], payload['arguments']], ['weather', { city: PRIVATE }]);
    assert.equal(payload['agent_id'], 'agt_demo');
    assert.match(String(payload['call_id']), /^call_/);
    const rotated = await gateway.api('/v1/webhooks/secret/rotate', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ overlap_seconds: 60 }),
    });
    const { signing_secret: secret } = (await rotated.json()) as { signing_secret: string };
    await resultOnCall(receiver.url('/weather'));
    const signed = receiver.at('/weather').at(-1);
    assert.ok(signed !== undefined);
    const inEither = ['signature', 'signature-next'].some((header) =>
      isSignedBy(secret, signed, { header }),
    );
    assert.ok(inEither, 'signed with the secret of the workspace');
    assert.equal(gateway.lines.join('\n').includes(PRIVATE), false);
  });

  it('may fail in every way, and the agent is told how and goes on', async () => {
    receiver.behaviors.set('/refuses', saying('{"why": "no such city"}', 422));
    receiver.behaviors.set('/stalls', stalling);
    receiver.behaviors.set('/breaks', breaking);
    receiver.behaviors.set('/endless', saying('x'.repeat(70_000)));
    receiver.behaviors.set('/moved', answering(302, { location: receiver.url('/weather') }));
    assert.deepEqual(await resultOnCall(receiver.url('/refuses')), {
      error: 'the tool answered 422',
      detail: { why: 'no such city' },
    });
    const errorAt = async (path: string) =>
      ((await resultOnCall(receiver.url(path))) as { error: string }).error;
    assert.equal(await errorAt('/stalls'), 'the tool did not answer in time');
    assert.equal(await errorAt('/breaks'), 'the server of the tool broke off');
    assert.match(await errorAt('/endless'), /more than 65536 bytes/);
    assert.equal(await errorAt('/moved'), 'the tool answered 302');
    assert.equal(receiver.at('/stalls').length, 1, 'no tool is used twice');
  });

  it('are never asked for inside the network', async () => {
    const refused = await resultOnCall('http://10.0.0.1/tool');
    assert.deepEqual(refused, { error: 'the address of the tool is not allowed' });
  });

  it('are run in a chat too', async () => {
    receiver.behaviors.set('/chat', saying('Sunny, 31 degrees.'));
    await giveTool(receiver.url('/chat'));
    const made = await gateway.api('/api/agents/agt_demo/public-links', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({}),
    });
    const { token } = (await made.json()) as { token: string };
    chat.next(toolReply('weather', { city: PRIVATE }), textReply('It is sunny.'));
    const answer = await fetch(`${gateway.httpUrl}/api/public/chat/${token}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message: 'How is the weather?' }),
    });
    assert.match(await answer.text(), /It is sunny\./);
    const [request] = receiver.at('/chat');
    assert.equal(request?.event.payload['call_id'], null);
    const told = chat.requests.at(-1)?.body.messages?.filter(({ role }) => role === 'tool');
    assert.equal(told?.at(-1)?.content, 'Sunny, 31 degrees.');
  });
});
