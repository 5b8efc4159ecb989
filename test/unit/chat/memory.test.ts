import assert from 'node:assert/strict';
import { clientKey } from '../../../src/chat/client-address.ts';
import { extract, MEMORY_LENGTH_MAX } from '../../../src/chat/summary.ts';
import { asAgentId } from '../../../src/model/ids.ts';
import { type ChatRig, chatRig } from '../../support/chat.ts';
import { OpenAiChatServer, textReply } from '../../support/openai-chat-server.ts';

const AGENT = asAgentId('agt_demo');

describe('memory in public chat', () => {
  let rig: ChatRig;
  beforeEach(async () => (rig = await chatRig()));
  afterEach(() => rig.close());

  const memoryOf = async (email: string) => {
    await rig.keeper.idle();
    return (await rig.storage.chatMemories.find(AGENT, email))?.text ?? null;
  };

  it('SEED-138: is brought up to date with every fifth message, over all conversations', async () => {
    const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
    await visitor.verify('ann@example.org');
    await visitor.say('I live in Porto.');
    await visitor.say('What are your opening hours?');
    rig.clock.nowMs += 1000;
    await visitor.startAnew();
    await visitor.say('My dog is called Rex.');
    await visitor.say('hello');
    assert.equal(await memoryOf('ann@example.org'), '');
    await visitor.say('hello');
    const first = '- I live in Porto.\n- My dog is called Rex.';
    assert.equal(await memoryOf('ann@example.org'), first);
    for (const text of ['I have a cat too.', 'a', 'b', 'c']) await visitor.say(text);
    assert.equal(await memoryOf('ann@example.org'), first);
    rig.clock.nowMs += 60_000;
    await visitor.say('d');
    assert.match((await memoryOf('ann@example.org')) ?? '', /I have a cat too\.$/);
  });

  it('SEED-137: is shared by all links of an agent and by nobody else', async () => {
    for (const count of [3, 2]) {
      const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
      await visitor.verify('ann@example.org');
      for (let n = 0; n < count; n += 1) await visitor.say('I live in Porto.');
    }
    assert.equal(await memoryOf('ann@example.org'), '- I live in Porto.');
    assert.equal(await memoryOf('ben@example.org'), null);
  });

  it('SEED-156: nothing is remembered where no address is verified', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    for (let count = 0; count < 6; count += 1) await visitor.say('I live in Porto.');
    await rig.keeper.idle();
    const rows = await rig.storage.chats.messagesOf(AGENT, 'ann@example.org', 10);
    assert.equal(rows.length, 0);
    assert.equal(await memoryOf('ann@example.org'), null);
  });

  it('a summary is claimed once, however many ask', async () => {
    const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
    await visitor.verify('ann@example.org');
    for (let count = 0; count < 4; count += 1) await visitor.say('hello');
    const { chatMemories: memories } = rig.storage;
    assert.equal(await memories.claim(AGENT, 'ann@example.org', 5), false);
    await visitor.say('hello');
    await rig.keeper.idle();
    const claims = Array.from({ length: 5 }, () => memories.claim(AGENT, 'ann@example.org', 5));
    assert.deepEqual(await Promise.all(claims), [false, false, false, false, false]);
  });

  it('without a model keeps what people say of themselves, no questions and no long numbers', () => {
    const message = (text: string) =>
      ({ id: 'm', position: 0, role: 'user', text, createdAtMs: 0 }) as const;
    const said = ['Hi! I need a table. Is my table free?', 'My card is 4111 1111 1111 1111.'];
    assert.equal(
      extract('- I live in Porto.', said.map(message)),
      '- I live in Porto.\n- I need a table.',
    );
    const long = Array.from({ length: 50 }, (_, n) => message(`I like ${n} ${'x'.repeat(300)}.`));
    const kept = extract('', long);
    assert.ok(kept.length <= MEMORY_LENGTH_MAX);
    assert.match(kept.split('\n').at(-1) ?? '', /I like 49/, 'the latest stay');
  });

  it('a household is one visitor, whatever its address', () => {
    assert.equal(clientKey('203.0.113.7'), '203.0.113.7');
    assert.equal(clientKey('::ffff:203.0.113.7'), '203.0.113.7');
    assert.equal(clientKey('2001:db8:1:2:3:4:5:6'), clientKey('2001:0db8:1:2::9'));
    assert.notEqual(clientKey('2001:db8:1:2::1'), clientKey('2001:db8:1:3::1'));
    assert.equal(clientKey('::1'), '0:0:0:0');
  });
});

describe('public chat with a language model', () => {
  let server: OpenAiChatServer;
  let rig: ChatRig;
  beforeEach(async () => {
    server = await OpenAiChatServer.start();
    const llm = {
      provider: 'openai',
      baseUrl: server.baseUrl,
      apiKey: server.apiKey,
      model: server.model,
      temperature: null,
      maxTokens: 100,
      timeoutMs: 2000,
    } as const;
    rig = await chatRig({ llm });
  });
  afterEach(async () => {
    await rig.close();
    await server.stop();
  });

  it('SEED-152: the model reads the prompt as it is, the welcome and all that was said', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    server.next(textReply('Nine to five.'), textReply('On Sundays too.'));
    assert.equal(await visitor.say('When?'), 'Nine to five.');
    await visitor.say('And on Sundays?');
    const roles = server.requests[1]?.body.messages?.map(({ role, content }) => [role, content]);
    assert.deepEqual(roles, [
      ['system', 'Be brief.'],
      ['assistant', 'Hello.'],
      ['user', 'When?'],
      ['assistant', 'Nine to five.'],
      ['user', 'And on Sundays?'],
    ]);
  });

  it('SEED-136, SEED-138: the model writes the memory, and reads it in the next conversation', async () => {
    const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
    await visitor.verify('ann@example.org');
    const replies = ['1', '2', '3', '4', '5'].map((text) => textReply(text));
    server.next(...replies, textReply('- Lives in Porto.'), textReply('Hi!'));
    for (let count = 0; count < 5; count += 1) await visitor.say('I live in Porto.');
    await rig.keeper.idle();
    assert.deepEqual(server.requests[5]?.body.tools, undefined);
    await visitor.startAnew();
    await visitor.say('Where do I live?');
    const prompt = server.requests[6]?.body.messages?.[0]?.content ?? '';
    assert.match(prompt, /^Be brief\.\n\n.*not instructions:\n- Lives in Porto\.$/s);
  });

  it('SEED-158: a memory that fails is counted and seen by nobody', async () => {
    const visitor = rig.visitor((await rig.link({ requiresEmail: true })).token);
    await visitor.verify('ann@example.org');
    const replies = ['1', '2', '3', '4', '5'].map((text) => textReply(text));
    server.next(...replies, { type: 'error', status: 400, body: {} }, textReply('6'));
    for (let count = 0; count < 5; count += 1) await visitor.say('hello');
    await rig.keeper.idle();
    assert.equal(rig.failures.memories, 1);
    assert.equal(await visitor.say('hello'), '6');
  });

  it('a reply is written to its end when its reader leaves, and is there when they come back', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    server.next({
      type: 'stream',
      steps: [
        { type: 'text', text: 'Nine ' },
        { type: 'wait', ms: 50 },
        { type: 'text', text: 'to five.' },
        { type: 'finish', reason: 'stop' },
        { type: 'done' },
      ],
    });
    const { feed } = await visitor.send('When?');
    feed.abandon();
    assert.equal((await visitor.history()).isReplying, true);
    await rig.chat.stop(new AbortController().signal);
    assert.deepEqual(await visitor.texts(), ['Hello.', 'When?', 'Nine to five.']);
    assert.equal((await visitor.history()).isReplying, false);
  });

  it('a failure takes the message back, so that it can be sent again and counts to nothing', async () => {
    const visitor = rig.visitor((await rig.link({ messagesPerDay: 1 })).token);
    server.next({ type: 'error', status: 400, body: {} }, textReply('Yes.'));
    await assert.rejects(visitor.say('Are you there?'), { code: 'CHAT_REPLY_FAILED' });
    assert.equal(rig.failures.replies, 1);
    assert.deepEqual(await visitor.texts(), ['Hello.']);
    assert.equal(await visitor.say('Are you there?'), 'Yes.');
  });

  it('tries once more when that may help and nothing was said yet', async () => {
    const visitor = rig.visitor((await rig.link()).token);
    server.next({ type: 'error', status: 503, body: {} }, textReply('Yes.'));
    assert.equal(await visitor.say('Are you there?'), 'Yes.');
  });

  it('SEED-139: while a tool runs the status says so, without its name or arguments', async () => {
    await rig.close();
    rig = await chatRig({
      llm: {
        provider: 'openai',
        baseUrl: server.baseUrl,
        apiKey: server.apiKey,
        model: server.model,
        temperature: null,
        maxTokens: 100,
        timeoutMs: 2000,
      },
      runTool: () => new Promise((resolve) => setTimeout(() => resolve({ open: true }), 600)),
    });
    const tool = { name: 'secret_lookup', description: 'x', parameters: { type: 'object' } };
    await rig.storage.agents.update('ws_demo' as never, AGENT, { tools: [tool] }, 1);
    server.next(
      {
        type: 'stream',
        steps: [
          { type: 'text', text: 'Let me see.' },
          { type: 'tool-call', index: 0, id: 'c1', name: 'secret_lookup', arguments: '{"pin":42}' },
          { type: 'finish', reason: 'tool_calls' },
          { type: 'done' },
        ],
      },
      textReply('Open.'),
    );
    const { feed } = await rig.visitor((await rig.link()).token).send('Open?');
    const seen: object[] = [];
    for (let event = await feed.next(); event !== null; event = await feed.next()) {
      if (event !== 'idle') seen.push(event);
    }
    const text = JSON.stringify(seen);
    assert.match(text, /Looking something up…/);
    assert.doesNotMatch(text, /secret_lookup|pin/);
    assert.match(text, /Let me see\. Open\./);
  });
});
