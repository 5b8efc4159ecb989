import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { CLAUSE_LENGTH_MAX, ClauseSplitter, clausesOf } from '../../../src/dialogue/clauses.ts';
import { toSpokenText } from '../../../src/dialogue/spoken-text.ts';

function split(...pieces: readonly string[]): string[] {
  const splitter = new ClauseSplitter();
  return [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.end()];
}

describe('a reply is cut into clauses', () => {
  it('with an early first one, then whole sentences', () => {
    assert.deepEqual(
      split('Sure, I can do that, no problem. We open at nine, and close at five. Bye!'),
      ['Sure, I can do that,', 'no problem.', 'We open at nine, and close at five.', 'Bye!'],
    );
  });

  it('as soon as the mark after the words is known to end them', () => {
    const splitter = new ClauseSplitter();
    assert.deepEqual(splitter.push('I can help with that.'), []);
    assert.deepEqual(splitter.push(' '), ['I can help with that.']);
    assert.deepEqual(splitter.push('It is'), []);
    assert.deepEqual(splitter.push(' 3.'), []);
    assert.deepEqual(splitter.push('5 miles away. '), ['It is 3.5 miles away.']);
    assert.deepEqual(splitter.end(), []);
  });

  const whole: readonly string[] = [
    'Dr. Smith and Mrs. Jones, e.g. on Jan. 5 at 10 a.m. today.',
    'It is $1,000.50 at 10:30 and example.com knows.',
    'Ask J. R. Miller about No. 5 and vol. 2 please.',
    'We moved to 5 St. James St. last year.',
  ];
  for (const text of whole) {
    it(`not inside: ${text}`, () => {
      const splitter = new ClauseSplitter();
      // The first clause is cut more eagerly, so this is the second sentence.
      splitter.push('Good morning to you. ');
      assert.deepEqual([...splitter.push(`${text} `), ...splitter.end()], [text]);
    });
  }

  it('at an ellipsis only when a sentence begins after it', () => {
    assert.deepEqual(split('Good morning to you. Let me see... it is open... And warm today.'), [
      'Good morning to you.',
      'Let me see... it is open...',
      'And warm today.',
    ]);
  });

  it('at "no." and "p.m." when a sentence begins after it', () => {
    assert.deepEqual(
      split('Good morning to you. The answer is no. We close at 5 p.m. Come early.'),
      ['Good morning to you.', 'The answer is no.', 'We close at 5 p.m.', 'Come early.'],
    );
  });

  it('with quotes and brackets kept at their sentence', () => {
    assert.deepEqual(split('Good morning to you. "Who is it?" (Nobody knew.) Then it rang.'), [
      'Good morning to you.',
      '"Who is it?"',
      '(Nobody knew.)',
      'Then it rang.',
    ]);
  });

  it('by list items, as sentences', () => {
    assert.deepEqual(
      split('We have these kinds:\n1. **Large**\n2. *Small*\n- with [salt](http://a.b/c)\n'),
      ['We have these kinds:', 'Large.', 'Small.', 'with salt.'],
    );
  });

  it('in scripts without blanks', () => {
    assert.deepEqual(split('こんにちは。元気ですか？はい。'), [
      'こんにちは。',
      '元気ですか？はい。',
    ]);
  });

  it('also when it never pauses', () => {
    const clauses = split('word '.repeat(1000));
    assert.ok(clauses.every((clause) => clause.length <= CLAUSE_LENGTH_MAX));
    assert.equal(clauses.join(' '), 'word '.repeat(1000).trim());
    assert.ok(split('x'.repeat(5000)).every((clause) => clause.length <= CLAUSE_LENGTH_MAX));
  });

  it('the same wherever the pieces are cut, and loses no word', () => {
    const text = fc.array(
      fc.constantFrom(
        'Yes',
        'no',
        '. ',
        ', ',
        '... ',
        '! ',
        'Dr. ',
        ' at ',
        '5',
        ':',
        '\n',
        '- ',
        '" ',
        '(',
        'a.m. ',
        '🙂',
        ' and ',
        '—',
        '**',
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(text, fc.array(fc.nat(5), { maxLength: 60 }), (words, cuts) => {
        const all = words.join('');
        const pieces: string[] = [];
        let at = 0;
        for (const cut of cuts) {
          pieces.push(all.slice(at, at + cut));
          at += cut;
        }
        pieces.push(all.slice(at));
        assert.deepEqual(split(...pieces), split(all));
        const letters = (value: string): string => value.replace(/[^a-z]/gi, '');
        assert.equal(letters(split(all).join('')), letters(all));
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  it('never empty, and never throws', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 40 })), (pieces) => {
        assert.ok(split(...pieces).every((clause) => clause.trim() !== ''));
      }),
      { seed: 7 },
    );
  });

  it('as it streams', async () => {
    async function* reply(): AsyncGenerator<string> {
      yield 'Hello there, fri';
      yield 'end. How are you?';
    }
    const clauses: string[] = [];
    for await (const clause of clausesOf(reply())) clauses.push(clause);
    assert.deepEqual(clauses, ['Hello there, friend.', 'How are you?']);
  });
});

describe('text for a voice', () => {
  const cases: readonly [written: string, spoken: string][] = [
    ['**Bold**, *soft*, __both__ and `code`.', 'Bold, soft, both and code.'],
    ['# Title\nText', 'Title. Text'],
    ['> quoted', 'quoted'],
    ['- [x] done\n* next!', 'done. next!'],
    ['Great! 🎉👍🏽 Bye 👨‍👩‍👧.', 'Great! Bye .'],
    ['See [our site](https://www.example.com/x_y?z=1).', 'See our site.'],
    ['Go to https://www.example.com/a/b?c=d.', 'Go to example dot com.'],
    ['www.example.com', 'example dot com'],
    ['```js\nlet x\n```', 'let x'],
    ['| a | b |\n|---|---|\n| 1 | 2 |', 'a, b 1, 2'],
    ['---', ''],
    ['3 * 4 and snake_case_name stay', '3 * 4 and snake_case_name stay'],
    ['~~old~~ new', 'old new'],
    ['© 2026', 'copyright 2026'],
    ["It's 5:30, isn't it?", "It's 5:30, isn't it?"],
    ['🙂', ''],
    ['**unfinished', 'unfinished'],
  ];
  for (const [written, spoken] of cases) {
    it(`of ${JSON.stringify(written)}`, () => assert.equal(toSpokenText(written), spoken));
  }

  it('is the same when made twice', () => {
    fc.assert(
      fc.property(fc.lorem({ mode: 'sentences' }), (text) => {
        assert.equal(toSpokenText(toSpokenText(text)), toSpokenText(text));
      }),
    );
  });
});
