import assert from 'node:assert/strict';
import type { Brain, ReplyPart } from '../../../src/dialogue/brain.ts';
import { replyWithTools, type TurnPart } from '../../../src/dialogue/tool-rounds.ts';
import {
  agentTools,
  BUILT_IN_TOOLS,
  checkToolCall,
  toolResult,
  TOOL_RESULT_LENGTH_MAX,
} from '../../../src/dialogue/tools.ts';

const WEATHER = { name: 'weather', description: '', parameters: { type: 'object' } };
const AGENT = { tools: [WEATHER] };
const call = (name: string, args: unknown) => ({ id: 'c1', name, arguments: args });

describe('tools', () => {
  it('are those of the agent and two of our own, as plain JSON Schema', () => {
    assert.deepEqual(
      agentTools(AGENT).map(({ name }) => name),
      ['end_call', 'send_dtmf', 'weather'],
    );
    assert.deepEqual(BUILT_IN_TOOLS[0]?.parameters['required'], undefined);
    assert.deepEqual(BUILT_IN_TOOLS[1]?.parameters['required'], ['digits']);
    assert.deepEqual(structuredClone(BUILT_IN_TOOLS), BUILT_IN_TOOLS);
  });

  it('have names of their own', () => {
    for (const names of [['end_call'], ['a b'], [''], ['x', 'x']]) {
      const tools = names.map((name) => ({ ...WEATHER, name }));
      assert.throws(() => agentTools({ tools }), { code: 'TOOL_INVALID' });
    }
  });

  it('are checked before they are run', () => {
    const type = (name: string, args: unknown): string =>
      checkToolCall(call(name, args), AGENT).type;
    assert.equal(type('end_call', { reason: 'done' }), 'end-call');
    assert.equal(type('end_call', 'nonsense'), 'end-call');
    assert.equal(type('send_dtmf', { digits: '12#' }), 'send-dtmf');
    for (const digits of ['', '12x', '1'.repeat(33), 5])
      assert.equal(type('send_dtmf', { digits }), 'refused');
    assert.equal(type('weather', { town: 'Ulm' }), 'agent-tool');
    assert.equal(type('weather', '{"town'), 'refused');
    assert.equal(type('weather', [1]), 'refused');
    assert.equal(type('gone', {}), 'refused');
  });

  it('give results as text, cut to a bound', () => {
    assert.equal(toolResult(call('x', {}), 'plain').content, 'plain');
    assert.equal(toolResult(call('x', {}), undefined).content, 'null');
    assert.equal(
      toolResult(call('x', {}), 'y'.repeat(99_999)).content.length,
      TOOL_RESULT_LENGTH_MAX,
    );
  });

  it('of one round run at the same time, and stop when the caller cuts in', async () => {
    const both: ReplyPart[] = [
      { type: 'tool-call', ...call('weather', {}) },
      { type: 'tool-call', ...call('weather', {}), id: 'c2' },
    ];
    const brain: Brain = {
      name: 'both',
      async *reply() {
        yield* both;
      },
    };
    const controller = new AbortController();
    let running = 0;
    const run = async (): Promise<string> => {
      running += 1;
      if (running === 2) controller.abort();
      return 'x';
    };
    const parts: TurnPart[] = [];
    for await (const part of replyWithTools(brain, [], {
      agent: AGENT,
      run,
      signal: controller.signal,
    }))
      parts.push(part);
    assert.deepEqual(
      parts.map(({ type }) => type),
      ['tool', 'tool'],
    );
    assert.equal(running, 2);
  });
});
