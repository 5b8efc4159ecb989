import type { ReceptionStatistics } from './reception-statistics.ts';
import { parseRtcpCompound, type RtcpPacket, serializeRtcpCompound } from './rtcp-packet.ts';

/** RFC 3550 §6.2: with two participants the minimum interval always rules. */
const INTERVAL_MIN_MS = 5000;
/** e - 3/2, which makes up for timer reconsideration (RFC 3550 §6.3.1). */
const COMPENSATION = Math.E - 1.5;
/** Seconds between 1900 (NTP) and 1970 (Unix). */
const NTP_OFFSET_SECONDS = 2_208_988_800;

/** Randomised time until the next report (RFC 3550 §6.3.1). `random` is 0..1. */
export function rtcpIntervalMs(isFirst: boolean, random: number): number {
  const minimum = isFirst ? INTERVAL_MIN_MS / 2 : INTERVAL_MIN_MS;
  return (minimum * (0.5 + random)) / COMPENSATION;
}

/** What we have sent, for the sender report. */
export interface SentCounters {
  readonly packetsSent: number;
  readonly octetsSent: number;
  /** RTP timestamp that belongs to now. */
  readonly rtpTimestamp: number;
}

/** RTCP of one leg: reports out on schedule, round trip and remote loss in. Owns no clock. */
export class RtcpSession {
  readonly #ssrc: number;
  readonly #cname: string;
  readonly #random: () => number;
  #nextReportAtMs = -1;
  #sentAtLastReport = 0;
  #lastSenderReport = 0;
  #lastSenderReportAtMs = 0;

  roundTripMs: number | null = null;
  /** 0..1, from the last report about us. */
  remoteFractionLost: number | null = null;

  constructor(ssrc: number, cname: string, random: () => number = Math.random) {
    this.#ssrc = ssrc;
    this.#cname = cname;
    this.#random = random;
  }

  /** True when a report must go out now; the first call starts the schedule. */
  isReportDue(nowMs: number): boolean {
    if (this.#nextReportAtMs === -1) {
      this.#nextReportAtMs = nowMs + rtcpIntervalMs(true, this.#random());
      return false;
    }
    return nowMs >= this.#nextReportAtMs;
  }

  /** SR when something was sent since the last report, else RR; with CNAME, and BYE at the end. */
  makeReport(
    nowMs: number,
    unixMs: number,
    sent: SentCounters,
    reception: ReceptionStatistics,
    isLast = false,
  ): Buffer {
    this.#nextReportAtMs = nowMs + rtcpIntervalMs(false, this.#random());
    const reports = reception.ssrc === -1 ? [] : [this.#report(nowMs, reception)];
    const packets: RtcpPacket[] = [];
    if (sent.packetsSent > this.#sentAtLastReport) {
      packets.push({
        type: 'sender-report',
        ssrc: this.#ssrc,
        ntpSeconds: (Math.floor(unixMs / 1000) + NTP_OFFSET_SECONDS) >>> 0,
        ntpFraction: Math.floor(((unixMs % 1000) / 1000) * 0x100000000) >>> 0,
        rtpTimestamp: sent.rtpTimestamp,
        packetCount: sent.packetsSent,
        octetCount: sent.octetsSent,
        reports,
      });
    } else {
      packets.push({ type: 'receiver-report', ssrc: this.#ssrc, reports });
    }
    this.#sentAtLastReport = sent.packetsSent;
    packets.push({ type: 'source-description', ssrc: this.#ssrc, cname: this.#cname });
    if (isLast) packets.push({ type: 'goodbye', ssrcs: [this.#ssrc] });
    return serializeRtcpCompound(packets);
  }

  /** Takes a compound from the remote side. False: malformed. */
  onCompound(compound: Uint8Array, nowMs: number, unixMs: number): boolean {
    const packets = parseRtcpCompound(compound);
    if (packets === null) return false;
    for (const packet of packets) {
      if (packet.type === 'sender-report') {
        this.#lastSenderReport = ((packet.ntpSeconds << 16) | (packet.ntpFraction >>> 16)) >>> 0;
        this.#lastSenderReportAtMs = nowMs;
      }
      if (packet.type !== 'sender-report' && packet.type !== 'receiver-report') continue;
      for (const report of packet.reports) {
        if (report.ssrc !== this.#ssrc) continue;
        this.remoteFractionLost = report.fractionLost / 256;
        this.#measureRoundTrip(report.lastSenderReport, report.delaySinceLastSenderReport, unixMs);
      }
    }
    return true;
  }

  #report(nowMs: number, reception: ReceptionStatistics) {
    const delay =
      this.#lastSenderReport === 0
        ? 0
        : Math.round(((nowMs - this.#lastSenderReportAtMs) * 65536) / 1000);
    return reception.takeReport(this.#lastSenderReport, delay);
  }

  /** RFC 3550 §6.4.1: now - LSR - DLSR, in 1/65536 s. */
  #measureRoundTrip(lastSenderReport: number, delay: number, unixMs: number): void {
    if (lastSenderReport === 0) return;
    const seconds = (Math.floor(unixMs / 1000) + NTP_OFFSET_SECONDS) & 0xffff;
    const now = seconds * 65536 + Math.floor(((unixMs % 1000) / 1000) * 65536);
    const elapsed = (now - lastSenderReport - delay) | 0;
    // Beyond a minute it is a forged or broken report; a little below zero is rounding.
    if (elapsed > 60 * 65536 || elapsed < -65536) return;
    this.roundTripMs = (Math.max(0, elapsed) * 1000) / 65536;
  }
}
