import assert from 'node:assert/strict';
import { Bench, requestLines, RecordingFlow, SDP } from './harness.ts';

const CALLER = { address: '192.0.2.1', port: 5060 };
const DIALOG = 'call-1;from-tag=ann';

function call(over: { readonly [name: string]: string } = {}, bench = new Bench()) {
  const flow = bench.flow('udp', CALLER);
  bench.receive(requestLines('INVITE', { 'Content-Type': 'application/sdp', ...over }), flow, SDP);
  const txn = bench.app.told.at(-1)?.tokens[8] ?? '';
  return { bench, flow, txn };
}

function answered(over: { readonly [name: string]: string } = {}) {
  const { bench, flow, txn } = call(over);
  const echo = bench.say([txn, ''], ['SIP/2.0 200 OK', 'cseq: 1 INVITE'], SDP);
  const to = flow.lastResponse().headers.first('to') ?? '';
  const inDialog = (
    method: string,
    cseq: number,
    more: { readonly [name: string]: string | undefined } = {},
  ): string[] =>
    requestLines(method, {
      Via: `SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-${method}-${cseq}`,
      To: to,
      CSeq: `${cseq} ${method}`,
      ...more,
    });
  const ack = (): void => bench.receive(inDialog('ACK', 1), flow);
  return { bench, flow, txn, echo, inDialog, ack };
}

describe('an inbound call', () => {
  it('gets 100 when the application is slow, and reaches the application with rport and received filled in', () => {
    const { bench, flow } = call({ Via: 'SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKnat;rport' });
    assert.deepEqual(flow.lines, []);
    bench.pass(200);
    assert.deepEqual(flow.lines, ['SIP/2.0 100 Trying']);
    const frame = bench.app.last();
    assert.deepEqual(frame.tokens.slice(1, 7), [
      'sip',
      'network',
      frame.tokens[3],
      'udp',
      '192.0.2.1',
      '5060',
    ]);
    assert.deepEqual(frame.tokens.slice(9), ['', '127.0.0.1', '5060', '']);
    assert.match(
      frame.text,
      /Via: SIP\/2.0\/UDP 10.0.0.7:5060;branch=z9hG4bKnat;rport=5060;received=192.0.2.1\r\n/,
    );
  });

  it('is answered with tag, Contact and Record-Route, and the echo names the dialog', () => {
    const { flow, echo } = answered({ 'Record-Route': '<sip:192.0.2.50;lr>' });
    const { headers, status } = flow.lastResponse();
    assert.equal(status, 200);
    assert.match(headers.first('to') ?? '', /;tag=\w+$/);
    assert.equal(headers.first('contact'), '<sip:127.0.0.1:5060>');
    assert.equal(headers.first('record-route'), '<sip:192.0.2.50;lr>');
    assert.equal(echo.tokens[3], 'OK');
    assert.equal(echo.tokens[11], DIALOG);
  });

  it('swallows repeated INVITEs: the application sees one', () => {
    const { bench, flow } = call();
    bench.pass(200);
    bench.receive(requestLines('INVITE', { 'Content-Type': 'application/sdp' }), flow, SDP);
    assert.equal(bench.app.told.length, 1);
    assert.deepEqual(flow.lines, ['SIP/2.0 100 Trying', 'SIP/2.0 100 Trying']);
  });

  it('resends its 2xx until the ACK, which the application sees once', () => {
    const { bench, flow, ack, txn } = answered();
    bench.pass(1500);
    assert.equal(flow.lines.filter((line) => line === 'SIP/2.0 200 OK').length, 3);
    ack();
    ack();
    bench.pass(60_000);
    assert.equal(flow.lines.filter((line) => line === 'SIP/2.0 200 OK').length, 3);
    const acks = bench.app.told.filter(({ text }) => text.startsWith('ACK '));
    assert.equal(acks.length, 1);
    assert.deepEqual(
      [acks[0]?.tokens[4], acks[0]?.tokens[8], acks[0]?.tokens[9]],
      ['', txn, DIALOG],
    );
  });

  it('ends with BYE and an unsolicited frame when the ACK never comes', () => {
    const { bench, flow } = answered();
    bench.pass(32_100);
    assert.equal(flow.lastRequest().method, 'BYE');
    const frame = bench.app.last();
    assert.deepEqual(
      [frame.tokens[2], frame.tokens[8], frame.tokens[9]],
      ['application', 'unsolicited', DIALOG],
    );
    assert.match(frame.text, /Reason: SIP;cause=200;text="ACK timeout"/);
    assert.equal(bench.core.context.dialogs.size, 0);
  });

  it('holds the BYE of an impatient application back until the ACK', () => {
    const { bench, flow, ack } = answered();
    const before = flow.sent.length;
    assert.throws(() => bench.say(['', DIALOG], ['BYE sip:placeholder SIP/2.0']), /not answered/);
    assert.equal(flow.sent.length, before);
    ack();
    assert.equal(flow.lastRequest().method, 'BYE');
    assert.equal(flow.lastRequest().uri, 'sip:ann@192.0.2.1:5060');
  });

  it('ends with the caller’s BYE, which only the application answers', () => {
    const { bench, flow, ack, inDialog } = answered();
    ack();
    bench.receive(inDialog('BYE', 2), flow);
    const frame = bench.app.last();
    assert.match(frame.text, /^BYE /);
    const echo = bench.say([frame.tokens[8] ?? '', ''], ['SIP/2.0 200 OK']);
    assert.equal(echo.tokens[11], '');
    assert.equal(flow.lastResponse().cseq.method, 'BYE');
    bench.receive(inDialog('BYE', 2), flow);
    assert.equal(flow.lines.at(-1), 'SIP/2.0 200 OK');
    assert.equal(bench.core.context.dialogs.size, 0);
  });

  it('is canceled before any answer: 200 to CANCEL, 487 to INVITE, and the application is told', () => {
    const { bench, flow, txn } = call();
    bench.receive(
      requestLines('CANCEL', { Via: 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-INVITE-1' }),
      flow,
    );
    assert.deepEqual(flow.lines.slice(-2), ['SIP/2.0 200 OK', 'SIP/2.0 487 Request Terminated']);
    assert.deepEqual([bench.app.last().tokens[8], bench.app.last().tokens[9]], [txn, '']);
    const late = bench.say([txn, ''], ['SIP/2.0 200 OK'], SDP);
    assert.deepEqual(late.tokens.slice(3), ['NOK', 'Response not sent due to unknown transaction']);
  });

  it('is not touched by a CANCEL that crosses its 2xx', () => {
    const { bench, flow } = answered();
    bench.receive(
      requestLines('CANCEL', { Via: 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-INVITE-1' }),
      flow,
    );
    assert.equal(flow.lastResponse().cseq.method, 'CANCEL');
    assert.equal(flow.lastResponse().status, 200);
    assert.equal(bench.core.context.dialogs.size, 1);
  });

  it('answers a CANCEL for nothing with 481', () => {
    const bench = new Bench();
    const flow = bench.flow('udp', CALLER);
    bench.receive(requestLines('CANCEL'), flow);
    assert.equal(flow.lastResponse().status, 481);
  });

  it('may end with BYE in the early dialog', () => {
    const { bench, flow, txn } = call();
    bench.say([txn, ''], ['SIP/2.0 180 Ringing']);
    const to = flow.lastResponse().headers.first('to');
    bench.receive(requestLines('BYE', { To: to, CSeq: '2 BYE' }), flow);
    assert.deepEqual(flow.lines.slice(-2), ['SIP/2.0 200 OK', 'SIP/2.0 487 Request Terminated']);
    assert.match(bench.app.last().text, /^CANCEL /);
  });

  it('is resent as a refusal until its ACK', () => {
    const { bench, flow, txn } = call();
    bench.say([txn, ''], ['SIP/2.0 486 Busy Here']);
    bench.pass(600);
    assert.equal(flow.lines.filter((line) => line.startsWith('SIP/2.0 486')).length, 2);
    const to = flow.lastResponse().headers.first('to');
    bench.receive(
      requestLines('ACK', { Via: 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-INVITE-1', To: to }),
      flow,
    );
    bench.pass(10_000);
    assert.equal(flow.lines.filter((line) => line.startsWith('SIP/2.0 486')).length, 2);
  });
});

describe('an inbound call with reliable provisional answers', () => {
  const early = (body = SDP) => {
    const started = call({ Supported: '100rel' });
    started.bench.say([started.txn, ''], ['SIP/2.0 183 Session Progress', 'require: 100rel'], body);
    return started;
  };
  const prack = (flow: RecordingFlow, rack?: string): string[] => {
    const { headers } = flow.lastResponse();
    return requestLines('PRACK', {
      To: headers.first('to'),
      CSeq: '2 PRACK',
      RAck: rack ?? `${headers.first('rseq')} 1 INVITE`,
    });
  };

  it('resends the answer until the PRACK, which the application answers', () => {
    const { bench, flow } = early();
    bench.pass(1600);
    assert.equal(flow.lines.filter((line) => line.startsWith('SIP/2.0 183')).length, 3);
    bench.receive(prack(flow), flow);
    bench.pass(20_000);
    assert.equal(flow.lines.filter((line) => line.startsWith('SIP/2.0 183')).length, 3);
    assert.match(bench.app.last().text, /^PRACK /);
    assert.equal(bench.app.last().tokens[9], DIALOG);
  });

  it('refuses a PRACK for something else with 481', () => {
    const { bench, flow } = early();
    bench.receive(prack(flow, '1 1 INVITE'), flow);
    assert.equal(flow.lastResponse().status, 481);
  });

  it('keeps a 2xx back while early media waits for its PRACK', () => {
    const { bench, flow, txn } = early();
    assert.throws(() => bench.say([txn, ''], ['SIP/2.0 200 OK'], SDP), /not answered/);
    const request = prack(flow);
    bench.receive(request, flow);
    assert.equal(flow.lines.at(-1), 'SIP/2.0 200 OK');
    assert.equal(bench.app.last().tokens[3], 'OK');
  });

  it('gives the call up with 504 when no PRACK ever comes', () => {
    const { bench, flow } = early();
    bench.pass(32_100);
    assert.equal(flow.lines.at(-1), 'SIP/2.0 504 Server Time-out');
    assert.match(bench.app.last().text, /^CANCEL [^]*PRACK timeout/);
  });

  it('makes every provisional answer reliable when the caller requires it', () => {
    const { bench, flow, txn } = call({ Require: '100rel' });
    bench.say([txn, ''], ['SIP/2.0 180 Ringing']);
    assert.equal(flow.lastResponse().headers.first('require'), '100rel');
  });

  it('tells the application when the caller cannot do it', () => {
    const { bench, txn } = call();
    const echo = bench.say([txn, ''], ['SIP/2.0 180 Ringing', 'require: 100rel']);
    assert.deepEqual(echo.tokens.slice(3), ['NOK', 'Remote endpoint does not support 100rel']);
  });
});

describe('requests inside an inbound call', () => {
  it('are refused with 481 when the dialog is unknown, and an ACK is dropped', () => {
    const bench = new Bench();
    const flow = bench.flow('udp', CALLER);
    for (const method of ['BYE', 'INVITE', 'UPDATE', 'INFO']) {
      bench.receive(requestLines(method, { To: '<sip:demo@127.0.0.1>;tag=none' }), flow);
      assert.equal(flow.lastResponse().status, 481);
    }
    const before = flow.sent.length;
    bench.receive(requestLines('ACK', { To: '<sip:demo@127.0.0.1>;tag=none' }), flow);
    assert.equal(flow.sent.length, before);
  });

  it('are refused with 500 when their CSeq is old', () => {
    const { bench, flow, ack, inDialog } = answered();
    ack();
    bench.receive(inDialog('INFO', 5), flow);
    bench.receive(inDialog('INFO', 4), flow);
    assert.equal(flow.lastResponse().status, 500);
  });

  it('move the target when a re-INVITE is accepted', () => {
    const { bench, flow, ack, inDialog } = answered();
    ack();
    bench.receive(
      inDialog('INVITE', 2, {
        Contact: '<sip:ann@192.0.2.1:5090>',
        'Content-Type': 'application/sdp',
      }),
      flow,
      SDP,
    );
    const txn = bench.app.last().tokens[8] ?? '';
    bench.say([txn, ''], ['SIP/2.0 200 OK'], SDP);
    bench.receive(inDialog('ACK', 2), flow);
    bench.say(['', DIALOG], ['INFO sip:placeholder SIP/2.0']);
    assert.equal(flow.lastRequest().uri, 'sip:ann@192.0.2.1:5090');
  });

  it('meet 491 while our own re-INVITE is out, and 500 while theirs is unanswered', () => {
    const { bench, flow, ack, inDialog } = answered();
    ack();
    bench.receive(inDialog('INVITE', 2), flow);
    bench.receive(inDialog('INVITE', 3), flow);
    assert.equal(flow.lastResponse().status, 500);
    const txn = bench.app.told.at(-1)?.tokens[8] ?? '';
    bench.say([txn, ''], ['SIP/2.0 488 Not Acceptable Here']);
    bench.say(['', DIALOG], ['INVITE sip:placeholder SIP/2.0'], SDP);
    bench.receive(inDialog('INVITE', 4), flow);
    assert.equal(flow.lines.at(-1), 'SIP/2.0 491 Request Pending');
  });

  it('that we send follow loose routes, and strict ones as RFC 3261 has it', () => {
    for (const [route, uri, headers] of [
      [
        '<sip:192.0.2.50;lr>, <sip:192.0.2.51;lr>',
        'sip:ann@192.0.2.1:5060',
        ['<sip:192.0.2.50;lr>', '<sip:192.0.2.51;lr>'],
      ],
      [
        '<sip:192.0.2.50>, <sip:192.0.2.51;lr>',
        'sip:192.0.2.50',
        ['<sip:192.0.2.51;lr>', '<sip:ann@192.0.2.1:5060>'],
      ],
    ] as const) {
      const { bench, ack } = answered({ 'Record-Route': route });
      ack();
      bench.say(['', DIALOG], ['INFO sip:placeholder SIP/2.0']);
      const sent = bench.flow('udp', { address: '192.0.2.50', port: 5060 }).lastRequest();
      assert.equal(sent.uri, uri);
      assert.deepEqual(sent.headers.lines('route'), headers);
    }
  });

  it('that we send go to the source when the Contact lies behind a NAT', () => {
    const { bench, flow, ack } = answered({ Contact: '<sip:ann@10.1.2.3:5070>' });
    ack();
    bench.say(['', DIALOG], ['BYE sip:placeholder SIP/2.0']);
    assert.equal(flow.lastRequest().uri, 'sip:ann@10.1.2.3:5070');
  });
});

describe('a new request', () => {
  const refusedWith = (
    over: { readonly [name: string]: string | undefined },
    method = 'INVITE',
    bench = new Bench(),
  ): number => {
    const flow = bench.flow('udp', CALLER);
    bench.receive(requestLines(method, over), flow);
    return flow.lastResponse().status;
  };

  it('with no hops left gets 483, unless it is OPTIONS', () => {
    assert.equal(refusedWith({ 'Max-Forwards': '0' }), 483);
    assert.equal(refusedWith({ 'Max-Forwards': '0' }, 'OPTIONS'), 200);
  });

  it('that arrives by two ways gets 482 the second time', () => {
    const { bench, flow } = call();
    bench.receive(
      requestLines('INVITE', { Via: 'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother' }),
      flow,
    );
    assert.equal(flow.lastResponse().status, 482);
  });

  it('without Contact gets 400, with too short a session 422', () => {
    assert.equal(refusedWith({ Contact: undefined }), 400);
    assert.equal(refusedWith({ Supported: 'timer', 'Session-Expires': '30' }), 422);
  });

  it('gets 503 when the tables are full, the loop is late, or no application is there', () => {
    assert.equal(refusedWith({}, 'INVITE', new Bench({ transactionsMax: 0 })), 503);
    const late = new Bench();
    late.core.isOverloaded = () => true;
    assert.equal(refusedWith({}, 'INVITE', late), 503);
    const alone = new Bench();
    alone.core.appGone(alone.app);
    assert.equal(refusedWith({}, 'INVITE', alone), 503);
  });

  it('that the application never answers ends with 480, and the application learns it', () => {
    const { bench, flow } = call();
    bench.pass(300_100);
    assert.equal(
      flow.lines.findLast((line) => line.startsWith('SIP/')),
      'SIP/2.0 480 Temporarily Unavailable',
    );
    assert.match(bench.app.last().text, /^CANCEL /);
  });
});

describe('when the application is gone', () => {
  it('callers that wait get 503 and calls that are up get BYE', () => {
    const waiting = call();
    waiting.bench.core.appGone(waiting.bench.app);
    assert.equal(waiting.flow.lastResponse().status, 503);
    const up = answered();
    up.ack();
    up.bench.core.appGone(up.bench.app);
    assert.equal(up.flow.lastRequest().method, 'BYE');
    assert.equal(up.bench.core.context.dialogs.size, 0);
  });
});

describe('a session timer', () => {
  it('that is ours refreshes at half time and keeps going', () => {
    const { bench, flow, ack } = answered({
      'Session-Expires': '180;refresher=uas',
      Supported: 'timer',
      Allow: 'INVITE, UPDATE',
    });
    assert.equal(flow.lastResponse().headers.first('session-expires'), '180;refresher=uas');
    ack();
    bench.pass(90_100);
    const update = flow.lastRequest();
    assert.equal(update.method, 'UPDATE');
    bench.receive(
      [
        'SIP/2.0 200 OK',
        ...update.headers.lines('via').map((via) => `Via: ${via}`),
        `From: ${update.headers.first('from')}`,
        `To: ${update.headers.first('to')}`,
        `Call-ID: ${update.callId}`,
        `CSeq: ${update.headers.first('cseq')}`,
      ],
      flow,
    );
    bench.pass(90_100);
    assert.equal(
      flow.messages.filter((message) => message.type === 'request' && message.method === 'UPDATE')
        .length,
      2,
    );
    assert.equal(bench.core.context.dialogs.size, 1);
  });

  it('that is theirs ends the call when nobody refreshes', () => {
    const { bench, flow, ack } = answered({
      'Session-Expires': '180;refresher=uac',
      Supported: 'timer',
    });
    assert.equal(flow.lastResponse().headers.first('require'), 'timer');
    ack();
    bench.pass(140_000);
    assert.equal(bench.core.context.dialogs.size, 1);
    bench.pass(9000);
    assert.equal(flow.lastRequest().method, 'BYE');
    assert.equal(bench.app.last().tokens[8], 'unsolicited');
  });
});
