import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createBrain, phrasebookGrammar, type Message } from '../../../src/dialogue/brain.ts';
import { compilePhrasebook } from '../../../src/dialogue/phrasebook/compile.ts';
import { matchText } from '../../../src/dialogue/phrasebook/match.ts';
import type { AgentTemplate } from '../../../src/dialogue/templates/agent-template.ts';
import {
  AGENT_TEMPLATES,
  findAgentTemplate,
} from '../../../src/dialogue/templates/agent-templates.ts';
import { replyText } from '../../support/brain-contract.ts';
import { phrasebookAgent } from '../../support/phrasebook-agent.ts';
import { UTTERANCES } from './template-utterances.ts';

const WORDS_PER_REPLY_MAX = 32;
const englishWords = new Set(
  readFileSync(
    new URL('../../../node_modules/soundswallower/model/en-us/dict.txt', import.meta.url),
    'utf8',
  )
    .split('\n')
    .map((line) => line.split(/\s/)[0]),
);

function template(id: string): AgentTemplate {
  const found = findAgentTemplate(id);
  assert.ok(found);
  return found;
}

/** Talks with a template; gives the agent's side. */
async function talk(id: string, ...said: readonly string[]): Promise<string[]> {
  const brain = createBrain(
    phrasebookAgent(template(id)),
    {},
    { now: () => Date.UTC(2026, 0, 5, 16, 5) },
  );
  const history: Message[] = [];
  const replies: string[] = [];
  for (const text of said) {
    history.push({ role: 'user', content: text });
    const reply = await replyText(brain, history);
    history.push({ role: 'assistant', content: reply });
    replies.push(reply);
  }
  return replies;
}

describe('the templates', () => {
  it('are at least six, the demo first, with ids of their own', () => {
    assert.ok(AGENT_TEMPLATES.length >= 6);
    assert.equal(AGENT_TEMPLATES[0]?.id, 'demo');
    assert.equal(new Set(AGENT_TEMPLATES.map(({ id }) => id)).size, AGENT_TEMPLATES.length);
  });

  for (const each of AGENT_TEMPLATES) {
    describe(each.id, () => {
      const { entries } = each.phrasebook;
      const book = compilePhrasebook(each.phrasebook);

      it('has twelve entries or more, and three ways of saying each', () => {
        assert.ok(entries.length >= 12);
        for (const { entry, variants } of book.entries) {
          const isAssent = variants.some(({ parts }) =>
            parts.some(({ type }) => type === 'assent'),
          );
          assert.ok(isAssent || variants.length >= 3, entry.id);
        }
      });

      it('is brief: at most two short sentences at a time', () => {
        const replies = [
          ...entries.flatMap((entry) => entry.replies),
          ...each.phrasebook.fallbacks,
          each.greetingText,
        ];
        for (const reply of replies) {
          assert.ok(reply.split(/\s+/).length <= WORDS_PER_REPLY_MAX, reply);
          const sentences = reply.match(/[.!?](?:\s|$)/g)?.length ?? 0;
          assert.ok(sentences >= 1 && sentences <= 3, reply);
        }
      });

      it('uses only words that an English recogniser knows', () => {
        const { words } = phrasebookGrammar(each.phrasebook);
        assert.deepEqual(
          words.filter((word) => !englishWords.has(word)),
          [],
        );
      });

      it('reaches every follow-up, and offers at least three topics', () => {
        const named = new Set(entries.flatMap(({ next }) => next ?? []));
        for (const { id, isFollowUp } of entries)
          if (isFollowUp === true) assert.ok(named.has(id), id);
        assert.ok(entries.filter(({ topic }) => topic !== undefined).length >= 3);
      });

      it('understands each of its own phrases as itself', () => {
        for (const { entry, variants, isBuiltIn } of book.entries) {
          if (isBuiltIn || entry.isFollowUp === true) continue;
          for (const { parts } of variants) {
            if (parts.some(({ type }) => type !== 'word')) continue;
            const text = parts.map((part) => (part.type === 'word' ? part.word : '')).join(' ');
            assert.equal(matchText(book, text, [])?.entry.entry.id, entry.id, text);
          }
        }
      });

      it('understands callers', () => {
        const table = UTTERANCES[each.id] ?? {};
        let count = 0;
        const wrong: string[] = [];
        for (const [id, said] of Object.entries(table)) {
          for (const text of said) {
            count += 1;
            const found = matchText(book, text, [])?.entry.entry.id ?? 'nothing';
            if (found !== id) wrong.push(`"${text}" should be ${id}, not ${found}`);
          }
        }
        assert.deepEqual(wrong, []);
        assert.ok(count >= 20, `${count} utterances`);
      });
    });
  }

  it('demo: reads digits back, tells jokes, and hangs up when told goodbye', async () => {
    const replies = await talk(
      'demo',
      'um what can you do',
      'can you repeat digits',
      'four two seven one',
      'yes',
      'tell me a joke',
      'yeah',
      'no',
      'what time is it',
      'okay bye',
    );
    assert.match(replies[0] ?? '', /I can help with/);
    assert.equal(replies[2], 'I heard 4 2 7 1. Did I get it right?');
    assert.match(replies[3] ?? '', /Lovely/);
    assert.notEqual(replies[4], replies[5]);
    assert.match(replies[6] ?? '', /Fair enough/);
    assert.match(replies[7] ?? '', /past|o'clock|to|in the/);
    assert.match(replies[8] ?? '', /Goodbye/);
  });

  it('demo: reads keypad digits back', async () => {
    const replies = await talk('demo', 'test the keypad', '[keypad: 12#]');
    assert.equal(replies[1], 'I heard 1 2. Did I get it right?');
  });

  it('pizza: takes a whole order, in whatever order it comes', async () => {
    const one = await talk(
      'pizza-order',
      'a large mushroom pizza please',
      'a cola',
      'delivery',
      'five five five one two three four',
      'yes',
    );
    assert.equal(
      one[3],
      "So that's a large mushroom with cola, and we call 5 5 5 1 2 3 4. Is that right?",
    );
    assert.match(one[4] ?? '', /goodbye/);
    const two = await talk(
      'pizza-order',
      'can i get a pizza',
      'pepperoni',
      'medium',
      'no thanks',
      'pick up',
      '5551234',
      'no',
    );
    assert.equal(two[2], 'medium pepperoni, got it. Something to drink?');
    assert.equal(two[5], "So that's a medium pepperoni, and we call 5 5 5 1 2 3 4. Is that right?");
    assert.match(two[6] ?? '', /fix it/);
  });

  it('survey: asks three questions and copes with words and numbers out of range', async () => {
    const replies = await talk(
      'survey',
      'yes',
      'four',
      'nine',
      'what do the numbers mean',
      '[keypad: 5]',
      'very good',
      'five',
      'no',
    );
    assert.match(replies[0] ?? '', /How easy/);
    assert.match(replies[1] ?? '', /How well/);
    assert.match(replies[2] ?? '', /one, which is poor/);
    assert.match(replies[4] ?? '', /How likely/);
    assert.match(replies[5] ?? '', /as a number/);
    assert.match(replies[6] ?? '', /comment/);
    assert.match(replies[7] ?? '', /Goodbye/);
  });

  it('reminder: hears yes, no, another time and cancel', async () => {
    assert.match((await talk('appointment-reminder', 'yes i can'))[0] ?? '', /see you then/);
    const moved = await talk(
      'appointment-reminder',
      'no i can not make it',
      'yes please',
      'mornings are better',
      'no thank you',
    );
    assert.match(moved[2] ?? '', /^mornings, noted/);
    assert.match(moved[3] ?? '', /goodbye/);
    assert.match(
      (await talk('appointment-reminder', 'i want to cancel', 'yes'))[1] ?? '',
      /canceled/,
    );
  });

  it('lost card: works by keypad alone', async () => {
    const replies = await talk(
      'lost-card',
      '[keypad: 1]',
      '[keypad: 4271]',
      'yes',
      '[keypad: 5551234#]',
      'yes',
      'no',
    );
    assert.match(replies[1] ?? '', /ending in 4 2 7 1/);
    assert.match(replies[3] ?? '', /5 5 5 1 2 3 4/);
    assert.match(replies[5] ?? '', /goodbye/);
  });

  it('receptionist: takes a number even after a wait', async () => {
    const replies = await talk(
      'receptionist',
      'could somebody call me back please',
      'hold on',
      'five five five one two one two',
      'what did you say',
      'yes that is right',
    );
    assert.equal(replies[1], "Sure. I'm listening.");
    assert.equal(replies[2], 'I have 5 5 5 1 2 1 2. Is that right?');
    assert.equal(replies[3], replies[2]);
    assert.match(replies[4] ?? '', /call you back/);
  });
});
