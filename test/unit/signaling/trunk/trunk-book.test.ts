import assert from 'node:assert/strict';

import {
  normalizeUser,
  toCarrierFormat,
  toE164,
} from '../../../../src/signaling/trunk/phone-number.ts';
import { agentOf, TrunkBook } from '../../../../src/signaling/trunk/trunk-book.ts';
import { aTrunk } from './a-trunk.ts';

describe('the book of trunks', () => {
  const north = aTrunk({
    name: 'north',
    hosts: [
      { host: '198.51.100.7', port: null },
      { host: 'sip.north.test', port: 5080 },
    ],
    allowedSources: ['203.0.113.0/24', '2001:db8::/32'],
    username: 'north-user',
    numbers: new Map([['+34911222333', 'agt_north']]),
  });
  const south = aTrunk({
    name: 'south',
    hosts: [{ host: 'sip.south.test', port: null }],
    allowedSources: ['203.0.113.128/25'],
    username: 'south-user',
    country: 'ES',
    numbers: new Map([
      ['+34955666777', 'agt_south'],
      ['support', 'agt_support'],
    ]),
    agent: 'agt_rest',
  });
  const nameOf = (book: TrunkBook, address: string, dialed = '') =>
    book.trunkOf(address, dialed)?.name;

  it('finds a trunk by networks, by addresses of hosts, and by IPv4 in IPv6 form', () => {
    const book = new TrunkBook([north, south]);
    assert.equal(nameOf(book, '203.0.113.5'), 'north');
    assert.equal(nameOf(book, '198.51.100.7'), 'north');
    assert.equal(nameOf(book, '::ffff:203.0.113.5'), 'north');
    assert.equal(nameOf(book, '2001:db8:1::9'), 'north');
    for (const stranger of ['198.51.100.8', '2001:db9::1', '127.0.0.1', 'sip.north.test', '']) {
      assert.equal(book.trunkOf(stranger, '+34911222333'), null);
      assert.equal(book.isSource(stranger), false);
    }
  });

  it('tells trunks of one carrier apart by what was dialed', () => {
    const book = new TrunkBook([north, south]);
    assert.equal(nameOf(book, '203.0.113.200'), 'north');
    assert.equal(nameOf(book, '203.0.113.200', '955666777'), 'south');
    assert.equal(nameOf(book, '203.0.113.200', 'south-user'), 'south');
    assert.equal(nameOf(book, '203.0.113.5', 'south-user'), 'north');
  });

  it('learns what names resolve to, and forgets what they did', () => {
    const book = new TrunkBook([north, south]);
    book.setHostAddresses('south', ['192.0.2.1', '192.0.2.2']);
    assert.equal(nameOf(book, '192.0.2.2'), 'south');
    book.setHostAddresses('south', ['192.0.2.3']);
    assert.equal(nameOf(book, '192.0.2.2'), undefined);
    assert.equal(nameOf(book, '192.0.2.3'), 'south');
  });

  it('knows where large requests go by TCP', () => {
    const book = new TrunkBook([{ ...north, prefersTcp: true }, south]);
    assert.equal(book.prefersTcp('198.51.100.7'), true);
    assert.equal(new TrunkBook([north, south]).prefersTcp('198.51.100.7'), false);
  });

  it('knows the agent of a number however it is written, and the agent of the rest', () => {
    for (const dialed of ['+34955666777', '955666777', '0034955666777', '34955666777']) {
      assert.equal(agentOf(south, dialed), 'agt_south', dialed);
    }
    assert.equal(agentOf(south, 'Support'), 'agt_support');
    assert.equal(agentOf(south, '+34911222333'), 'agt_rest');
    assert.equal(agentOf(north, '955666777'), null);
  });
});

describe('a phone number', () => {
  const written: readonly (readonly [string, string | null, string | null])[] = [
    ['+34 911 22-23.33', null, '+34911222333'],
    ['911222333', 'ES', '+34911222333'],
    ['0034911222333', 'ES', '+34911222333'],
    ['020 7946 0958', 'GB', '+442079460958'],
    ['(212) 555-0123', 'US', '+12125550123'],
    ['911222333', null, null],
    ['1001', 'ES', null],
    ['+1', null, null],
    ['demo', 'ES', null],
    ['911222333;ext=4', 'ES', null],
    ['+3491122233344556677', null, null],
    [`+${'1'.repeat(60)}`, null, null],
  ];
  for (const [text, country, expected] of written) {
    it(`written ${text.slice(0, 20)} in ${country ?? 'no country'} is ${expected ?? 'none'}`, () =>
      assert.equal(toE164(text, country), expected));
  }

  it('of a trunk that writes digits is international', () => {
    const digits = { numberFormat: 'digits', country: null } as const;
    assert.equal(normalizeUser('34911222333', digits), '+34911222333');
    assert.equal(normalizeUser('1001', digits), '1001');
    assert.equal(toCarrierFormat('+34911222333', digits), '34911222333');
    assert.equal(toCarrierFormat('demo', digits), 'demo');
  });
});
