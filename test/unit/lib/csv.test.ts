import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { csvLine } from '../../../src/lib/csv.ts';

describe('a line of CSV', () => {
  it('quotes what would end a cell or a line (RFC 4180)', () => {
    assert.equal(
      csvLine(['a', 'b,c', 'say "hi"', 'x\r\ny', 7]),
      'a,"b,c","say ""hi""","x\r\ny",7\r\n',
    );
  });

  it('holds no formula', () => {
    for (const text of ['=1+1', '+34911222333', '-2', '@SUM(A1)', '\t=1', '\r=1', '=A1,"b"']) {
      const line = csvLine([text]);
      assert.match(line, /^"?'/, text);
    }
    assert.equal(csvLine([-2]), '-2\r\n');
  });

  it('gives back any cells to a reader of RFC 4180', () => {
    const cell = fc.string().filter((text) => !/^[=+\-@\t\r]/.test(text));
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1 }), (cells) => {
        assert.deepEqual(readLine(csvLine(cells)), cells);
      }),
    );
  });
});

/** By the grammar of RFC 4180, letter by letter. */
function readLine(line: string): string[] {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    let cell = '';
    if (line[at] === '"') {
      at += 1;
      while (line[at] !== '"' || line[at + 1] === '"') {
        if (line[at] === '"') at += 1;
        cell += line[at];
        at += 1;
      }
      at += 1;
    } else {
      while (line[at] !== ',' && line.slice(at) !== '\r\n') {
        cell += line[at];
        at += 1;
      }
    }
    cells.push(cell);
    if (line.slice(at) === '\r\n') return cells;
    assert.equal(line[at], ',');
    at += 1;
  }
}
