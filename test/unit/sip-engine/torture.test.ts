import assert from 'node:assert/strict';
import { parseMessage, SipParseError } from '../../../src/sip-engine/message/parse-message.ts';
import { Bench, RecordingFlow } from './harness.ts';

/**
 * Messages after the categories of RFC 4475, written for this project.
 * Each is the smallest that shows its point.
 */
const BASE: { readonly [name: string]: string } = {
  Via: 'SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKtorture',
  'Max-Forwards': '70',
  From: '<sip:caller@example.net>;tag=t1',
  To: '<sip:callee@example.org>',
  'Call-ID': 'torture.1@192.0.2.9',
  CSeq: '7 OPTIONS',
  'Content-Length': '0',
};

function message(
  startLine: string,
  over: { readonly [name: string]: string | undefined } = {},
  body = '',
): Buffer {
  const headers = Object.entries({ ...BASE, ...over }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return Buffer.from([startLine, ...headers, '', body].join('\r\n'));
}

const OPTIONS = 'OPTIONS sip:callee@example.org SIP/2.0';

const VALID: { readonly [name: string]: Buffer } = {
  'odd white space, folding and compact forms': Buffer.from(
    [
      'INVITE sip:callee@example.org;odd SIP/2.0',
      'tO :',
      ' sip:callee@example.org ;   tag    = 19x',
      'f   : "C \\\\\\""       <sip:caller@example.net>',
      '  ;',
      '  tag = 98as',
      'MaX-fOrWaRdS: 0068',
      'I: tortured.ws@192.0.2.9',
      'l   : 0',
      'cseq: 0009',
      '  INVITE',
      'V  : SIP  /   2.0',
      ' /UDP',
      '    192.0.2.2;branch=390x',
      's :',
      'NewHeader: one',
      '  two, three',
      'UnknownOdd: ;;,,;;,;',
      'v:  SIP  / 2.0  / TCP     a.example.com   ;',
      '  branch  =   z9hG4bK9i  , SIP  /    2.0   / UDP  192.168.255.111   ; branch=',
      ' z9hG4bK30',
      'm:"Quoted \\"\\"" <sip:caller@example.net> ; p =',
      '      v ;',
      '  q = 0.33',
      '',
      '',
    ].join('\r\n'),
  ),
  'every character a method, a user and a token may hold': message(
    "!odd-Method0123456789*+`.%x'~ sip:1_odd.~(to-be!sure)&isn't+it$/y?,/;;*:&it+has=1,w!*p$wo~d.(no)@example.com SIP/2.0",
    {
      CSeq: "7 !odd-Method0123456789*+`.%x'~",
      To: '"BEL:\\\u0007 NUL:\\\u0000 DEL:\\\u007f" <sip:1_odd@example.com>',
      From: "tok1~` tok2'+_ tok3*%!.- <sip:caller@example.net>;odd''~+*_!.-%=\"\u0440\u0430\";tag=_t~1'+`*%!-.",
    },
  ),
  'escapes in the user part': message('OPTIONS sip:sips%3Auser%40example.com@example.net SIP/2.0'),
  'an escaped NUL': message('OPTIONS sip:null-%00-null@example.com SIP/2.0'),
  'a percent sign that escapes nothing in a method': message(
    'RE%47IST%45R sip:a@example.com SIP/2.0',
    {
      CSeq: '7 RE%47IST%45R',
    },
  ),
  'no space before an angle bracket': message(OPTIONS, {
    From: 'caller<sip:caller@example.net>;tag=323',
  }),
  'long values': message(OPTIONS, {
    To: `"${'I have a long name '.repeat(30)}" <sip:callee@example.org>`,
    Unknown: 'x'.repeat(4000),
    Via: Array.from(
      { length: 34 },
      (_, i) => `SIP/2.0/UDP h${i}.example.com;branch=z9hG4bK${'y'.repeat(80)}${i}`,
    ).join(', '),
  }),
  'octets after the announced body': Buffer.concat([message(OPTIONS), message(OPTIONS)]),
  'semicolon parameters in the user part': message(
    'OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0',
  ),
  'Via headers of many transports': message(OPTIONS, {
    Via: 'SIP/2.0/UDP a.example.com;branch=z9hG4bKa, SIP/2.0/SCTP b;branch=z9hG4bKb, SIP/2.0/TLS c;branch=z9hG4bKc, SIP/2.0/UNKNOWN d;branch=z9hG4bKd',
  }),
  'a multipart body with binary octets': message(
    'MESSAGE sip:callee@example.org SIP/2.0',
    {
      CSeq: '7 MESSAGE',
      'Content-Type': 'multipart/mixed;boundary=7a9cbec02ceef655',
      'Content-Length': '9',
    },
    '--7a\u0001\u0000\u0002bc',
  ),
  'a reason phrase of another script': message(
    'SIP/2.0 200 = 2**3 * 5**2 \u043f\u0440\u043e\u0441\u0442\u043e',
  ),
  'an empty reason phrase': message('SIP/2.0 200 '),
  'unknown schemes in From and To': message(OPTIONS, {
    To: '<isbn:2983792873>',
    From: '<http://www.example.com>;tag=3234',
  }),
  'unknown authorization schemes': message(OPTIONS, {
    Authorization: 'NoOneKnowsThis opaque="x" y',
  }),
  'unknown parameters of a Contact': message(OPTIONS, {
    Contact: '<sip:+19725552222@gw1.example.net;unknownparam>;other',
  }),
  'a request as RFC 2543 had it: no branch, no tag, no hop count': message(
    'INVITE sip:callee@example.org SIP/2.0',
    {
      Via: 'SIP/2.0/UDP old.example.com',
      From: '<sip:caller@example.net>',
      CSeq: '8 INVITE',
      'Max-Forwards': undefined,
      Contact: '<sip:caller@old.example.com>',
    },
  ),
  'a branch that is nothing but the magic cookie': message(OPTIONS, {
    Via: 'SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK',
  }),
};

const INVALID: { readonly [name: string]: Buffer } = {
  'separators without anything between them': message(OPTIONS, {
    Contact: '"Joe" <sip:joe@example.org>;;;;',
    Via: 'SIP/2.0/UDP 192.0.2.15;;,;,,',
  }),
  'a Content-Length beyond the message': message(OPTIONS, { 'Content-Length': '9999' }),
  'a negative Content-Length': message(OPTIONS, { 'Content-Length': '-999' }),
  'a CSeq too large': message(OPTIONS, { CSeq: '36893488147419103232 OPTIONS' }),
  'too many hops': message(OPTIONS, { 'Max-Forwards': '300' }),
  'an overlarge CSeq in a response': message('SIP/2.0 503 X', {
    CSeq: '9292394834772304023312 OPTIONS',
  }),
  'a quotation that does not end': message(OPTIONS, { To: '"Mr. Callee <sip:callee@example.org>' }),
  'angle brackets around the Request-URI': message('OPTIONS <sip:callee@example.org> SIP/2.0'),
  'white space inside the Request-URI': message('OPTIONS sip:callee@example.org; lr SIP/2.0'),
  'two spaces in the request line': message('OPTIONS  sip:callee@example.org  SIP/2.0'),
  'white space after the request line': message('OPTIONS sip:callee@example.org SIP/2.0  '),
  'headers inside the Request-URI': message(
    'OPTIONS sip:callee@example.org?Route=%3Csip:x.example.com%3E SIP/2.0',
  ),
  'a Date in another time zone': message(OPTIONS, { Date: 'Fri, 01 Jan 2010 16:00:00 EST' }),
  'a Contact with URI headers but no angle brackets': message(OPTIONS, {
    Contact: 'sip:user@example.com?Route=%3Csip:sip.example.com%3E',
  }),
  'spaces within an addr-spec': message(OPTIONS, { To: '"C" < sip:callee@example.org >' }),
  'a display name that is no token': message(OPTIONS, {
    From: 'Bell, A <sip:a@example.com>;tag=43',
  }),
  'an unknown version': message('OPTIONS sip:callee@example.org SIP/7.0'),
  'a CSeq with another method': message(OPTIONS, { CSeq: '8 INVITE' }),
  'a CSeq with another unknown method': message('NEWMETHOD sip:a@example.com SIP/2.0', {
    CSeq: '8 INVITE',
  }),
  'a status code too large': message('SIP/2.0 4294967301 better not break the receiver'),
  'no Call-ID, From or To': message(OPTIONS, {
    'Call-ID': undefined,
    From: undefined,
    To: undefined,
  }),
  'an unknown scheme in the Request-URI': message('OPTIONS nobodyKnows:opaque SIP/2.0'),
  'two values where one is allowed': Buffer.from(
    message(OPTIONS).toString().replace('CSeq:', 'CSeq: 5 OPTIONS\r\nCSeq:'),
  ),
  'two Content-Length': Buffer.from(
    message(OPTIONS)
      .toString()
      .replace('Content-Length: 0', 'Content-Length: 0\r\nContent-Length: 5'),
  ),
  'a header line without a name': message(OPTIONS, { '': 'x' }),
  'a bare line feed inside a header': message(OPTIONS, { Subject: 'a\nEvil: yes' }),
  'nothing after the start line': Buffer.from(`${OPTIONS}\r\n`),
  'nothing at all': Buffer.alloc(0),
};

describe('the message parser, after RFC 4475', () => {
  for (const [name, packet] of Object.entries(VALID)) {
    it(`takes ${name}`, () => assert.doesNotThrow(() => parseMessage(packet)));
  }

  for (const [name, packet] of Object.entries(INVALID)) {
    it(`refuses ${name}`, () => assert.throws(() => parseMessage(packet), SipParseError));
  }

  it('unfolds and reads what oddly spaced headers say', () => {
    const packet = VALID['odd white space, folding and compact forms'];
    assert.ok(packet);
    const parsed = parseMessage(packet);
    assert.equal(parsed.cseq.sequence, 9);
    assert.equal(parsed.from.params.get('tag'), '98as');
    assert.equal(parsed.to.uri, 'sip:callee@example.org');
    assert.equal(parsed.headers.first('newheader'), 'one two, three');
    assert.equal(parsed.headers.list('via').length, 3);
  });

  it('counts the body in octets, not characters', () => {
    const body = 'grüße';
    const packet = message(
      'MESSAGE sip:callee@example.org SIP/2.0',
      { CSeq: '7 MESSAGE', 'Content-Type': 'text/plain', 'Content-Length': '7' },
      `${body}trailing`,
    );
    assert.equal(parseMessage(packet).body.toString(), body);
  });
});

describe('the engine, given the messages of RFC 4475', () => {
  const answer = (packet: Buffer): string | undefined => {
    const bench = new Bench({}, []);
    const flow = new RecordingFlow('udp', { address: '192.0.2.9', port: 5060 });
    bench.core.receive(packet, flow);
    return flow.lines.at(-1)?.split(' ')[1];
  };

  it('answers each valid OPTIONS with 200', () => {
    for (const [name, packet] of Object.entries(VALID)) {
      if (packet.toString().startsWith('OPTIONS')) assert.equal(answer(packet), '200', name);
    }
  });

  it('answers an unreadable request with 400 when it can tell whose it is', () => {
    for (const name of [
      'a Content-Length beyond the message',
      'a CSeq with another method',
      'a Date in another time zone',
      'too many hops',
    ]) {
      const packet = INVALID[name];
      assert.ok(packet);
      assert.equal(answer(packet), '400', name);
    }
  });

  it('names the version, the scheme, the extension and the media type it does not know', () => {
    const packet = INVALID['an unknown version'];
    const scheme = INVALID['an unknown scheme in the Request-URI'];
    assert.ok(packet && scheme);
    assert.equal(answer(packet), '505');
    assert.equal(answer(scheme), '416');
    assert.equal(answer(message(OPTIONS, { Require: 'nothingSupportsThis' })), '420');
    const invite = (over: { readonly [name: string]: string }): Buffer =>
      message(
        'INVITE sip:callee@example.org SIP/2.0',
        { CSeq: '7 INVITE', Contact: '<sip:a@192.0.2.9>', 'Content-Length': '1', ...over },
        'x',
      );
    assert.equal(answer(invite({ 'Content-Type': 'application/unknownformat' })), '415');
    assert.equal(answer(invite({ 'Content-Type': 'application/sdp', Accept: 'text/x' })), '406');
  });

  it('answers an unknown method with 501 and a known one without taker with 405', () => {
    const odd = VALID['every character a method, a user and a token may hold'];
    assert.ok(odd);
    assert.equal(answer(odd), '501');
    assert.equal(
      answer(message('PUBLISH sip:a@example.com SIP/2.0', { CSeq: '7 PUBLISH' })),
      '405',
    );
  });

  it('says nothing to an unreadable response, and to an answer that is not for us', () => {
    const response = INVALID['a status code too large'];
    assert.ok(response);
    assert.equal(answer(response), undefined);
    assert.equal(
      answer(message('SIP/2.0 200 OK', { Via: 'SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKx' })),
      undefined,
    );
  });

  it('survives all of them in one life', () => {
    const bench = new Bench();
    const flow = new RecordingFlow();
    for (const packet of [...Object.values(VALID), ...Object.values(INVALID)]) {
      bench.core.receive(packet, flow);
      bench.pass(100);
    }
    bench.pass(400_000);
    assert.equal(bench.core.context.inbound.size, 0);
  });
});

/** A seeded generator: the same mutations in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function mutate(packet: Buffer, next: () => number): Buffer {
  const copy = Buffer.from(packet);
  const at = (): number => Math.floor(next() * copy.length);
  const edits = 1 + Math.floor(next() * 6);
  for (let i = 0; i < edits; i++) copy[at()] = Math.floor(next() * 256);
  const kind = next();
  if (kind < 0.2) return copy.subarray(0, at());
  if (kind < 0.4) return Buffer.concat([copy.subarray(0, at()), copy.subarray(at())]);
  return copy;
}

describe('the message parser, given 20,000 mutated messages', () => {
  it('throws nothing but SipParseError, and the engine keeps nothing', () => {
    const next = random(4475);
    const seeds = [...Object.values(VALID), ...Object.values(INVALID)].filter(
      ({ length }) => length > 0,
    );
    const bench = new Bench({ transactionsMax: 500 });
    const flow = new RecordingFlow('udp', { address: '192.0.2.9', port: 5060 });
    for (let i = 0; i < 20_000; i++) {
      const packet = mutate(seeds[i % seeds.length] ?? Buffer.alloc(0), next);
      try {
        parseMessage(packet);
      } catch (error) {
        if (!(error instanceof SipParseError)) throw error;
      }
      bench.core.receive(packet, flow);
      flow.sent.length = 0;
      if (i % 100 === 0) bench.pass(1000);
    }
    bench.pass(700_000);
    const { inbound, pendingInvites, servers, dialogs } = bench.core.context;
    assert.deepEqual([inbound.size, pendingInvites.size, servers.size, dialogs.size], [0, 0, 0, 0]);
    assert.equal(bench.wheel.size, 0);
  }).timeout(60_000);
});
