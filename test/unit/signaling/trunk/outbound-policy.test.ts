import assert from 'node:assert/strict';

import {
  callerHeaders,
  callerThrough,
  destinationThrough,
  sessionHeaders,
} from '../../../../src/signaling/trunk/outbound-policy.ts';
import { judgeRefusal } from '../../../../src/signaling/trunk/refusal-verdict.ts';
import { TrunkLimits } from '../../../../src/signaling/trunk/trunk-limits.ts';
import type { Trunk } from '../../../../src/signaling/trunk/trunk.ts';
import { aTrunk } from './a-trunk.ts';

const NUMBER = '+34911222333';

describe('the destination of a call', () => {
  const cases: readonly (readonly [string, readonly string[], string | null])[] = [
    ['+34955666777', ['+34'], '+34955666777'],
    ['955 666 777', ['+34'], '+34955666777'],
    ['0034955666777', ['+34955'], '+34955666777'],
    ['+12125550123', ['+34'], null],
    ['+34955666777', [], null],
    ['+12125550123', ['+'], '+12125550123'],
    // A premium number hidden behind an allowed beginning of its national form.
    ['00 881 622 0000000', ['+34'], null],
    ['demo', ['+'], null],
    ['+34955666777@evil.test', ['+34'], null],
  ];
  for (const [to, outboundPrefixes, expected] of cases) {
    it(`${to} within ${outboundPrefixes.join(' ') || 'nothing'} is ${expected ?? 'refused'}`, () =>
      assert.equal(destinationThrough(aTrunk({ country: 'ES', outboundPrefixes }), to), expected));
  }
});

describe('the caller of a call', () => {
  const withPolicy = (policy: Trunk['callerId']['policy'], number: string | null = NUMBER) =>
    aTrunk({
      callerId: { policy, number, header: 'from' },
      numbers: new Map([['+34911222444', 'agt_x']]),
    });

  it('is one of our numbers, the fixed one, or any, by the policy', () => {
    assert.equal(callerThrough(withPolicy('own-numbers'), { number: null }), NUMBER);
    assert.equal(
      callerThrough(withPolicy('own-numbers'), { number: '+34 911 222 444' }),
      '+34911222444',
    );
    assert.equal(callerThrough(withPolicy('own-numbers'), { number: '+34900000000' }), null);
    assert.equal(callerThrough(withPolicy('fixed'), { number: '+34900000000' }), NUMBER);
    assert.equal(callerThrough(withPolicy('any'), { number: '+34900000000' }), '+34900000000');
    assert.equal(callerThrough(withPolicy('any', null), { number: null }), 'ann');
  });

  it('is a number that was given to the caller too, on its own trunk', () => {
    const number = '+34900000000';
    const { name } = withPolicy('own-numbers');
    const by = (policy: Trunk['callerId']['policy'], assignedTo: string | null) =>
      callerThrough(withPolicy(policy), { number, assignedTo });
    assert.equal(by('own-numbers', name), number);
    assert.equal(by('own-numbers', null), number);
    assert.equal(by('own-numbers', 'another'), null);
    assert.equal(by('fixed', name), NUMBER, 'what is fixed stays fixed');
  });

  const headersBy = (header: Trunk['callerId']['header'], isPrivate = false) =>
    callerHeaders(
      aTrunk({ callerId: { policy: 'any', number: null, header }, numberFormat: 'digits' }),
      NUMBER,
      { number: null, displayName: 'Agent', isPrivate },
    );

  it('stands in From, or in an identity beside our user', () => {
    assert.deepEqual(headersBy('from'), {
      from: { user: '34911222333', host: 'carrier.test', displayName: 'Agent' },
      headers: {},
    });
    const asserted = headersBy('p-asserted-identity');
    assert.equal(asserted.from.user, 'ann');
    assert.deepEqual(asserted.headers, {
      'P-Asserted-Identity': '"Agent" <sip:34911222333@carrier.test>',
    });
    assert.equal(
      headersBy('remote-party-id').headers['Remote-Party-ID'],
      '"Agent" <sip:34911222333@carrier.test>;party=calling;screen=yes;privacy=off',
    );
  });

  it('that is private stands where only the carrier looks', () => {
    for (const header of ['from', 'p-asserted-identity', 'p-preferred-identity'] as const) {
      const { from, headers } = headersBy(header, true);
      assert.equal(from.host, 'anonymous.invalid');
      assert.equal(headers['Privacy'], 'id');
      assert.equal(Object.keys(headers).length, 2);
    }
  });
});

describe('session headers', () => {
  it('ask for a timer, and for a longer one when told to', () => {
    assert.deepEqual(sessionHeaders(aTrunk()), { Supported: '100rel, timer, replaces' });
    const sessionTimer = { expiresSeconds: 1800, refresher: null };
    assert.equal(sessionHeaders({ sessionTimer })['Session-Expires'], '1800');
    assert.deepEqual(sessionHeaders({ sessionTimer }, 7200), {
      Supported: '100rel, timer, replaces',
      'Min-SE': '7200',
      'Session-Expires': '7200',
    });
  });
});

describe('a refusal', () => {
  const judge = (
    status: number,
    more: { isFromEngine?: boolean; hasRung?: boolean; contact?: string } = {},
  ) =>
    judgeRefusal(
      { status, isFromEngine: more.isFromEngine ?? false, get: () => more.contact },
      more.hasRung ?? false,
    );

  it('of a host leads elsewhere, unless it rang', () => {
    for (const status of [500, 502, 503, 504, 580, 599])
      assert.equal(judge(status).type, 'elsewhere');
    assert.equal(judge(408, { isFromEngine: true }).type, 'elsewhere');
    assert.equal(judge(503, { isFromEngine: true }).type, 'elsewhere');
    assert.equal(judge(503, { hasRung: true }).type, 'final');
  });

  it('of the callee is final: every 4xx and 6xx', () => {
    for (let status = 400; status < 500; status += 1) assert.equal(judge(status).type, 'final');
    for (let status = 600; status < 700; status += 1) assert.equal(judge(status).type, 'final');
    for (const status of [501, 505, 513]) assert.equal(judge(status).type, 'final');
  });

  it('with contacts is a redirection, by falling q, and never a long one', () => {
    const contact = 'sip:a@x;q=0.5, <sip:b@y;q=1>;q=0.7, "c, d" <sip:c@z>, sip:nobody';
    assert.deepEqual(judge(302, { contact }), {
      type: 'redirected',
      to: [
        { user: 'c', host: 'z' },
        { user: 'b', host: 'y' },
        { user: 'a', host: 'x' },
      ],
    });
    assert.equal(judge(302).type, 'final');
    const many = judge(302, { contact: 'sip:a@x,'.repeat(500) });
    assert.ok(many.type === 'redirected' && many.to.length === 5);
  });
});

describe('the limits of a trunk', () => {
  const trunk = aTrunk({ channelsMax: 3, callsPerSecond: 2 });
  const held = (taken: ReturnType<TrunkLimits['take']>) => {
    assert.ok(typeof taken !== 'string');
    return taken;
  };

  it('are channels, given back once', () => {
    const limits = new TrunkLimits();
    const calls = [0, 1000, 2000].map((atMs) => held(limits.take(trunk, atMs)));
    assert.equal(limits.take(trunk, 3000), 'channels');
    assert.equal(limits.takeInbound(trunk, 3000), 'channels');
    calls[0]?.release();
    calls[0]?.release();
    assert.equal(limits.channelsOf('carrier'), 2);
    held(limits.takeInbound(trunk, 3000));
    assert.equal(limits.takeInbound(trunk, 3000), 'channels');
  });

  it('are calls per second, without a burst saved up', () => {
    const limits = new TrunkLimits();
    const begin = (atMs: number) => {
      const taken = limits.take(trunk, atMs);
      if (typeof taken === 'string') return taken;
      taken.release();
      return 'taken';
    };
    assert.deepEqual([0, 0, 0, 499, 500, 999, 1000].map(begin), [
      'taken',
      'taken',
      'rate',
      'rate',
      'taken',
      'rate',
      'taken',
    ]);
    assert.deepEqual([60_000, 60_000, 60_000].map(begin), ['taken', 'taken', 'rate']);
  });
});
