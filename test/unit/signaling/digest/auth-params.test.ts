import assert from 'node:assert/strict';
import * as fc from 'fast-check';

import {
  AUTH_HEADER_CHARACTERS_MAX,
  parseAuthItems,
  quoted,
} from '../../../../src/signaling/digest/auth-params.ts';
import { readChallenges } from '../../../../src/signaling/digest/digest-challenge.ts';

const plain = (header: string) =>
  parseAuthItems(header)?.map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);

describe('authentication parameters', () => {
  it('are read with quotes, escapes, tokens and odd spaces', () => {
    assert.deepEqual(
      plain(
        'Digest  realm = "a \\"b\\" \\\\c, d" ,\r\n nonce="n=", algorithm=MD5,qop="auth,auth-int"',
      ),
      [['digest', { realm: 'a "b" \\c, d', nonce: 'n=', algorithm: 'MD5', qop: 'auth,auth-int' }]],
    );
  });

  it('of several headers joined by commas are told apart', () => {
    assert.deepEqual(
      plain('Digest realm="a", nonce="1", Basic realm="x",Digest realm="b",nonce=2'),
      [
        ['digest', { realm: 'a', nonce: '1' }],
        ['basic', { realm: 'x' }],
        ['digest', { realm: 'b', nonce: '2' }],
      ],
    );
  });

  const wrong = [
    '',
    ',,',
    'realm="a"',
    'Digest realm="a',
    'Digest realm=',
    'Digest realm="a", realm="b"',
    `Digest ${Array.from({ length: 33 }, (_, i) => `p${i}=1`).join(',')}`,
    Array.from({ length: 17 }, () => 'Digest a=1').join(','),
    `Digest realm="${'a'.repeat(AUTH_HEADER_CHARACTERS_MAX)}"`,
  ];
  for (const header of wrong) {
    it(`are refused: ${header.slice(0, 40)}`, () => assert.equal(parseAuthItems(header), null));
  }

  it('of any quoted text come back as they were', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200, unit: 'grapheme' }), (text) => {
        const value = quoted(text);
        if (value === null) return;
        assert.equal(parseAuthItems(`Digest a=1, b=${value}, c=2`)?.[0]?.params.get('b'), text);
      }),
    );
  });

  it('of any text whatever are read or refused, in little time', () => {
    const pieces = fc.constantFrom(
      'Digest',
      'realm',
      '=',
      '"',
      '\\',
      ',',
      ' ',
      'nonce',
      'a',
      ';',
      '\0',
    );
    const text = fc.array(pieces, { maxLength: 300 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ maxLength: 500 })), (header) => {
        for (const challenge of readChallenges(header)) assert.notEqual(challenge.nonce, '');
      }),
      { numRuns: 3_000 },
    );
    // Nothing to backtrack over: a quadratic reader would need minutes for these.
    for (const evil of ['"'.repeat(8_000), `Digest a="${'\\'.repeat(8_000)}`, 'a '.repeat(4_000)]) {
      assert.equal(parseAuthItems(evil), null);
    }
  });
});
