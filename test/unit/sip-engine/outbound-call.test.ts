import assert from 'node:assert/strict';
import type { SipRequest } from '../../../src/sip-engine/message/message.ts';
import { answerLines, Bench, requestLines, type RecordingFlow, SDP } from './harness.ts';

const CALLEE = { address: '192.0.2.7', port: 5060 };
const CONTACT = 'Contact: <sip:bob@192.0.2.7:5060>';

function dial(lines: readonly string[] = [], bench = new Bench()) {
  const flow = bench.flow('udp', CALLEE);
  const echo = bench.say(['', ''], ['INVITE sip:bob@192.0.2.7 SIP/2.0', ...lines], SDP);
  const invite = flow.lastRequest();
  const txn = echo.tokens[10] ?? '';
  const dialogId = `${invite.callId};from-tag=${invite.from.params.get('tag')}`;
  const answer = (status: number, toTag = 'bob', headers: readonly string[] = [CONTACT]): void =>
    bench.receive(answerLines(invite, status, { toTag, headers }), flow);
  const ack = () => bench.say(['', dialogId], ['ACK sip:bob@192.0.2.7 SIP/2.0']);
  return { bench, flow, echo, invite, txn, dialogId, answer, ack };
}

function methods(flow: RecordingFlow): string[] {
  return flow.messages.flatMap((message) => (message.type === 'request' ? [message.method] : []));
}

describe('an outbound call', () => {
  it('is completed and echoed before any answer is told', () => {
    const { echo, invite, bench, txn, dialogId, answer } = dial(['from: sip:4711@localhost']);
    assert.deepEqual(echo.tokens.slice(3, 5), ['OK', 'application']);
    assert.equal(echo.tokens[11], 'Msg sent:');
    assert.match(invite.headers.first('from') ?? '', /^<sip:4711@127.0.0.1:5060>;tag=\w+$/);
    assert.equal(invite.headers.first('contact'), '<sip:127.0.0.1:5060>');
    assert.equal(invite.headers.first('content-type'), 'application/sdp');
    answer(100);
    answer(180);
    assert.equal(bench.app.told.length, 1);
    assert.deepEqual([bench.app.last().tokens[8], bench.app.last().tokens[9]], [txn, dialogId]);
  });

  it('is acknowledged by the application, and repeated 2xx by the engine', () => {
    const { bench, flow, answer, ack } = dial();
    answer(200);
    assert.deepEqual(methods(flow), ['INVITE']);
    ack();
    answer(200);
    assert.deepEqual(methods(flow), ['INVITE', 'ACK', 'ACK']);
    assert.deepEqual(flow.sent[1], flow.sent[2]);
    assert.equal(bench.app.told.length, 1);
  });

  it('is ended by the engine when the application never acknowledges', () => {
    const { bench, flow, answer } = dial();
    answer(200);
    bench.pass(32_100);
    assert.deepEqual(methods(flow), ['INVITE', 'ACK', 'BYE']);
    assert.equal(bench.app.last().tokens[8], 'unsolicited');
  });

  it('takes the first of several 2xx and ends the others', () => {
    const { bench, flow, answer, ack } = dial();
    answer(180, 'bob');
    answer(180, 'carol');
    answer(200, 'carol');
    ack();
    answer(200, 'bob');
    answer(200, 'bob');
    assert.deepEqual(methods(flow), ['INVITE', 'ACK', 'ACK', 'BYE', 'ACK']);
    const bye = flow.messages[3];
    assert.equal(bye?.to.params.get('tag'), 'bob');
    assert.equal(bench.core.context.dialogs.size, 1);
    assert.equal(bench.app.told.length, 3);
  });

  it('acknowledges a refusal itself and says so when the application tries', () => {
    const { bench, flow, answer, ack } = dial();
    answer(486);
    assert.deepEqual(methods(flow), ['INVITE', 'ACK']);
    assert.match(ack().tokens[4] ?? '', /^Server error: ACK for non-success/);
    answer(486);
    assert.deepEqual(methods(flow), ['INVITE', 'ACK', 'ACK']);
    assert.equal(bench.app.told.length, 1);
  });

  it('reports 408 when nobody answers and 503 when the connection is lost', () => {
    const { bench } = dial();
    bench.pass(32_100);
    assert.deepEqual(bench.app.last().tokens.slice(2, 7), ['network', '0', '', '', '0']);
    assert.match(bench.app.last().text, /^SIP\/2.0 408 /);

    const other = new Bench();
    other.say(['', ''], ['INVITE sip:bob@192.0.2.7;transport=tcp SIP/2.0'], SDP);
    other.core.flowClosed(other.flow('tcp', CALLEE));
    assert.match(other.app.last().text, /^SIP\/2.0 503 /);
  });

  it('sends CANCEL only once a provisional answer came', () => {
    const { bench, flow, txn, invite, answer } = dial();
    bench.say([txn, ''], ['CANCEL sip:bob@192.0.2.7 SIP/2.0', 'reason: SIP;cause=200']);
    assert.deepEqual(methods(flow), ['INVITE']);
    answer(180);
    const cancel = flow.lastRequest();
    assert.equal(cancel.method, 'CANCEL');
    assert.equal(cancel.headers.first('via'), invite.headers.first('via'));
    assert.equal(cancel.cseq.sequence, invite.cseq.sequence);
    bench.receive(answerLines(cancel, 200), flow);
    answer(487);
    assert.match(bench.app.last().text, /^SIP\/2.0 487 /);
  });

  it('whose CANCEL lost against a 2xx is acknowledged and hung up at once', () => {
    const { bench, flow, txn, answer, ack } = dial();
    answer(180);
    bench.say([txn, ''], ['CANCEL sip:bob@192.0.2.7 SIP/2.0']);
    answer(200);
    ack();
    assert.deepEqual(methods(flow), ['INVITE', 'CANCEL', 'ACK', 'BYE']);
    assert.equal(bench.app.last().tokens[8], 'unsolicited');
  });

  it('is given up when a CANCEL stays without effect', () => {
    const { bench, txn, answer } = dial();
    answer(180);
    bench.say([txn, ''], ['CANCEL sip:bob@192.0.2.7 SIP/2.0']);
    bench.pass(32_100);
    assert.match(bench.app.last().text, /^SIP\/2.0 408 /);
    assert.equal(bench.core.context.outboundRequests.size, 0);
  });

  it('passes a reliable answer once and sends the PRACK to the branch it came from', () => {
    const { bench, flow, dialogId, answer } = dial(['supported: 100rel']);
    const reliable = [CONTACT, 'Require: 100rel', 'RSeq: 5'];
    answer(183, 'bob', reliable);
    answer(183, 'bob', reliable);
    answer(180, 'carol');
    assert.equal(bench.app.told.length, 2);
    bench.say(['', dialogId], ['PRACK sip:bob@192.0.2.7 SIP/2.0', 'rack: 5 1 INVITE']);
    const prack = flow.lastRequest();
    assert.equal(prack.method, 'PRACK');
    assert.equal(prack.to.params.get('tag'), 'bob');
    assert.equal(prack.headers.first('rack'), '5 1 INVITE');
  });

  it('routes by Record-Route in reverse order, and hangs up when told', () => {
    const { bench, answer, ack, dialogId } = dial();
    answer(200, 'bob', [
      CONTACT,
      'Record-Route: <sip:192.0.2.51;lr>',
      'Record-Route: <sip:192.0.2.50;lr>',
    ]);
    ack();
    const proxy = bench.flow('udp', { address: '192.0.2.50', port: 5060 });
    assert.deepEqual(methods(proxy), ['ACK']);
    bench.say(['', dialogId], ['BYE sip:placeholder SIP/2.0']);
    const bye: SipRequest = proxy.lastRequest();
    assert.deepEqual(bye.headers.lines('route'), ['<sip:192.0.2.50;lr>', '<sip:192.0.2.51;lr>']);
    bench.receive(answerLines(bye, 200), proxy);
    assert.equal(bench.core.context.dialogs.size, 0);
  });

  it('answers a BYE that crosses ours by itself, and keeps a challenged dialog', () => {
    const { bench, flow, answer, ack, dialogId, invite } = dial();
    answer(200);
    ack();
    bench.say(['', dialogId], ['BYE sip:placeholder SIP/2.0']);
    const bye = flow.lastRequest();
    const told = bench.app.told.length;
    bench.receive(
      requestLines('BYE', {
        From: '<sip:bob@192.0.2.7>;tag=bob',
        To: invite.headers.first('from'),
        'Call-ID': invite.callId,
      }),
      flow,
    );
    assert.equal(flow.lastResponse().status, 200);
    assert.equal(bench.app.told.length, told);
    bench.receive(answerLines(bye, 407), flow);
    assert.equal(bench.core.context.dialogs.size, 1);
    bench.say(['', dialogId], ['BYE sip:placeholder SIP/2.0', 'proxy-authorization: Digest x']);
    bench.receive(answerLines(flow.lastRequest(), 200), flow);
    assert.equal(bench.core.context.dialogs.size, 0);
  });

  it('is canceled when its application is gone, and hung up if answered meanwhile', () => {
    const { bench, flow, answer } = dial();
    answer(180);
    bench.core.appGone(bench.app);
    answer(200);
    assert.deepEqual(methods(flow), ['INVITE', 'CANCEL', 'ACK', 'BYE']);
  });

  it('is refused to ourselves, over a transport we lack, and in a broken form', () => {
    const bench = new Bench();
    const nok = (line: string): string =>
      bench.say(['', ''], [line], SDP).tokens.slice(3).join('|');
    assert.equal(nok('INVITE sip:x@127.0.0.1 SIP/2.0'), 'NOK|can not send request to myself');
    assert.equal(
      nok('INVITE sip:x@y;transport=smoke SIP/2.0'),
      'NOK|requested protocol/transport not available',
    );
    assert.match(nok('FOO sip:x@y SIP/2.0'), /^NOK\|invalid request-uri: FOO/);
    const body = bench.say(['', ''], ['MESSAGE sip:x@192.0.2.7 SIP/2.0'], 'plain');
    assert.equal(body.tokens[4], 'missing content-type');
    const dialog = bench.say(['', 'nothing'], ['BYE sip:placeholder SIP/2.0']);
    assert.match(dialog.tokens[4] ?? '', /unable to find dialog/);
  });
});
