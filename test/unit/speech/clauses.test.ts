import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { clauses, splitClauses } from '../../../src/speech/clauses.ts';

async function cut(...pieces: string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const clause of clauses(stream(pieces))) found.push(clause);
  return found;
}

async function* stream(pieces: readonly string[]): AsyncGenerator<string> {
  for (const piece of pieces) yield piece;
}

const words = (text: string): string => (text.match(/[a-z]+/g) ?? []).join(' ');

describe('clauses', () => {
  it('gives the first clause before the text is complete', async () => {
    const text = clauses(
      (async function* () {
        yield 'Sure, I can help';
        yield ' with that. And';
        await new Promise(() => undefined);
      })(),
    );
    assert.equal((await text.next()).value, 'Sure, I can help with that.');
  });

  it('loses no word, however the text is cut into pieces', async () => {
    const texts = fc.array(fc.stringMatching(/^[a-z,. ]{0,12}$/), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(texts, async (pieces) => {
        assert.equal(words((await cut(...pieces)).join(' ')), words(pieces.join('')));
        assert.equal(words(splitClauses(pieces.join('')).join(' ')), words(pieces.join('')));
      }),
      { numRuns: 200, seed: 7 },
    );
  });
});
