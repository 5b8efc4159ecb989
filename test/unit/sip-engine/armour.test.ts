import assert from 'node:assert/strict';
import type { Offence } from '../../../src/sip-engine/guard/ban-list.ts';
import { AlarmBell } from '../../../src/sip-engine/guard/alarm-bell.ts';
import { networkOf } from '../../../src/sip-engine/guard/network-of.ts';
import { isScannerName } from '../../../src/sip-engine/guard/scanners.ts';
import {
  DEFAULT_GUARD_LIMITS,
  type GuardAlarm,
  type GuardLimits,
  SourceGuard,
} from '../../../src/sip-engine/guard/source-guard.ts';
import type { Flow, Protocol } from '../../../src/sip-engine/transport/transport.ts';
import { Bench, RecordingFlow, requestLines, SDP } from './harness.ts';

const TRUNK = '192.0.2.9';
const STRANGER = '198.51.100.1';

function rig(over: Partial<GuardLimits> = {}) {
  const alarms: GuardAlarm[] = [];
  const guard = new SourceGuard({
    limits: { ...DEFAULT_GUARD_LIMITS, ...over },
    allow: () => true,
    trusts: (address) => address === TRUNK,
    onAlarm: (alarm) => alarms.push(alarm),
  });
  const flow = (address: string, protocol: Protocol = 'udp', port = 5060): Flow =>
    new RecordingFlow(protocol, { address, port });
  const offend = (from: Flow, offence: Offence, times: number, nowMs = 0) => {
    for (let count = 0; count < times; count += 1) guard.offend(from, offence, nowMs);
  };
  return { guard, alarms, flow, offend };
}

describe('the armour of the SIP engine', () => {
  it('ignores a source after its offences, for a while, and tells of it once', () => {
    for (const offence of ['malformed', 'credentials', 'scanner', 'spoofed', 'flood'] as const) {
      const { guard, alarms, flow, offend } = rig({ banMs: 1000 });
      const max = DEFAULT_GUARD_LIMITS.offencesMax[offence];
      offend(flow(STRANGER), offence, max - 1);
      assert.equal(guard.admit(STRANGER, 0), true, offence);
      offend(flow(STRANGER), offence, 1);
      assert.equal(guard.admit(STRANGER, 999), false, offence);
      offend(flow(STRANGER), offence, 5 * max, 999);
      assert.deepEqual(alarms, [{ type: 'banned', source: STRANGER, why: offence, silenced: 0 }]);
      assert.equal(guard.admit(STRANGER, 1000), true, offence);
      assert.equal(guard.droppedBanned, 1);
    }
  });

  it('forgets offences after a minute', () => {
    const { guard, flow, offend } = rig();
    for (let minute = 0; minute < 10; minute += 1) {
      offend(flow(STRANGER), 'credentials', 19, minute * 60_000);
    }
    assert.equal(guard.admit(STRANGER, 600_000), true);
  });

  it('never ignores trunks and loopback: packets with their address are easily forged', () => {
    const { guard, alarms, flow, offend } = rig();
    for (const address of [TRUNK, '127.0.0.1', '::1']) {
      for (const offence of ['malformed', 'scanner', 'spoofed'] as const) {
        offend(flow(address), offence, 10_000);
      }
      assert.equal(guard.admit(address, 0), true, address);
    }
    assert.deepEqual(alarms, []);
  });

  it('limits a trunk that floods, and tells of it once a minute', () => {
    const { guard, alarms } = rig({ packetsPerSecond: 10, packetsBurst: 10 });
    const admitted = (nowMs: number) =>
      Array.from({ length: 5000 }, () => guard.admit(TRUNK, nowMs)).filter(Boolean).length;
    assert.equal(admitted(0), 10);
    assert.equal(admitted(1000), 10);
    assert.equal(alarms.length, 1);
    admitted(60_000);
    assert.deepEqual(
      alarms.map(({ type }) => type),
      ['limited', 'limited'],
    );
  });

  it('ignores a stranger that goes on flooding', () => {
    const { guard, alarms } = rig({ packetsPerSecond: 10, packetsBurst: 10 });
    for (let packet = 0; packet < 1010; packet += 1) guard.admit(STRANGER, 0);
    assert.equal(guard.admit(STRANGER, 5000), false);
    assert.deepEqual(
      alarms.map(({ type, why }) => `${type} ${why}`),
      ['banned flood'],
    );
  });

  it('bans one WebSocket behind a proxy, not the proxy', () => {
    const { guard, flow, offend } = rig();
    const [bad, good] = [flow('127.0.0.1', 'ws', 1001), flow('127.0.0.1', 'ws', 1002)];
    offend(bad, 'credentials', 20);
    assert.equal(guard.admitMessage(bad, 1), false);
    assert.equal(guard.admitMessage(good, 1), true);
    assert.equal(guard.admitWebSocket('127.0.0.1', 1), true);
    assert.equal(guard.admit('127.0.0.1', 1), true);
    offend(flow(STRANGER, 'wss', 1003), 'credentials', 20);
    assert.equal(guard.admitWebSocket(STRANGER, 1), false);
  });

  it('lets loopback make any number of calls, and others so many per second', () => {
    const { guard, flow } = rig({ newCallsPerSecond: 5 });
    const calls = (from: Flow, nowMs: number) =>
      Array.from({ length: 100 }, () => guard.admitCall(from, nowMs)).filter(Boolean).length;
    assert.equal(calls(flow('127.0.0.1'), 0), 100);
    assert.equal(calls(flow('127.0.0.1', 'ws'), 0), 10);
    assert.equal(calls(flow(STRANGER), 0), 10);
    assert.equal(calls(flow(STRANGER), 1000), 5);
    assert.equal(calls(flow(TRUNK), 0), 10);
  });

  it('keeps bounded tables under a flood from a hundred thousand forged addresses', () => {
    const { guard, flow, offend, alarms } = rig({ sourcesMax: 100, newCallsPerSecond: 1 });
    for (let source = 0; source < 100_000; source += 1) {
      const address = `10.${source >> 16}.${(source >> 8) & 255}.${source & 255}`;
      guard.admit(address, source / 10);
      guard.admitCall(flow(address), source / 10);
      offend(flow(address), source % 2 === 0 ? 'scanner' : 'malformed', 1, source / 10);
    }
    assert.ok(guard.tableSize <= 402, String(guard.tableSize));
    assert.equal(guard.bans, 50_000);
    // Ten seconds of it: two spans of ten lines each, and one that says how many were left out.
    assert.ok(alarms.length <= 20, String(alarms.length));
  });

  it('counts a network of IPv6 as one, and IPv4 by address', () => {
    assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), networkOf('2001:db8:1:2::9'));
    assert.notEqual(networkOf('2001:db8:1:2::9'), networkOf('2001:db8:1:3::9'));
    assert.equal(networkOf('::ffff:192.0.2.7'), '192.0.2.7');
    assert.notEqual(networkOf('192.0.2.7'), networkOf('192.0.2.8'));
  });

  it('knows programs that try doors by their names, and telephones by theirs', () => {
    const scanners = [
      'friendly-scanner',
      'sipvicious',
      'sipcli/v1.8',
      'VaxSIPUserAgent/3.1',
      'pplsip',
      'Friendly-Request',
      'sip-scan 0.1',
    ];
    for (const name of scanners) assert.ok(isScannerName(name), name);
    const phones = [
      'Linphone/5.2.4 (belle-sip/5.3)',
      'baresip v3.4.0',
      'Asterisk PBX 20.5.0',
      'FreeSWITCH-mod_sofia/1.10',
      'Cisco-SIPGateway/IOS-16',
      'SIP.js/0.21.2',
      'JsSIP 3.10',
      'Twilio Gateway',
      'Zoiper rv2.10',
      'Yealink SIP-T46S 66.86',
      'sipp',
    ];
    for (const name of phones) assert.ok(!isScannerName(name), name);
  });

  it('rings ten times in ten seconds, and then says how often it did not', () => {
    const bell = new AlarmBell();
    const rung = Array.from({ length: 15 }, () => bell.ring(0));
    assert.deepEqual(rung, [...Array(10).fill(0), ...Array(5).fill(null)]);
    assert.equal(bell.ring(10_000), 5);
  });
});

describe('an attack on the SIP engine', () => {
  const attack = () => {
    const offences: string[] = [];
    const bench = new Bench({}, ['invite', 'register'], {
      isTrusted: (address) => address === '192.0.2.1',
      mayCall: ({ remote }) => remote.address !== '203.0.113.5',
      offend: ({ remote }, offence) => offences.push(`${offence} ${remote.address}`),
    });
    const flow = bench.flow('udp', { address: '192.0.2.1', port: 5060 });
    const stranger = bench.flow('udp', { address: STRANGER, port: 5060 });
    return { bench, flow, stranger, offences };
  };
  const ringing = () => {
    const rigged = attack();
    const { bench, flow } = rigged;
    bench.receive(requestLines('INVITE', { 'Content-Type': 'application/sdp' }), flow, SDP);
    const txn = bench.app.told.at(-1)?.tokens[8] ?? '';
    return { ...rigged, txn };
  };
  const talking = () => {
    const rigged = ringing();
    const { bench, flow, txn } = rigged;
    bench.say([txn, ''], ['SIP/2.0 200 OK', 'cseq: 1 INVITE'], SDP);
    const to = flow.lastResponse().headers.first('to') ?? '';
    bench.receive(requestLines('ACK', { To: to, CSeq: '1 ACK' }), flow);
    bench.app.frames.length = 0;
    return { ...rigged, to };
  };

  it('by a scanner gets no answer', () => {
    const { bench, stranger, offences } = attack();
    for (const method of ['OPTIONS', 'REGISTER', 'INVITE']) {
      bench.receive(requestLines(method, { 'User-Agent': 'friendly-scanner' }), stranger);
    }
    assert.deepEqual(stranger.sent, []);
    assert.deepEqual(bench.app.told, []);
    assert.deepEqual(offences, Array(3).fill(`scanner ${STRANGER}`));
    assert.equal(bench.core.context.counters.scanners, 3);
  });

  it('by a forged CANCEL does not cancel', () => {
    const { bench, flow, stranger, offences } = ringing();
    const before = bench.app.told.length;
    // Everything is known of the INVITE but its source.
    const via = 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-INVITE-1';
    bench.receive(requestLines('CANCEL', { Via: via, Contact: undefined }), stranger);
    assert.equal(stranger.lastResponse().status, 481);
    assert.equal(bench.app.told.length, before);
    assert.deepEqual(offences, [`spoofed ${STRANGER}`]);
    bench.receive(requestLines('CANCEL', { Via: via, Contact: undefined }), flow);
    assert.ok(flow.lines.includes('SIP/2.0 487 Request Terminated'));
  });

  it('by a BYE, re-INVITE or INFO with wrong tags, or from elsewhere, touches no call', () => {
    const { bench, flow, stranger, to, offences } = talking();
    const forged = [
      { To: '<sip:demo@127.0.0.1>;tag=guessed' },
      { From: '<sip:ann@192.0.2.1>;tag=guessed', To: to },
    ];
    for (const [index, over] of forged.entries()) {
      for (const method of ['BYE', 'INVITE', 'INFO']) {
        const Via = `SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-${method}-f${index}`;
        bench.receive(requestLines(method, { ...over, Via, CSeq: `9 ${method}` }), flow);
        assert.equal(flow.lastResponse().status, 481, method);
      }
    }
    for (const method of ['BYE', 'INVITE', 'INFO', 'UPDATE']) {
      const Via = `SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-${method}-elsewhere`;
      bench.receive(requestLines(method, { To: to, Via, CSeq: `9 ${method}` }), stranger);
      assert.equal(stranger.lastResponse().status, 481, method);
    }
    assert.deepEqual(bench.app.told, []);
    assert.equal(offences.filter((offence) => offence === `spoofed ${STRANGER}`).length, 4);
    assert.equal(bench.core.context.counters.spoofed, offences.length);
    // The real one still works, with the CSeq that the forged ones did not use up.
    const Via = 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-BYE-real';
    bench.receive(requestLines('BYE', { To: to, Via, CSeq: '2 BYE' }), flow);
    assert.equal(bench.app.told.length, 1);
  });

  it('by messages that cannot be read, or are too large, is counted', () => {
    const { bench, stranger, offences } = attack();
    bench.core.receive(Buffer.from('rubbish that is no SIP at all\r\n\r\n'), stranger);
    bench.core.receive(
      Buffer.from(`OPTIONS sip:a@b SIP/2.0\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`),
      stranger,
    );
    assert.deepEqual(offences, Array(2).fill(`malformed ${STRANGER}`));
    const { malformed, oversized } = bench.core.context.counters;
    assert.deepEqual([malformed, oversized], [2, 1]);
  });

  it('by guessing passwords is counted, but an old nonce or a refusal by policy is not', () => {
    const { bench, stranger, offences } = attack();
    const register = (cseq: number, refusal: readonly string[], authorization?: string) => {
      const Via = `SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-R-${cseq}`;
      const over = { Via, CSeq: `${cseq} REGISTER`, 'Call-ID': `r${cseq}` };
      bench.receive(requestLines('REGISTER', { ...over, Authorization: authorization }), stranger);
      bench.say([bench.app.told.at(-1)?.tokens[8] ?? '', ''], refusal);
    };
    register(1, ['SIP/2.0 401 Unauthorized', 'WWW-Authenticate: Digest realm="a"']);
    register(2, ['SIP/2.0 401 No', 'WWW-Authenticate: Digest realm="a", stale=true'], 'Digest x');
    register(5, ['SIP/2.0 403 Forbidden', 'Trunkline-Refusal: policy'], 'Digest x');
    assert.equal(stranger.lastResponse().status, 403);
    assert.equal(stranger.lastResponse().headers.first('trunkline-refusal'), undefined);
    assert.deepEqual(offences, []);
    register(3, ['SIP/2.0 403 Forbidden'], 'Digest x');
    register(4, ['SIP/2.0 401 No', 'WWW-Authenticate: Digest realm="a"'], 'Digest x');
    assert.deepEqual(offences, Array(2).fill(`credentials ${STRANGER}`));
    assert.equal(bench.core.context.counters.credentialFailures, 2);
  });

  it('by a flood of INVITEs is answered 503 without a trace in the tables', () => {
    const { bench, offences } = attack();
    const flooder = bench.flow('udp', { address: '203.0.113.5', port: 5060 });
    bench.receive(requestLines('INVITE', { 'Content-Type': 'application/sdp' }), flooder, SDP);
    assert.equal(flooder.lastResponse().status, 503);
    assert.equal(bench.core.context.servers.size, 0);
    assert.deepEqual(offences, ['flood 203.0.113.5']);
    assert.equal(bench.core.context.counters.rejectedCallRate, 1);
  });
});
