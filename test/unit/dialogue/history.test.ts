import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { ConversationHistory, estimateTokens } from '../../../src/dialogue/history.ts';
import type { Message } from '../../../src/dialogue/message.ts';

const CALL = { id: 'c1', name: 'weather', arguments: { town: 'Ulm' } };
const RESULT: Message = { role: 'tool', content: 'sunny', toolCallId: 'c1' };

describe('the history of a conversation', () => {
  it('holds what was heard, and marks where the caller cut in', () => {
    const history = new ConversationHistory({ systemPrompt: 'Be kind.' });
    history.addAgent({ heardText: 'Hello.', isInterrupted: false });
    history.addUser('Hi.');
    history.addAgent({ heardText: 'We are open from ', isInterrupted: true });
    assert.deepEqual(history.messages(), [
      { role: 'system', content: 'Be kind.' },
      { role: 'assistant', content: 'Hello.' },
      { role: 'user', content: 'Hi.' },
      { role: 'assistant', content: 'We are open from…' },
    ]);
  });

  it('keeps nothing of a reply that nobody heard', () => {
    const history = new ConversationHistory({ systemPrompt: '' });
    history.addUser('Hi.');
    history.addAgent({ heardText: ' ', isInterrupted: true });
    history.addUser('Hello?');
    assert.deepEqual(
      history.messages().map(({ content }) => content),
      ['Hi.', 'Hello?'],
    );
  });

  it('gives a result to every tool call', () => {
    const history = new ConversationHistory({ systemPrompt: '' });
    history.addUser('Weather?');
    history.addToolRound('', [CALL, { ...CALL, id: 'c2' }], [RESULT]);
    assert.deepEqual(
      history
        .messages()
        .slice(1)
        .map(({ role, toolCallId }) => [role, toolCallId]),
      [
        ['assistant', undefined],
        ['tool', 'c1'],
        ['tool', 'c2'],
      ],
    );
  });

  it('gives copies that later turns do not change', () => {
    const history = new ConversationHistory({ systemPrompt: '' });
    history.addUser('One');
    const before = history.messages();
    history.addUser('Two');
    assert.equal(before.length, 1);
  });

  it('drops the oldest exchanges whole, and never the system prompt or the running one', () => {
    const history = new ConversationHistory({ systemPrompt: 'Stay.', tokensMax: 60 });
    for (let at = 0; at < 50; at += 1) {
      history.addUser(`Question ${at}`);
      history.addAgent({ heardText: `Answer ${at}`, isInterrupted: false });
    }
    const messages = history.messages();
    assert.equal(messages[0]?.content, 'Stay.');
    assert.equal(messages[1]?.role, 'user');
    assert.equal(messages.at(-1)?.content, 'Answer 49');
    assert.equal(history.droppedCount, 100 - (messages.length - 1));
    history.addUser('x'.repeat(10_000));
    assert.deepEqual(
      history.messages().map(({ role }) => role),
      ['system', 'user'],
    );
  });

  it('stays bounded and never parts a tool call from its result, whatever comes', () => {
    const step = fc.constantFrom('user', 'agent', 'unheard', 'tools');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const history = new ConversationHistory({
          systemPrompt: 'S',
          tokensMax: 200,
          messagesMax: 20,
        });
        for (const kind of steps) {
          if (kind === 'user') history.addUser('What is it?');
          else if (kind === 'tools') history.addToolRound('Wait.', [CALL], [RESULT]);
          else
            history.addAgent({ heardText: kind === 'agent' ? 'It is.' : '', isInterrupted: false });
        }
        const messages = history.messages();
        const owed = new Set<string>();
        for (const message of messages) {
          if (message.role === 'tool') assert.ok(owed.delete(message.toolCallId ?? ''));
          else assert.equal(owed.size, 0);
          for (const { id } of message.toolCalls ?? []) owed.add(id);
        }
        assert.equal(owed.size, 0);
        const last = messages.findLastIndex(
          ({ role }, at) => role === 'user' && messages[at - 1]?.role !== 'user',
        );
        const isOverfull =
          messages.reduce((sum, message) => sum + estimateTokens(message), 0) > 200;
        // Only one exchange may be larger than the bound: the one that is still running.
        if (isOverfull) assert.ok(last <= 1);
      }),
      { seed: 3 },
    );
  });
});
