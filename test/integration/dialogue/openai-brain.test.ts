import assert from 'node:assert/strict';
import {
  closeLlmConnections,
  createBrain,
  type Brain,
  type Message,
} from '../../../src/dialogue/brain.ts';
import { DialogueError, type DialogueErrorCode } from '../../../src/dialogue/dialogue-error.ts';
import { createOpenAiBrain } from '../../../src/dialogue/providers/openai-brain.ts';
import { replyWithTools, type TurnPart } from '../../../src/dialogue/tool-rounds.ts';
import { agentTools, BUILT_IN_TOOLS } from '../../../src/dialogue/tools.ts';
import type { ToolDefinition } from '../../../src/model/agent.ts';
import { collectReply, describeBrainContract, replyText } from '../../support/brain-contract.ts';
import { phrasebookAgent } from '../../support/phrasebook-agent.ts';
import {
  OpenAiChatServer,
  textReply,
  toolReply,
  type ReplyStep,
} from '../../support/openai-chat-server.ts';

const ASKED: readonly Message[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hello?' },
];
const STOP: readonly ReplyStep[] = [{ type: 'finish', reason: 'stop' }, { type: 'done' }];
const WEATHER: ToolDefinition = {
  name: 'weather',
  description: 'The weather of a town.',
  parameters: { type: 'object', properties: { town: { type: 'string' } }, required: ['town'] },
};

describe('a language model by chat completions', () => {
  let server: OpenAiChatServer;
  let brain: Brain;

  const settings = (
    changes: { apiKey?: string; model?: string; timeoutMs?: number; baseUrl?: string } = {},
  ) =>
    ({
      provider: 'openai',
      baseUrl: server.baseUrl,
      apiKey: server.apiKey,
      model: server.model,
      temperature: null,
      maxTokens: 200,
      timeoutMs: 5_000,
      ...changes,
    }) as const;
  const stream = (...steps: ReplyStep[]): void => server.next({ type: 'stream', steps });
  const failure = async (from: Brain = brain): Promise<DialogueError> => {
    try {
      await collectReply(from, ASKED);
    } catch (error) {
      assert.ok(error instanceof DialogueError, String(error));
      return error;
    }
    return assert.fail('the reply should have failed');
  };

  before(async () => {
    server = await OpenAiChatServer.start();
  });
  beforeEach(() => {
    brain = createOpenAiBrain(settings(), BUILT_IN_TOOLS);
  });
  after(async () => {
    await server.stop();
    await closeLlmConnections();
  });

  describeBrainContract('chat completions', () => ({
    brain,
    history: ASKED,
    stallNextReply: () => stream({ type: 'text', text: 'One' }, { type: 'stall' }),
    failNextReply: () =>
      server.next({ type: 'error', status: 500, body: { error: { message: 'no' } } }),
    requestCount: () => server.requests.length,
  }));

  it('streams the text as it comes', async () => {
    server.next(textReply('Good morning, how can I help?'));
    const parts = await collectReply(brain, ASKED);
    assert.ok(parts.length > 5);
    assert.equal(
      parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
      'Good morning, how can I help?',
    );
  });

  it('sends what the vendor expects', async () => {
    const history: Message[] = [
      ...ASKED,
      {
        role: 'assistant',
        content: '',
        toolCalls: [{ id: 'c1', name: 'weather', arguments: { town: 'Ulm' } }],
      },
      { role: 'tool', content: '{"sky":"blue"}', toolCallId: 'c1' },
    ];
    const own = createOpenAiBrain(
      { ...settings(), temperature: 0.2 },
      agentTools({ tools: [WEATHER] }),
    );
    await replyText(own, history);
    const request = server.requests.at(-1)!;
    assert.equal(request.body.max_tokens, 200);
    assert.equal(request.body.temperature, 0.2);
    assert.deepEqual(
      request.body.tools?.map((tool) => tool.function.name),
      ['end_call', 'send_dtmf', 'weather'],
    );
    assert.deepEqual(request.body.messages?.slice(2), [
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            id: 'c1',
            type: 'function',
            function: { name: 'weather', arguments: '{"town":"Ulm"}' },
          },
        ],
      },
      { role: 'tool', content: '{"sky":"blue"}', tool_call_id: 'c1' },
    ]);
  });

  describe('copes with the habits of servers:', () => {
    const habits: Record<string, readonly ReplyStep[]> = {
      'no [DONE] after the finish reason': [
        { type: 'text', text: 'Hi!' },
        { type: 'finish', reason: 'stop' },
      ],
      'no finish reason before [DONE]': [{ type: 'text', text: 'Hi!' }, { type: 'done' }],
      'a connection held open after the finish reason': [
        { type: 'text', text: 'Hi!' },
        { type: 'finish', reason: 'stop' },
        { type: 'stall' },
      ],
      'a first delta with only a role': [
        { type: 'chunk', chunk: { choices: [{ delta: { role: 'assistant' } }] } },
        { type: 'chunk', chunk: { choices: [{ delta: { role: 'assistant', content: '' } }] } },
        { type: 'text', text: 'Hi!' },
        ...STOP,
      ],
      'nulls instead of absent fields': [
        {
          type: 'chunk',
          chunk: { choices: [{ delta: { content: null, tool_calls: null }, finish_reason: null }] },
        },
        { type: 'chunk', chunk: { choices: [{ delta: { content: 'Hi!' }, finish_reason: '' }] } },
        ...STOP,
      ],
      'comments while it thinks': [
        { type: 'raw', text: ': OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n' },
        { type: 'text', text: 'Hi!' },
        ...STOP,
      ],
      'CRLF line ends': [
        { type: 'raw', text: 'data: {"choices":[{"delta":{"content":"Hi!"}}]}\r\n\r\n' },
        {
          type: 'raw',
          text: 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\r\n\r\ndata: [DONE]\r\n\r\n',
        },
      ],
      'no blank after data:': [
        {
          type: 'raw',
          text: 'data:{"choices":[{"delta":{"content":"Hi!"},"finish_reason":"stop"}]}\n\ndata:[DONE]\n\n',
        },
      ],
      'no blank line after the last event': [
        {
          type: 'raw',
          text: 'data: {"choices":[{"delta":{"content":"Hi!"},"finish_reason":"stop"}]}',
        },
      ],
      'usage with empty choices': [
        { type: 'text', text: 'Hi!' },
        { type: 'chunk', chunk: { choices: [], usage: { total_tokens: 3 } } },
        ...STOP,
      ],
      'reasoning beside the content': [
        {
          type: 'chunk',
          chunk: { choices: [{ delta: { reasoning_content: 'Let me think.', content: '' } }] },
        },
        { type: 'chunk', chunk: { choices: [{ delta: { reasoning: 'More.' } }] } },
        { type: 'text', text: 'Hi!' },
        ...STOP,
      ],
      'reasoning inside the content': [
        { type: 'text', text: '<thi' },
        { type: 'text', text: 'nk>They say hello.</th' },
        { type: 'text', text: 'ink>\n\nHi!' },
        ...STOP,
      ],
      'an event cut in the middle of a letter': [
        { type: 'raw', text: 'data: {"choices":[{"delta":{"con' },
        { type: 'wait', ms: 5 },
        { type: 'raw', text: 'tent":"Hi!"}}]}\n\n' },
        ...STOP,
      ],
    };
    for (const [habit, steps] of Object.entries(habits)) {
      it(habit, async () => {
        stream(...steps);
        assert.equal(await replyText(brain, ASKED), 'Hi!');
      });
    }

    it('no content type', async () => {
      server.next({
        type: 'stream',
        contentType: '',
        steps: [{ type: 'text', text: 'Hi!' }, ...STOP],
      });
      assert.equal(await replyText(brain, ASKED), 'Hi!');
    });
  });

  describe('puts tool calls together', () => {
    it('from pieces, after the text', async () => {
      stream(
        { type: 'text', text: 'One moment.' },
        { type: 'tool-call', index: 0, id: 'a', name: 'weather', arguments: '' },
        { type: 'tool-call', index: 0, arguments: '{"to' },
        { type: 'tool-call', index: 0, arguments: 'wn":"Ulm"}' },
        { type: 'finish', reason: 'tool_calls' },
        { type: 'done' },
      );
      assert.deepEqual(await collectReply(brain, ASKED), [
        { type: 'text', text: 'One moment.' },
        { type: 'tool-call', id: 'a', name: 'weather', arguments: { town: 'Ulm' } },
      ]);
    });

    it('of several at the same time, interleaved', async () => {
      stream(
        { type: 'tool-call', index: 0, id: 'a', name: 'weather', arguments: '{"town":' },
        { type: 'tool-call', index: 1, id: 'b', name: 'weather', arguments: '{"town":"Bern' },
        { type: 'tool-call', index: 0, arguments: '"Ulm"}' },
        { type: 'tool-call', index: 1, arguments: '"}' },
        { type: 'finish', reason: 'tool_calls' },
      );
      const parts = await collectReply(brain, ASKED);
      assert.deepEqual(
        parts.map((part) => part.type === 'tool-call' && [part.id, part.arguments]),
        [
          ['a', { town: 'Ulm' }],
          ['b', { town: 'Bern' }],
        ],
      );
    });

    it('from servers that number every call 0, or none', async () => {
      const whole = (id: string, index?: number): unknown => ({
        choices: [
          {
            delta: { tool_calls: [{ index, id, function: { name: 'weather', arguments: '{}' } }] },
          },
        ],
      });
      for (const index of [0, undefined]) {
        stream(
          { type: 'chunk', chunk: whole('a', index) },
          { type: 'chunk', chunk: whole('b', index) },
          { type: 'finish', reason: 'stop' },
        );
        const parts = await collectReply(brain, ASKED);
        assert.deepEqual(
          parts.map((part) => part.type === 'tool-call' && part.id),
          ['a', 'b'],
        );
      }
    });

    it('with arguments that are no JSON left as text', async () => {
      stream(
        { type: 'tool-call', index: 0, id: 'a', name: 'weather', arguments: '{"town' },
        { type: 'finish', reason: 'length' },
      );
      assert.deepEqual(await collectReply(brain, ASKED), [
        { type: 'tool-call', id: 'a', name: 'weather', arguments: '{"town' },
      ]);
    });
  });

  describe('tells failures apart:', () => {
    const cases: readonly [
      status: number,
      body: unknown,
      code: DialogueErrorCode,
      retryable: boolean,
    ][] = [
      [
        400,
        { error: { message: 'bad', type: 'invalid_request_error', param: 'messages', code: null } },
        'LLM_BAD_REQUEST',
        false,
      ],
      [403, { error: { message: 'no' } }, 'LLM_UNAUTHORIZED', false],
      [404, '<html>nginx</html>', 'LLM_NOT_FOUND', false],
      [408, {}, 'LLM_TIMEOUT', true],
      [
        429,
        { error: { message: 'slow down', code: 'rate_limit_exceeded' } },
        'LLM_RATE_LIMITED',
        true,
      ],
      [429, { error: { message: 'pay', code: 'insufficient_quota' } }, 'LLM_RATE_LIMITED', false],
      [500, '', 'LLM_UNAVAILABLE', true],
      [503, { error: 'overloaded' }, 'LLM_UNAVAILABLE', true],
      [302, '', 'LLM_BAD_REQUEST', false],
    ];
    for (const [status, body, code, retryable] of cases) {
      it(`HTTP ${status} ${JSON.stringify(body).slice(0, 60)}`, async () => {
        server.next({ type: 'error', status, body });
        const error = await failure();
        assert.deepEqual(
          [error.code, error.retryable, error.facts['status']],
          [code, retryable, status],
        );
      });
    }

    it('a wrong key, without showing it', async () => {
      const error = await failure(createOpenAiBrain(settings({ apiKey: 'sk-wrong-key' }), []));
      assert.equal(error.code, 'LLM_UNAUTHORIZED');
      assert.equal(error.facts['providerCode'], 'invalid_api_key');
      assert.doesNotMatch(JSON.stringify([error.message, error.facts]), /sk-wrong/);
    });

    it('an unknown model', async () => {
      const error = await failure(createOpenAiBrain(settings({ model: 'gone' }), []));
      assert.deepEqual(
        [error.code, error.facts['providerCode']],
        ['LLM_NOT_FOUND', 'model_not_found'],
      );
    });

    it('how long the provider wants us to wait', async () => {
      server.next({ type: 'error', status: 429, body: {}, headers: { 'retry-after': '2' } });
      assert.equal((await failure()).facts['retryAfterMs'], 2000);
    });

    it('nobody there', async () => {
      const error = await failure(
        createOpenAiBrain(settings({ baseUrl: 'http://127.0.0.1:9/v1' }), []),
      );
      assert.deepEqual([error.code, error.retryable], ['LLM_UNAVAILABLE', true]);
    });

    it('a web page instead of a stream', async () => {
      server.next({
        type: 'stream',
        contentType: 'text/html',
        steps: [{ type: 'raw', text: '<html>' }],
      });
      assert.equal((await failure()).code, 'LLM_BAD_RESPONSE');
    });

    it('a stream that is no chat completion', async () => {
      stream({ type: 'raw', text: 'data: {"choices":"none"}\n\n' });
      assert.equal((await failure()).code, 'LLM_BAD_RESPONSE');
      stream({ type: 'raw', text: 'data: {"choi\n\n' });
      assert.equal((await failure()).code, 'LLM_BAD_RESPONSE');
    });

    it('a line without end', async () => {
      stream({ type: 'raw', text: `data: ${'x'.repeat(300_000)}` });
      assert.equal((await failure()).code, 'LLM_BAD_RESPONSE');
    });

    it('a broken connection', async () => {
      stream({ type: 'text', text: 'I was abou' }, { type: 'break' });
      const error = await failure();
      assert.deepEqual([error.code, error.retryable], ['LLM_STREAM_BROKEN', true]);
    });

    it('an end in the middle of the reply', async () => {
      stream({ type: 'text', text: 'I was abou' });
      assert.equal((await failure()).code, 'LLM_STREAM_BROKEN');
    });

    it('an error in the middle of the reply', async () => {
      stream(
        { type: 'text', text: 'I' },
        { type: 'chunk', chunk: { error: { message: 'x', code: 502 } } },
      );
      assert.deepEqual([(await failure()).code], ['LLM_UNAVAILABLE']);
      stream({ type: 'chunk', chunk: { error: { message: 'x', type: 'server_error' } } });
      assert.equal((await failure()).code, 'LLM_STREAM_BROKEN');
    });

    it('no answer in time', async () => {
      const impatient = createOpenAiBrain(settings({ timeoutMs: 40 }), []);
      server.next({ type: 'silence' });
      assert.equal((await failure(impatient)).code, 'LLM_TIMEOUT');
      stream({ type: 'raw', text: ': PROCESSING\n\n' }, { type: 'stall' });
      assert.equal((await failure(impatient)).code, 'LLM_TIMEOUT');
      server.releaseStalled();
    });

    it('no next token in time, after saying what came', async () => {
      const impatient = createOpenAiBrain(settings({ timeoutMs: 40 }), []);
      stream({ type: 'text', text: 'Well' }, { type: 'stall' });
      const parts: unknown[] = [];
      await assert.rejects(
        async () => {
          for await (const part of impatient.reply(ASKED, { signal: new AbortController().signal }))
            parts.push(part);
        },
        { code: 'LLM_TIMEOUT', retryable: true },
      );
      assert.deepEqual(parts, [{ type: 'text', text: 'Well' }]);
      server.releaseStalled();
    });
  });

  it('closes the socket when aborted, also while the provider is silent', async () => {
    for (const reply of ['silence', 'stall'] as const) {
      const controller = new AbortController();
      if (reply === 'silence') server.next({ type: 'silence' });
      else stream({ type: 'stall' });
      const count = server.requests.length;
      const replied = collectReply(brain, ASKED, controller.signal);
      const request = await server.received(count + 1);
      controller.abort();
      assert.deepEqual(await replied, []);
      await request.closed;
    }
  });

  it('closes the socket when iteration stops', async () => {
    stream({ type: 'text', text: 'One' }, { type: 'stall' });
    for await (const _ of brain.reply(ASKED, { signal: new AbortController().signal })) break;
    await server.requests.at(-1)!.closed;
  });

  it('speaks over the connection that was opened while the phone rang', async () => {
    const fresh = await OpenAiChatServer.start();
    try {
      const own = createOpenAiBrain(settings({ baseUrl: fresh.baseUrl }), []);
      await own.prewarm?.(new AbortController().signal);
      assert.deepEqual([fresh.requests.at(-1)!.method, fresh.connectionCount], ['HEAD', 1]);
      for (let count = 0; count < 3; count += 1) {
        await connectionIsFree(fresh);
        await replyText(own, ASKED);
      }
      assert.equal(fresh.connectionCount, 1);
    } finally {
      await fresh.stop();
    }
  });

  it('is what an agent with such settings gets, with its own tools', async () => {
    const agent = phrasebookAgent({ phrasebook: { entries: [], fallbacks: [] } });
    const own = createBrain({ ...agent, llm: settings(), tools: [WEATHER] }, {});
    assert.equal(await replyText(own, ASKED), 'Hello there.');
    const sent = server.requests.at(-1)!.body.tools?.map((tool) => tool.function.name);
    assert.deepEqual(sent, ['end_call', 'send_dtmf', 'weather']);
  });

  it('does not mind when warming fails', async () => {
    await createOpenAiBrain(settings({ baseUrl: 'http://127.0.0.1:9/v1' }), []).prewarm?.(
      new AbortController().signal,
    );
    await brain.prewarm?.(AbortSignal.abort());
  });

  describe('with tools', () => {
    const turn = async (run: () => Promise<unknown>): Promise<TurnPart[]> => {
      const agent = { tools: [WEATHER] };
      const own = createOpenAiBrain(settings(), agentTools(agent));
      const parts: TurnPart[] = [];
      const signal = new AbortController().signal;
      for await (const part of replyWithTools(own, ASKED, { agent, run, signal, roundsMax: 2 }))
        parts.push(part);
      return parts;
    };

    it('gives results back and goes on', async () => {
      server.next(toolReply('weather', { town: 'Ulm' }), textReply('It is sunny.', 99));
      const parts = await turn(async () => ({ sky: 'blue' }));
      assert.deepEqual(
        parts.map(({ type }) => type),
        ['tool', 'round', 'text'],
      );
      assert.deepEqual(server.requests.at(-1)!.body.messages?.at(-1), {
        role: 'tool',
        content: '{"sky":"blue"}',
        tool_call_id: 'call_1',
      });
    });

    it('tells the model that a tool failed, and never why', async () => {
      server.next(toolReply('weather', { town: 'Ulm' }), textReply('I cannot tell.'));
      await turn(async () => {
        throw new Error('password wrong');
      });
      assert.equal(
        server.requests.at(-1)!.body.messages?.at(-1)?.content,
        '{"error":"the tool failed"}',
      );
    });

    it('lets the model mend a call of a tool that is not there', async () => {
      server.next(toolReply('wether', {}), textReply('Sorry.'));
      const parts = await turn(async () => assert.fail('must not run'));
      assert.deepEqual(parts.map(({ type }) => type).slice(0, 2), ['round', 'text']);
    });

    it('stops asking after its rounds', async () => {
      server.always(toolReply('weather', { town: 'Ulm' }));
      const count = server.requests.length;
      await turn(async () => 'rain');
      assert.equal(server.requests.length, count + 3);
      server.always(textReply('Hello there.'));
    });

    it('ends the call after what was said', async () => {
      stream(
        { type: 'text', text: 'Bye!' },
        { type: 'tool-call', index: 0, id: 'a', name: 'end_call', arguments: '{"reason":"done"}' },
        { type: 'finish', reason: 'tool_calls' },
      );
      assert.deepEqual(await turn(async () => null), [
        { type: 'text', text: 'Bye!' },
        { type: 'end-call', reason: 'done' },
      ]);
    });
  });
});

/** The server has ended its answer, and the client has had a turn to read that. */
async function connectionIsFree(server: OpenAiChatServer): Promise<void> {
  await server.requests.at(-1)!.closed;
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
