import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  SSE_LINE_MAX,
  SseParser,
  type SseEvent,
} from '../../../src/dialogue/providers/sse-parser.ts';
import { ThinkingFilter } from '../../../src/dialogue/providers/thinking-filter.ts';
import {
  ToolCallAssembler,
  TOOL_ARGUMENTS_MAX,
  TOOL_CALLS_MAX,
} from '../../../src/dialogue/providers/tool-call-assembler.ts';

function parse(...pieces: readonly (string | Uint8Array)[]): SseEvent[] {
  const parser = new SseParser();
  const events = pieces.flatMap((piece) =>
    parser.push(typeof piece === 'string' ? Buffer.from(piece) : piece),
  );
  return [...events, ...parser.end()];
}

describe('the event stream parser', () => {
  it('reads fields, comments and several data lines', () => {
    assert.deepEqual(
      parse(': hi\nevent: a\ndata: 1\ndata:2\nid: 7\nretry: 9\nnonsense\n\ndata: 3\n\n'),
      [
        { event: 'a', data: '1\n2' },
        { event: '', data: '3' },
      ],
    );
  });

  it('knows all three line ends, also when a piece ends between CR and LF', () => {
    const expected = [
      { event: '', data: 'x' },
      { event: '', data: 'y' },
    ];
    for (const end of ['\n', '\r', '\r\n']) {
      assert.deepEqual(parse(`data: x${end}${end}data: y${end}${end}`), expected);
    }
    assert.deepEqual(parse('data: x\r', '\n\r', '\ndata: y\r', '\n\r\n'), expected);
  });

  it('skips a byte order mark and reads letters cut in two', () => {
    const bytes = Buffer.from('\ufeffdata: é🙂\n\n');
    assert.deepEqual(parse(...[...bytes].map((byte) => Uint8Array.of(byte))), [
      { event: '', data: 'é🙂' },
    ]);
  });

  it('gives no event without data, and a last one without its blank line', () => {
    assert.deepEqual(parse('event: a\n\n\n\n: c\n\n'), []);
    assert.deepEqual(parse('data: x'), [{ event: '', data: 'x' }]);
  });

  it('refuses lines and events without end', () => {
    assert.throws(() => parse(`data: ${'x'.repeat(SSE_LINE_MAX)}`), RangeError);
    assert.throws(
      () => parse(...Array.from({ length: 50 }, () => `data: ${'x'.repeat(100_000)}\n`)),
      RangeError,
    );
  });

  it('reads the same events however the bytes are cut, and never throws', () => {
    const lines = fc.array(
      fc.oneof(
        fc.constantFrom(
          '\n',
          '\r\n',
          '\r',
          'data: ',
          'data:',
          ': x',
          'event: a',
          ':',
          '{"a":1}',
          '[DONE]',
          'é',
          '🙂',
        ),
        fc.string({ unit: 'binary', maxLength: 8 }),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(
        lines,
        fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 100 }),
        (words, cuts) => {
          const bytes = Buffer.from(words.join(''));
          const pieces: Uint8Array[] = [];
          let at = 0;
          for (const cut of cuts) {
            pieces.push(bytes.subarray(at, at + cut));
            at += cut;
          }
          pieces.push(bytes.subarray(at));
          assert.deepEqual(parse(...pieces), parse(bytes));
        },
      ),
      { numRuns: 1000, seed: 11 },
    );
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (pieces) => {
        for (const { data } of parse(...pieces)) assert.equal(typeof data, 'string');
      }),
      { numRuns: 500, seed: 13 },
    );
  });
});

describe('the thinking filter', () => {
  const filter = (...pieces: readonly string[]): string => {
    const thinking = new ThinkingFilter();
    return pieces.map((piece) => thinking.push(piece)).join('') + thinking.end();
  };

  it('takes out thoughts at the beginning only', () => {
    assert.equal(filter('<think>secret</think>\n\nHi'), 'Hi');
    assert.equal(filter(...'  <think>a < b</think> Hi'.split('')), 'Hi');
    assert.equal(filter('Say <think> aloud'), 'Say <think> aloud');
    assert.equal(filter('<thin', 'king'), '<thinking');
    assert.equal(filter('<thi'), '<thi');
    assert.equal(filter('<think>never ended'), '');
  });

  it('gives the same text however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('<think>', '</think>', '<', ' ', 'a', '/', '>')),
        (words) => {
          const text = words.join('');
          assert.equal(filter(...text.split('')), filter(text));
        },
      ),
      { seed: 5 },
    );
  });
});

describe('the tool call assembler', () => {
  const piece = { index: 0, id: 'a', name: 'x', argumentsPiece: '' };

  it('is bounded', () => {
    const calls = new ToolCallAssembler();
    for (let at = 0; at < TOOL_CALLS_MAX; at += 1)
      calls.push({ ...piece, index: at, id: `c${at}` });
    assert.throws(() => calls.push({ ...piece, index: 99, id: 'z' }), RangeError);
    const long = new ToolCallAssembler();
    assert.throws(
      () => long.push({ ...piece, argumentsPiece: 'x'.repeat(TOOL_ARGUMENTS_MAX + 1) }),
      RangeError,
    );
  });

  it('names a call itself when the server did not', () => {
    const calls = new ToolCallAssembler();
    calls.push({ ...piece, id: null });
    assert.match(calls.take()[0]?.id ?? '', /^call_/);
    assert.deepEqual(calls.take(), []);
  });
});
