import assert from 'node:assert/strict';
import { ReceptionStatistics } from '../../../../src/media/rtp/reception-statistics.ts';
import { parseRtcpCompound } from '../../../../src/media/rtp/rtcp-packet.ts';
import { RtcpSession, rtcpIntervalMs } from '../../../../src/media/rtp/rtcp-session.ts';

const UNIX_MS = 1_790_000_000_250;
const NOTHING_SENT = { packetsSent: 0, octetsSent: 0, rtpTimestamp: 0 };

describe('RTCP of a leg', () => {
  it('reports every 5 s on average, randomised by half, the first time sooner (RFC 3550 §6.3.1)', () => {
    const compensation = Math.E - 1.5;
    assert.equal(rtcpIntervalMs(false, 0), 2500 / compensation);
    assert.equal(rtcpIntervalMs(false, 1), 7500 / compensation);
    assert.equal(rtcpIntervalMs(true, 0.5), 2500 / compensation);
  });

  it('is due when its time has come and not before', () => {
    const session = new RtcpSession(1, 'c', () => 0.5);
    const first = rtcpIntervalMs(true, 0.5);
    assert.equal(session.isReportDue(1000), false);
    assert.equal(session.isReportDue(1000 + first - 1), false);
    assert.equal(session.isReportDue(1000 + first), true);
    session.makeReport(1000 + first, UNIX_MS, NOTHING_SENT, new ReceptionStatistics(8000));
    assert.equal(session.isReportDue(1000 + first + 1), false);
  });

  it('sends SR while it sends, RR when not, always with a CNAME, BYE at the end', () => {
    const session = new RtcpSession(9, 'name', () => 0.5);
    const statistics = new ReceptionStatistics(8000);
    const sent = { packetsSent: 10, octetsSent: 1600, rtpTimestamp: 5 };
    const types = (bytes: Buffer) => parseRtcpCompound(bytes)?.map(({ type }) => type);
    assert.deepEqual(types(session.makeReport(0, UNIX_MS, sent, statistics)), [
      'sender-report',
      'source-description',
    ]);
    assert.deepEqual(types(session.makeReport(0, UNIX_MS, sent, statistics, true)), [
      'receiver-report',
      'source-description',
      'goodbye',
    ]);
  });

  it('measures the round trip from the two reports (RFC 3550 §6.4.1)', () => {
    const ours = new RtcpSession(1, 'us', () => 0.5);
    const theirs = new RtcpSession(2, 'them', () => 0.5);
    const theyHeard = new ReceptionStatistics(8000);
    theyHeard.onPacket(1, 1, 0, 0);
    theyHeard.onPacket(1, 3, 320, 40);
    const sent = { packetsSent: 3, octetsSent: 480, rtpTimestamp: 0 };
    const report = ours.makeReport(0, UNIX_MS, sent, new ReceptionStatistics(8000));
    assert.ok(theirs.onCompound(report, 500, UNIX_MS + 30));
    // They wait 200 ms; the way back takes another 30.
    const reply = theirs.makeReport(700, UNIX_MS + 230, NOTHING_SENT, theyHeard);
    assert.ok(ours.onCompound(reply, 0, UNIX_MS + 260));
    assert.ok(Math.abs((ours.roundTripMs ?? 0) - 60) < 0.1, `${ours.roundTripMs}`);
    assert.ok(Math.abs((ours.remoteFractionLost ?? 0) - 1 / 3) < 0.01);
  });

  it('believes no report about somebody else and no impossible round trip', () => {
    const session = new RtcpSession(1, 'us', () => 0.5);
    const other = new ReceptionStatistics(8000);
    other.onPacket(55, 1, 0, 0);
    const stranger = new RtcpSession(2, 'them', () => 0.5);
    session.onCompound(stranger.makeReport(0, UNIX_MS, NOTHING_SENT, other), 0, UNIX_MS);
    assert.equal(session.remoteFractionLost, null);
    assert.equal(session.roundTripMs, null);
  });
});
