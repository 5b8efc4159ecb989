import assert from 'node:assert/strict';
import { parseMessage } from '../../../src/sip-engine/message/parse-message.ts';
import type { SipResponse } from '../../../src/sip-engine/message/message.ts';
import { InviteClientTransaction } from '../../../src/sip-engine/transaction/invite-client.ts';
import { InviteServerTransaction } from '../../../src/sip-engine/transaction/invite-server.ts';
import { NonInviteClientTransaction } from '../../../src/sip-engine/transaction/non-invite-client.ts';
import { NonInviteServerTransaction } from '../../../src/sip-engine/transaction/non-invite-server.ts';
import { RotatingBuckets } from '../../../src/sip-engine/transaction/rotating-buckets.ts';
import {
  DEFAULT_TIMERS,
  transactionTimeoutMs,
} from '../../../src/sip-engine/transaction/timers.ts';
import { TimerWheel } from '../../../src/sip-engine/transaction/timer-wheel.ts';
import { RecordingFlow } from './harness.ts';

const PACKET = Buffer.from('the request');
const ACK = Buffer.from('the ack');

function response(status: number): SipResponse {
  const text = `SIP/2.0 ${status} X\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n`;
  const message = parseMessage(Buffer.from(text));
  if (message.type !== 'response') throw new Error('not a response');
  return message;
}

/** When packets left, in milliseconds, while `ms` passed in steps of 10. */
function times(wheel: TimerWheel, flow: RecordingFlow, ms: number): number[] {
  const found: number[] = [];
  const startMs = wheel.nowMs;
  for (let now = startMs + 10; now <= startMs + ms; now += 10) {
    const before = flow.sent.length;
    wheel.advance(now);
    if (flow.sent.length > before) found.push(now);
  }
  return found;
}

function inviteClient(protocol: 'udp' | 'tcp' = 'udp') {
  const wheel = new TimerWheel(0);
  const flow = new RecordingFlow(protocol);
  const events: string[] = [];
  const transaction = new InviteClientTransaction({
    flow,
    packet: PACKET,
    wheel,
    timers: DEFAULT_TIMERS,
    timeoutMs: transactionTimeoutMs(DEFAULT_TIMERS),
    buildAck: () => ACK,
    onResponse: ({ status }) => events.push(String(status)),
    onTimeout: () => events.push('timeout'),
    onTerminated: () => events.push('terminated'),
  });
  transaction.start();
  return { wheel, flow, events, transaction };
}

describe('an INVITE client transaction', () => {
  it('resends at doubling intervals (A) until it gives up after 64 T1 (B)', () => {
    const { wheel, flow, events } = inviteClient();
    assert.deepEqual(times(wheel, flow, 40_000), [500, 1500, 3500, 7500, 15_500, 31_500]);
    assert.deepEqual(events, ['timeout', 'terminated']);
  });

  it('does not resend over a reliable transport but still times out', () => {
    const { wheel, flow, events } = inviteClient('tcp');
    assert.deepEqual(times(wheel, flow, 40_000), []);
    assert.deepEqual(events, ['timeout', 'terminated']);
  });

  it('stops resending once a provisional answer came, and then waits without limit', () => {
    const { wheel, flow, events, transaction } = inviteClient();
    transaction.receive(response(180), flow);
    assert.deepEqual(times(wheel, flow, 120_000), []);
    assert.equal(transaction.state, 'proceeding');
    assert.deepEqual(events, ['180']);
  });

  it('acknowledges a refusal and each repetition of it until timer D', () => {
    const { wheel, flow, events, transaction } = inviteClient();
    transaction.receive(response(486), flow);
    transaction.receive(response(486), flow);
    assert.deepEqual(flow.sent, [PACKET, ACK, ACK]);
    wheel.advance(31_900);
    assert.equal(transaction.state, 'completed');
    wheel.advance(32_100);
    assert.deepEqual(events, ['486', 'terminated']);
  });

  it('passes each 2xx on until timer M and leaves the ACK to the dialog', () => {
    const { wheel, flow, events, transaction } = inviteClient();
    transaction.receive(response(200), flow);
    transaction.receive(response(200), flow);
    transaction.receive(response(180), flow);
    assert.deepEqual(flow.sent, [PACKET]);
    wheel.advance(32_100);
    transaction.receive(response(200), flow);
    assert.deepEqual(events, ['200', '200', 'terminated']);
  });
});

function nonInviteClient() {
  const wheel = new TimerWheel(0);
  const flow = new RecordingFlow();
  const events: string[] = [];
  const transaction = new NonInviteClientTransaction({
    flow,
    packet: PACKET,
    wheel,
    timers: DEFAULT_TIMERS,
    onResponse: ({ status }) => events.push(String(status)),
    onTimeout: () => events.push('timeout'),
    onTerminated: () => events.push('terminated'),
  });
  transaction.start();
  return { wheel, flow, events, transaction };
}

describe('a non-INVITE client transaction', () => {
  it('resends at intervals that grow to T2 (E) until 64 T1 (F)', () => {
    const { wheel, flow, events } = nonInviteClient();
    const sent = times(wheel, flow, 40_000);
    assert.deepEqual(sent.slice(0, 6), [500, 1500, 3500, 7500, 11_500, 15_500]);
    assert.equal(sent.at(-1), 31_500);
    assert.deepEqual(events, ['timeout', 'terminated']);
  });

  it('resends every T2 after a provisional answer, and still gives up', () => {
    const { wheel, flow, events, transaction } = nonInviteClient();
    transaction.receive(response(100), flow);
    assert.deepEqual(times(wheel, flow, 9000), [500, 4500, 8500]);
    wheel.advance(32_100);
    assert.deepEqual(events, ['100', 'timeout', 'terminated']);
  });

  it('swallows repeated answers until timer K', () => {
    const { wheel, flow, events, transaction } = nonInviteClient();
    transaction.receive(response(200), flow);
    transaction.receive(response(200), flow);
    wheel.advance(4900);
    assert.equal(transaction.state, 'completed');
    wheel.advance(5100);
    assert.deepEqual(events, ['200', 'terminated']);
  });
});

function inviteServer(protocol: 'udp' | 'tcp' = 'udp') {
  const wheel = new TimerWheel(0);
  const flow = new RecordingFlow(protocol);
  const events: string[] = [];
  const transaction = new InviteServerTransaction({
    flow,
    wheel,
    timers: DEFAULT_TIMERS,
    onAckMissing: () => events.push('no ack'),
    onTerminated: () => events.push('terminated'),
  });
  return { wheel, flow, events, transaction };
}

describe('an INVITE server transaction', () => {
  it('repeats its last provisional answer to a repeated INVITE', () => {
    const { flow, transaction } = inviteServer();
    transaction.receiveRetransmission(flow);
    transaction.respond(180, PACKET);
    transaction.receiveRetransmission(flow);
    assert.deepEqual(flow.sent, [PACKET, PACKET]);
  });

  it('resends a refusal with growing intervals (G) until 64 T1 without ACK (H)', () => {
    const { wheel, flow, events, transaction } = inviteServer();
    transaction.respond(486, PACKET);
    const sent = times(wheel, flow, 40_000);
    assert.deepEqual(sent.slice(0, 5), [500, 1500, 3500, 7500, 11_500]);
    assert.deepEqual(events, ['no ack', 'terminated']);
  });

  it('is silent after the ACK and ends with timer I', () => {
    const { wheel, flow, events, transaction } = inviteServer();
    transaction.respond(486, PACKET);
    transaction.receiveAck();
    assert.deepEqual(times(wheel, flow, 4900), []);
    transaction.receiveRetransmission(flow);
    assert.equal(flow.sent.length, 1);
    assert.equal(transaction.state, 'confirmed');
    wheel.advance(5100);
    assert.deepEqual(events, ['terminated']);
  });

  it('ends at the ACK over a reliable transport, and never resends there', () => {
    const { wheel, flow, events, transaction } = inviteServer('tcp');
    transaction.respond(486, PACKET);
    assert.deepEqual(times(wheel, flow, 5000), []);
    transaction.receiveAck();
    assert.deepEqual(events, ['terminated']);
  });

  it('absorbs repeated INVITEs after a 2xx until timer L, and sends nothing more', () => {
    const { wheel, flow, events, transaction } = inviteServer();
    transaction.respond(200, PACKET);
    transaction.receiveRetransmission(flow);
    transaction.respond(486, ACK);
    assert.deepEqual(flow.sent, [PACKET]);
    wheel.advance(31_900);
    assert.equal(transaction.state, 'accepted');
    wheel.advance(32_100);
    assert.deepEqual(events, ['terminated']);
  });
});

describe('a non-INVITE server transaction', () => {
  it('is silent while trying, then repeats its last answer', () => {
    const flow = new RecordingFlow();
    const completed: Buffer[] = [];
    const transaction = new NonInviteServerTransaction({
      flow,
      onCompleted: (packet) => completed.push(packet),
    });
    transaction.receiveRetransmission(flow);
    assert.deepEqual(flow.sent, []);
    transaction.respond(100, PACKET);
    transaction.receiveRetransmission(flow);
    transaction.respond(200, ACK);
    transaction.respond(500, PACKET);
    assert.deepEqual(flow.sent, [PACKET, PACKET, ACK]);
    assert.deepEqual(completed, [ACK]);
  });
});

describe('the timer wheel', () => {
  it('fires in order, also when time jumps and a timer schedules another', () => {
    const wheel = new TimerWheel(0);
    const fired: number[] = [];
    wheel.schedule(30_000, () => fired.push(wheel.nowMs));
    wheel.schedule(100, () => {
      fired.push(wheel.nowMs);
      wheel.schedule(200, () => fired.push(wheel.nowMs));
    });
    wheel.advance(60_000);
    assert.deepEqual(fired, [100, 300, 30_000]);
    assert.equal(wheel.size, 0);
  });

  it('never fires a canceled timer', () => {
    const wheel = new TimerWheel(0);
    const timer = wheel.schedule(100, () => assert.fail('fired'));
    wheel.cancel(timer);
    wheel.cancel(timer);
    wheel.advance(1000);
    assert.equal(wheel.size, 0);
  });

  it('tells how long a shell may sleep', () => {
    const wheel = new TimerWheel(0);
    assert.equal(wheel.msToNext(), undefined);
    wheel.schedule(500, () => {});
    assert.equal(wheel.msToNext(), 500);
    // Of a later turn, and canceled: neither wakes anybody.
    wheel.schedule(10_240 + 100, () => {});
    wheel.cancel(wheel.schedule(200, () => {}));
    assert.equal(wheel.msToNext(), 500);
    wheel.advance(500);
    assert.equal(wheel.msToNext(), 9840);
  });
});

describe('rotating buckets', () => {
  it('keep an entry for its minimum age and forget it soon after', () => {
    const buckets = new RotatingBuckets<string>({ minAgeMs: 32_000, entriesMax: 10, nowMs: 0 });
    buckets.set('a', 'x', 7000);
    assert.equal(buckets.get('a', 39_000), 'x');
    assert.equal(buckets.get('a', 48_001), undefined);
    assert.equal(buckets.size, 0);
  });

  it('never hold more than their maximum', () => {
    const buckets = new RotatingBuckets<number>({ minAgeMs: 32_000, entriesMax: 10, nowMs: 0 });
    for (let i = 0; i < 100; i++) buckets.set(String(i), i, 0);
    assert.equal(buckets.size, 10);
  });
});
