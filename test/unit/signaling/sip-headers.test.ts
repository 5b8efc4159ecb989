import assert from 'node:assert/strict';

import type { SrfMessage, SrfRequest } from '../../../src/signaling/drachtio.ts';
import { infoDigit } from '../../../src/signaling/info-digit.ts';
import { endOfBye, endOfRefusal } from '../../../src/signaling/leg-end.ts';
import {
  cseqNumber,
  KEPT_HEADER_CHARACTERS_MAX,
  KEPT_HEADERS_MAX,
  keptHeaders,
  reasonText,
} from '../../../src/signaling/sip-headers.ts';

const message = (headers: Record<string, string>, body = ''): SrfMessage => ({
  headers,
  body,
  get: (name) => headers[name.toLowerCase()],
  has: (name) => name.toLowerCase() in headers,
});

describe('headers kept of an INVITE', () => {
  it('are those that say who calls and why, cut to a limit', () => {
    const kept = keptHeaders(
      message({
        via: 'SIP/2.0/UDP h',
        'p-asserted-identity': '<sip:+49301@h>',
        'X-Long': 'x'.repeat(5_000),
        authorization: 'Digest secret',
      }),
    );
    assert.deepEqual(Object.keys(kept), ['p-asserted-identity', 'x-long']);
    assert.equal(kept['x-long']?.length, KEPT_HEADER_CHARACTERS_MAX);
  });

  it('are no more than a limit', () => {
    const many = Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`X-H${i}`, '1']));
    assert.equal(Object.keys(keptHeaders(message(many))).length, KEPT_HEADERS_MAX);
  });
});

describe('a Reason header', () => {
  const reasons: [string | undefined, string | null][] = [
    ['Q.850;cause=16;text="Normal call clearing"', 'Normal call clearing'],
    ['SIP ; cause=200 ; text="a \\"b\\""', 'a "b"'],
    ['Q.850;cause=16', 'Q.850;cause=16'],
    ['', null],
    [undefined, null],
  ];
  for (const [header, text] of reasons) {
    it(`of ${header ?? 'nothing'} says ${text ?? 'nothing'}`, () => {
      assert.equal(reasonText(message(header === undefined ? {} : { reason: header })), text);
    });
  }
});

describe('a CSeq', () => {
  it('gives its number, or null', () => {
    assert.equal(cseqNumber(message({ cseq: '42 ACK' })), 42);
    assert.equal(cseqNumber(message({ cseq: 'ACK' })), null);
    assert.equal(cseqNumber(message({})), null);
  });
});

describe('an INFO', () => {
  const relay = 'application/dtmf-relay';
  const infos: [string, string, ReturnType<typeof infoDigit>][] = [
    [relay, 'Signal=5\r\nDuration=160\r\n', { type: 'digit', digit: '5' }],
    [relay, 'Signal= *\r\nDuration= 100', { type: 'digit', digit: '*' }],
    [relay, 'signal = #', { type: 'digit', digit: '#' }],
    [relay, 'Duration=160\r\nSignal=d', { type: 'digit', digit: 'D' }],
    [relay, 'Signal=hf', { type: 'ignored' }],
    ['application/dtmf', '7', { type: 'digit', digit: '7' }],
    ['Application/DTMF; charset=utf-8', '10\r\n', { type: 'digit', digit: '*' }],
    ['application/dtmf', '15', { type: 'digit', digit: 'D' }],
    ['application/dtmf', '16', { type: 'ignored' }],
    ['application/dtmf', '', { type: 'ignored' }],
    ['text/plain', '5', { type: 'unsupported' }],
    ['', '', { type: 'ignored' }],
  ];
  for (const [type, body, expected] of infos) {
    it(`of ${type || 'no type'} with ${JSON.stringify(body)} is ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(infoDigit(message({ 'content-type': type }, body)), expected);
    });
  }
});

describe('how a leg ended', () => {
  const bye = (source: string, reason?: string) =>
    endOfBye(
      { ...message(reason === undefined ? {} : { reason }), source } as SrfRequest,
      'normal release',
    );

  it('is told by who sent the BYE', () => {
    assert.equal(bye('network').reason, 'caller-hung-up');
    assert.equal(bye('network', 'SIP;text="ACK timeout"').reason, 'caller-hung-up');
    assert.equal(bye('application', 'SIP;cause=200;text="ACK timeout"').reason, 'ack-timeout');
    assert.equal(bye('application').reason, 'caller-lost');
  });

  it('is told by the status and the cause of a refusal', () => {
    assert.equal(endOfRefusal(480, 'Q.850;cause=17').reason, 'callee-busy');
    assert.equal(endOfRefusal(480, 'Q.850 ;cause=18').reason, 'no-answer');
    assert.equal(endOfRefusal(503, undefined).reason, 'callee-refused');
  });
});
