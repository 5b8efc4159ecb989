import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Item, ITEMS } from './items.ts';

const TESTS = join(import.meta.dirname, '..');
const LAST = 159;
const files = new Map<string, string>();

/** What a test file says; it must be one that mocha runs. */
function textOf(file: string): string {
  assert.match(file, /\.test\.ts$/);
  const text = files.get(file) ?? readFileSync(join(TESTS, file), 'utf8');
  files.set(file, text);
  return text;
}

/** The places of an item where nothing of it stands. */
function missing({ number, shown }: Item): string[] {
  return shown.filter((place) => {
    const [file = '', words] = place.split(/: (.*)/);
    const text = textOf(file);
    return words === undefined
      ? !new RegExp(`SEED-${number}\\b`).test(text)
      : !text.includes(words);
  });
}

describe('what callers and their programs may count on', () => {
  it(`is numbered from 1 to ${LAST}, each once`, () => {
    const numbers = Array.from({ length: LAST }, (_, index) => index + 1);
    assert.deepEqual(
      ITEMS.map(({ number }) => number),
      numbers,
    );
  });

  for (const item of ITEMS) {
    const { number, says, shown, why } = item;
    it(`SEED-${number}: ${says}${why === undefined ? '' : ` — not shown: ${why}`}`, () => {
      assert.ok(shown.length > 0 || (why ?? '') !== '', 'neither a test nor a reason');
      assert.deepEqual(missing(item), [], 'no test says so there');
    });
  }

  it('names a place that is missing', () => {
    const lost = { number: 999, says: '', shown: ['contract/documents.test.ts'] };
    assert.deepEqual(missing(lost), lost.shown);
  });
});
