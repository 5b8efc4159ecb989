import assert from 'node:assert/strict';

import * as fc from 'fast-check';

import {
  ADDRESS_PART_CHARACTERS_MAX,
  formatParty,
  parseParty,
} from '../../../src/signaling/sip-address.ts';

describe('an address of SIP', () => {
  const addresses: [string, string, string, string][] = [
    ['sip:demo@127.0.0.1:5060', 'demo', '127.0.0.1', ''],
    ['<sip:demo@example.com;transport=tcp>;tag=1', 'demo', 'example.com', ''],
    ['sip:demo@example.com;tag=1', 'demo', 'example.com', ''],
    [
      '"Ann, \\"the\\" <Caller>" <sip:ann@example.com>;tag=1',
      'ann',
      'example.com',
      'Ann, "the" <Caller>',
    ],
    ['Ann Caller <sips:ann@example.com>', 'ann', 'example.com', 'Ann Caller'],
    ['"Zoë" <sip:zo%C3%AB@example.com>', 'zoë', 'example.com', 'Zoë'],
    ['<sip:%61nn%20b@example.com>', 'ann b', 'example.com', ''],
    ['<sip:100%@example.com>', '100%', 'example.com', ''],
    ['<sip:ann:secret@example.com>', 'ann', 'example.com', ''],
    ['<sip:+4930123;phone-context=x@example.com;user=phone>', '+4930123', 'example.com', ''],
    ['<sip:[2001:db8::1]:5060>', '', '2001:db8::1', ''],
    ['<sip:ann@[2001:db8::1]>', 'ann', '2001:db8::1', ''],
    ['<sip:ann@example.com?Subject=a@b>', 'ann', 'example.com', ''],
    ['<tel:+1-201-555-0123>;tag=9', '+12015550123', '', ''],
    ['tel:7042;phone-context=example.com', '7042', 'example.com', ''],
    [
      '"Anonymous" <sip:anonymous@anonymous.invalid>',
      'anonymous',
      'anonymous.invalid',
      'Anonymous',
    ],
    ['SIP:Demo@Example.COM', 'Demo', 'Example.COM', ''],
    ['', '', '', ''],
    ['<', '', '', ''],
    ['nonsense', '', '', ''],
  ];
  for (const [text, user, host, displayName] of addresses) {
    it(`${text || 'of nothing'} is read`, () => {
      assert.deepEqual(parseParty(text), { user, host, displayName });
    });
  }

  it('never fails, never holds control characters, and is never long', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (text) => {
        for (const part of Object.values(parseParty(`"${text}" <sip:${text}@h>`))) {
          assert.ok(part.length <= ADDRESS_PART_CHARACTERS_MAX);
          // oxlint-disable-next-line no-control-regex -- they are what it looks for
          assert.doesNotMatch(part, /[\0-\x1f\x7f]/);
        }
      }),
      { seed: 5, numRuns: 2_000 },
    );
  });

  it('is written so that it is read again', () => {
    const parties = [
      { user: 'ann b', host: 'example.com', displayName: 'Ann "B"' },
      { user: '+4930123', host: '127.0.0.1', displayName: '' },
      { user: 'a@b<c>', host: 'example.com', displayName: 'x\\y' },
    ];
    for (const party of parties) assert.deepEqual(parseParty(formatParty(party)), party);
  });

  it('without a host leaves that to the engine, and lets no line break through', () => {
    assert.equal(formatParty({ user: 'demo' }), '<sip:demo@localhost>');
    const text = formatParty({ user: 'a\r\nX: 1', host: 'h\r\nY: 2', displayName: 'n\r\nZ: 3' });
    assert.doesNotMatch(text, /[\r\n]/);
  });
});
