import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  createBrain,
  keypadDigits,
  keypadMessage,
  phrasebookGrammar,
  type Message,
} from '../../../src/dialogue/brain.ts';
import { DialogueError } from '../../../src/dialogue/dialogue-error.ts';
import { compilePhrasebook } from '../../../src/dialogue/phrasebook/compile.ts';
import { matchKeypad, matchText } from '../../../src/dialogue/phrasebook/match.ts';
import { readDigits, readNumber, sayNumber } from '../../../src/dialogue/phrasebook/numbers.ts';
import { parsePattern, VARIANTS_MAX } from '../../../src/dialogue/phrasebook/pattern.ts';
import { stem, toWords, WORDS_MAX } from '../../../src/dialogue/phrasebook/words.ts';
import type { Phrasebook, PhrasebookEntry } from '../../../src/model/agent.ts';
import { collectReply, describeBrainContract, replyText } from '../../support/brain-contract.ts';
import { phrasebookAgent } from '../../support/phrasebook-agent.ts';

const BOOK: Phrasebook = {
  opening: 'intro',
  fallbacks: ['What? I know {{topics}}.', 'Once more?'],
  entries: [
    {
      id: 'intro',
      says: ['why do you call'],
      replies: ['Shall we begin?'],
      expects: 'yes-no',
      next: ['begin'],
    },
    {
      id: 'begin',
      isFollowUp: true,
      says: ['<yes>'],
      replies: ['Your code?'],
      expects: 'digits',
      next: ['code'],
    },
    { id: 'code', isFollowUp: true, says: ['{code:digits 4}'], replies: ['It is {{code}}.'] },
    {
      id: 'hours',
      says: ['when are you open', '[opening] hours'],
      digits: '1',
      replies: ['Nine to five.', 'From nine.'],
      topic: 'hours',
    },
    {
      id: 'order',
      says: ['{count:number 1-20} {size:small|extra large} (tea|teas)'],
      replies: ['{{count}} {{size}}!', 'Which?'],
    },
    { id: 'price', says: ['how much is it'], replies: ['{{price|Free}}.'], topic: 'prices' },
    { id: 'parking', says: ['is there parking'], replies: ['{{parking}}', 'Sorry, no idea.'] },
    {
      id: 'stop-now',
      says: ['stop the machine'],
      replies: ['Stopping. Goodbye.'],
      after: 'hang-up',
    },
  ],
};

const parts = (pattern: string): string[] =>
  parsePattern(pattern).map((variant) =>
    variant.map((part) => (part.type === 'word' ? part.word : `{${part.type}}`)).join(' '),
  );

function understand(text: string, ...expected: readonly string[]): string | null {
  const book = compilePhrasebook(BOOK);
  const entries = expected.flatMap((id) => book.byId.get(id) ?? []);
  return matchText(book, text, entries)?.entry.entry.id ?? null;
}

async function talk(
  book: Phrasebook,
  said: readonly string[],
  variables: Record<string, string> = {},
): Promise<string[]> {
  const brain = createBrain(phrasebookAgent({ phrasebook: book }), variables);
  const history: Message[] = [{ role: 'assistant', content: 'Hello, this is Ann.' }];
  const replies: string[] = [];
  for (const content of said) {
    history.push({ role: 'user', content });
    const reply = await replyText(brain, history);
    history.push({ role: 'assistant', content: reply });
    replies.push(reply);
  }
  return replies;
}

const withEntry = (changes: Partial<PhrasebookEntry>): Phrasebook => ({
  entries: [{ id: 'a', says: ['yes sir'], replies: ['Ok.'], ...changes }],
  fallbacks: [],
});

describe('words', () => {
  it('are bare, lower case, without hesitation and contraction', () => {
    assert.deepEqual(toWords("Um, WHAT'S the time—please?!"), [
      'what',
      'is',
      'the',
      'time',
      'please',
    ]);
    assert.deepEqual(toWords('I’d like 2 cafés, dont I'), [
      'i',
      'would',
      'like',
      'two',
      'cafes',
      'do',
      'not',
      'i',
    ]);
    assert.deepEqual(toWords('call 1,250 or 555-1234'), ['call', '1250', 'or', '555', '1234']);
    assert.deepEqual(toWords('well we were ill'), ['well', 'we', 'were', 'ill']);
    assert.deepEqual(toWords(' …🙂 '), []);
  });

  it('are at most eighty', () => {
    assert.equal(toWords('a '.repeat(10_000)).length, WORDS_MAX);
  });

  it('have stems that join their forms', () => {
    for (const [one, other] of [
      ['hours', 'hour'],
      ['opening', 'open'],
      ['cancelled', 'cancel'],
      ['canceling', 'cancel'],
      ['replied', 'reply'],
      ['rating', 'rate'],
      ['classes', 'class'],
    ] as const) {
      assert.equal(stem(one), stem(other));
    }
  });
});

describe('spoken numbers', () => {
  const digits = (text: string, min = 1, max = 16): string | undefined =>
    readDigits(toWords(text), 0, { min, max })[0]?.value;
  const number = (text: string): string | undefined =>
    readNumber(toWords(text), 0, { min: 0, max: 9_999 })?.value;

  it('are read as digits', () => {
    assert.equal(digits('four two seven one'), '4271');
    assert.equal(digits('oh double five triple nine'), '055999');
    assert.equal(digits('forty two seventeen'), '4217');
    assert.equal(digits('twenty five'), '25');
    assert.equal(digits('12 34'), '1234');
    assert.equal(digits('one two three', 4, 4), undefined);
    assert.equal(digits('one two three four five', 4, 4), '1234');
  });

  it('are read as numbers', () => {
    assert.equal(number('twenty one'), '21');
    assert.equal(number('a hundred'), '100');
    assert.equal(number('two thousand three hundred and five'), '2305');
    assert.equal(number('12,000'), undefined);
    assert.equal(number('zero'), '0');
    assert.equal(number('apple'), undefined);
  });

  it('are read as they are said', () => {
    for (let value = 0; value <= 100; value += 1)
      assert.equal(number(sayNumber(value)), String(value));
  });
});

describe('a pattern', () => {
  it('opens into all it stands for', () => {
    assert.deepEqual(parts('[please] (tell|give) me'), [
      'tell me',
      'give me',
      'please tell me',
      'please give me',
    ]);
    assert.deepEqual(parts('a (b|c [d])'), ['a b', 'a c', 'a c d']);
    assert.deepEqual(parts('my {x:digits 4} {y:number} <yes>'), ['my {digits} {number} {assent}']);
    assert.deepEqual(parts("what's up"), ['what is up']);
  });

  it('is refused when it cannot be read, with the place', () => {
    for (const broken of [
      '(a',
      'a)',
      '[a',
      'a|',
      '{x}',
      '{x:}',
      '{x:digits 0}',
      '{x:digits 3-2}',
      '{x:digits 40}',
      '[a]]',
      '',
      '[ ]',
      '{x:a||b}',
      '<maybe>',
      '((((((((a))))))))',
      'x'.repeat(500),
      '(a|b) '.repeat(9),
    ]) {
      if (broken === 'a|') continue;
      assert.throws(
        () => parsePattern(broken),
        (error: unknown) => error instanceof DialogueError && error.code === 'PHRASEBOOK_INVALID',
        broken,
      );
    }
  });

  it('never throws anything else, and stays bounded, whatever is written', () => {
    const token = fc.constantFrom(
      'a',
      'b ',
      '(',
      ')',
      '[',
      ']',
      '|',
      '{x:digits 2}',
      '{y:p|q r}',
      '<yes>',
      '{',
      '}',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), (tokens) => {
        try {
          const variants = parsePattern(tokens.join(''));
          assert.ok(variants.length > 0 && variants.length <= VARIANTS_MAX);
        } catch (error) {
          assert.ok(error instanceof DialogueError, String(error));
        }
      }),
      { numRuns: 2000, seed: 17 },
    );
  });
});

describe('a phrasebook', () => {
  it('is refused when it contradicts itself', () => {
    const broken: readonly Phrasebook[] = [
      withEntry({ replies: [] }),
      withEntry({ next: ['nowhere'] }),
      { ...withEntry({}), opening: 'nowhere' },
      { entries: [...withEntry({}).entries, ...withEntry({}).entries], fallbacks: [] },
      withEntry({ says: ['(a'] }),
    ];
    for (const book of broken)
      assert.throws(() => compilePhrasebook(book), { code: 'PHRASEBOOK_INVALID' });
  });

  it('is understood with courtesies around, in other forms, and in longer talk', () => {
    for (const text of [
      'when are you open',
      'So, when are you open, please?',
      'could you tell me when you are opening',
      'hours',
      'the opening hour',
      'yeah hi i was wondering when are you open on a day like this one',
    ]) {
      assert.equal(understand(text), 'hours', text);
    }
  });

  it('is not understood from nothing, noise, or a refusal', () => {
    for (const text of ['', '...', 'purple elephants dance', 'i do not want your opening hours']) {
      assert.notEqual(understand(text), 'hours', text);
    }
    assert.equal(understand('purple elephants dance'), null);
  });

  it('hears follow-ups only where they are expected', () => {
    assert.equal(understand('4271'), null);
    assert.equal(understand('four two seven one', 'code'), 'code');
    assert.equal(understand('it is four two seven one I think', 'code'), 'code');
    assert.equal(understand('yes'), 'yes');
    assert.equal(understand('yes', 'begin'), 'begin');
    assert.equal(understand('yes whatever you say my friend', 'begin'), 'begin');
    assert.equal(understand('yes but when are you open', 'begin'), 'hours');
  });

  it('reads keypad digits by key and by slot', () => {
    const book = compilePhrasebook(BOOK);
    const press = (digits: string, ...ids: string[]): string | undefined =>
      matchKeypad(
        book,
        digits,
        ids.flatMap((id) => book.byId.get(id) ?? []),
      )?.entry.entry.id;
    assert.equal(press('1'), 'hours');
    assert.equal(press('1#'), 'hours');
    assert.equal(press('4271#', 'code'), 'code');
    assert.equal(press('*'), 'repeat');
    assert.equal(press('77'), undefined);
    assert.equal(keypadDigits(keypadMessage('4*#').content), '4*#');
    assert.equal(keypadDigits('[keypad: hello]'), null);
  });

  it('understands every sentence its patterns can make, also in capitals and with hesitations', () => {
    const book = compilePhrasebook(BOOK);
    const sentences = book.entries
      .filter(({ entry, isBuiltIn }) => entry.isFollowUp !== true && !isBuiltIn)
      .flatMap(({ entry, variants }) =>
        variants
          .filter(({ parts: all }) => all.every(({ type }) => type === 'word'))
          .map(({ parts: all }) => ({
            id: entry.id,
            words: all.map((part) => (part.type === 'word' ? part.word : '')),
          })),
      );
    fc.assert(
      fc.property(
        fc.constantFrom(...sentences),
        fc.array(fc.constantFrom('um', 'uh,', '', '…'), { maxLength: 8 }),
        fc.boolean(),
        ({ id, words }, fillers, isLoud) => {
          const text = words.map((word, at) => `${fillers[at] ?? ''} ${word}`).join(' ');
          assert.equal(understand(isLoud ? text.toUpperCase() : text), id);
        },
      ),
      { seed: 23 },
    );
  });

  it('survives anything said', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        const id = understand(text, 'code', 'begin');
        assert.ok(id === null || typeof id === 'string');
      }),
      { seed: 29 },
    );
  });
});

describe('the phrasebook brain', () => {
  describeBrainContract('phrasebook', () => ({
    brain: createBrain(phrasebookAgent({ phrasebook: BOOK }), {}),
    history: [{ role: 'user', content: 'stop the machine' }],
  }));

  it('gives its replies in turn', async () => {
    assert.deepEqual(await talk(BOOK, ['hours', 'hours', 'hours']), [
      'Nine to five.',
      'From nine.',
      'Nine to five.',
    ]);
  });

  it('leads through questions, the first of which is its greeting', async () => {
    assert.deepEqual(await talk(BOOK, ['yes', '4 2 7 1']), ['Your code?', 'It is 4 2 7 1.']);
  });

  it('stays at its question when it did not understand, or was asked to repeat or to wait', async () => {
    const replies = await talk(BOOK, [
      'yes',
      'blah blah',
      'what did you say',
      'hold on',
      'one two three four',
    ]);
    assert.equal(replies[1], 'What? I know hours or prices.');
    assert.equal(replies[2], replies[0]);
    assert.equal(replies[4], 'It is 1 2 3 4.');
  });

  it('repeats its greeting when nothing else has been said', async () => {
    assert.deepEqual(await talk(BOOK, ['pardon']), ['Hello, this is Ann.']);
  });

  it('says only what it knows all words of, and prefers what uses more of what was said', async () => {
    assert.deepEqual(
      await talk(BOOK, ['two extra large teas', 'is there parking', 'how much is it']),
      ['2 extra large!', 'Sorry, no idea.', 'Free.'],
    );
    assert.deepEqual(
      await talk(BOOK, ['is there parking', 'how much is it'], { parking: 'Yes.', price: 'Ten' }),
      ['Yes.', 'Ten.'],
    );
  });

  it('inserts what was said as data', async () => {
    assert.deepEqual(await talk(BOOK, ['how much is it'], { price: '{{agent_name}}' }), [
      '{{agent_name}}.',
    ]);
  });

  it('asks to hang up after its words', async () => {
    const brain = createBrain(phrasebookAgent({ phrasebook: BOOK }), {});
    assert.deepEqual(await collectReply(brain, [{ role: 'user', content: 'stop the machine' }]), [
      { type: 'text', text: 'Stopping. Goodbye.' },
      { type: 'tool-call', id: 'end_1', name: 'end_call', arguments: { reason: 'stop-now' } },
    ]);
  });

  it('takes an answer that nobody heard for not given', async () => {
    const brain = createBrain(phrasebookAgent({ phrasebook: BOOK }), {});
    const history: Message[] = [
      { role: 'user', content: 'when are' },
      { role: 'user', content: 'you open' },
    ];
    assert.equal(await replyText(brain, history), 'Nine to five.');
    assert.equal(
      await replyText(brain, [
        { role: 'user', content: 'yes' },
        { role: 'user', content: 'four two seven one' },
      ]),
      'Your code?',
    );
  });

  it('says nothing when nobody spoke, and serves a book without entries', async () => {
    const brain = createBrain(phrasebookAgent({ phrasebook: BOOK }), {});
    assert.deepEqual(await collectReply(brain, [{ role: 'assistant', content: 'Hi' }]), []);
    assert.match((await talk({ entries: [], fallbacks: [] }, ['hello there']))[0] ?? '', /Hello!/);
  });

  it('tells what kind of answer it waits for, and when one is complete', () => {
    const brain = createBrain(phrasebookAgent({ phrasebook: BOOK }), {});
    assert.equal(brain.expects?.([]), 'yes-no');
    const asked: Message[] = [
      { role: 'user', content: 'yes' },
      { role: 'assistant', content: 'Your code?' },
    ];
    assert.equal(brain.expects?.(asked), 'digits');
    assert.equal(brain.isComplete?.(asked, 'four two'), false);
    assert.equal(brain.isComplete?.(asked, 'four two seven one'), true);
    assert.equal(brain.isComplete?.([], 'when are'), false);
    assert.equal(brain.isComplete?.([], 'so when are you open'), true);
  });

  it('waits for the keys that may still follow', () => {
    const menu = phrasebookAgent({
      phrasebook: {
        fallbacks: ['Sorry?'],
        entries: [
          { id: 'sales', says: ['sales'], digits: '1', replies: ['Sales.'] },
          { id: 'help', says: ['help'], digits: '2', replies: ['Help.'] },
          { id: 'secret', says: ['secret'], digits: '22', replies: ['Psst.'] },
          { id: 'card', says: ['card'], replies: ['Your code?'], next: ['code'] },
          { id: 'code', says: ['{code:digits 4}'], replies: ['Thanks.'], isFollowUp: true },
          { id: 'count', says: ['repeat'], replies: ['Digits?'], next: ['digits'] },
          {
            id: 'digits',
            says: ['{digits:digits 1-12}'],
            replies: ['{{digits}}.'],
            isFollowUp: true,
          },
          { id: 'rate', says: ['rate'], replies: ['Score?'], next: ['score'] },
          { id: 'score', says: ['{score:number 1-5}'], replies: ['{{score}}.'], isFollowUp: true },
        ],
      },
    });
    const brain = createBrain(menu, {});
    const isComplete = (digits: string, asked?: string): boolean | undefined => {
      const history: Message[] =
        asked === undefined
          ? []
          : [
              { role: 'user', content: asked },
              { role: 'assistant', content: 'Well?' },
            ];
      return brain.isComplete?.(history, keypadMessage(digits).content);
    };
    assert.equal(isComplete('1'), true);
    assert.equal(isComplete('2'), false);
    assert.equal(isComplete('2#'), true);
    assert.equal(isComplete('22'), true);
    assert.equal(isComplete('7'), false);
    assert.equal(isComplete('1', 'card'), false);
    assert.equal(isComplete('1234', 'card'), true);
    assert.equal(isComplete('4', 'repeat'), false);
    assert.equal(isComplete('123456789012', 'repeat'), true);
    assert.equal(isComplete('4#', 'repeat'), true);
    assert.equal(isComplete('4', 'rate'), true);
  });

  it('answers the same history the same way, whatever was thrown away between', async () => {
    const said = fc.array(
      fc.constantFrom(
        'yes',
        'no',
        'hours',
        '4271',
        'pardon',
        'hold on',
        'blah',
        'thanks',
        'two small teas',
      ),
      { minLength: 1, maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(
        said,
        fc.constantFrom('yes', 'hours', 'blah'),
        async (texts, speculation) => {
          const brain = createBrain(phrasebookAgent({ phrasebook: BOOK }), {});
          const history: Message[] = [];
          for (const content of texts) {
            await replyText(brain, [...history, { role: 'user', content: speculation }]);
            history.push({ role: 'user', content });
            history.push({ role: 'assistant', content: await replyText(brain, history) });
          }
          const fresh = await talk(BOOK, texts);
          assert.deepEqual(
            history.filter(({ role }) => role === 'assistant').map(({ content }) => content),
            fresh,
          );
        },
      ),
      { numRuns: 50, seed: 31 },
    );
  });
});

describe("the recogniser's grammar", () => {
  it('has bounded digits, contractions and no word twice', () => {
    const { jsgf, words } = phrasebookGrammar(BOOK);
    assert.match(jsgf, /^#JSGF V1.0;\ngrammar phrasebook;\npublic <utterance> = /);
    assert.match(jsgf, /<digits_4_4> = <digit> <digit> <digit> <digit>;/);
    assert.match(jsgf, /what's/);
    assert.doesNotMatch(jsgf, /[*+]/);
    assert.equal(new Set(words).size, words.length);
    assert.ok(words.every((word) => word === word.toLowerCase()));
    assert.ok(words.includes('parking') && !words.includes('utterance'));
  });

  it('leaves out what the recogniser has no word for', () => {
    const { words } = phrasebookGrammar(BOOK, (word) => word !== 'parking' && word !== 'oh');
    assert.ok(!words.includes('parking'));
    assert.ok(words.includes('open'));
  });

  it('has every rule that it refers to', () => {
    const { jsgf } = phrasebookGrammar(BOOK);
    const defined = new Set([...jsgf.matchAll(/<(\w+)> =/g)].map(([, name]) => name));
    for (const [, name] of jsgf.matchAll(/<(\w+)>/g)) assert.ok(defined.has(name), name);
  });
});
