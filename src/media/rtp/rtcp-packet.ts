import { assertNever } from '../../lib/assert-never.ts';

/** More packets than this in one compound are not looked at: nobody sends them. */
const COMPOUND_PACKETS_MAX = 16;
const RTCP_BYTES_MAX = 1500;
const CNAME_BYTES_MAX = 255;

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const SOURCE_DESCRIPTION = 202;
const GOODBYE = 203;
const RTCP_TYPE_LAST = 207;

const REPORT_BLOCK_BYTES = 24;
const SDES_CNAME = 1;

/** What one participant says about a source it receives (RFC 3550 §6.4.1). */
export interface ReceptionReport {
  readonly ssrc: number;
  /** Loss since the last report, 0..255 meaning 0..1. */
  readonly fractionLost: number;
  /** May be negative when packets were duplicated. */
  readonly cumulativeLost: number;
  readonly highestSequence: number;
  /** In clock-rate units. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP timestamp of the last sender report, 0: none came. */
  readonly lastSenderReport: number;
  /** In 1/65536 s. */
  readonly delaySinceLastSenderReport: number;
}

export interface SenderReport {
  readonly type: 'sender-report';
  readonly ssrc: number;
  readonly ntpSeconds: number;
  readonly ntpFraction: number;
  readonly rtpTimestamp: number;
  readonly packetCount: number;
  readonly octetCount: number;
  readonly reports: readonly ReceptionReport[];
}

export interface ReceiverReport {
  readonly type: 'receiver-report';
  readonly ssrc: number;
  readonly reports: readonly ReceptionReport[];
}

export interface SourceDescription {
  readonly type: 'source-description';
  readonly ssrc: number;
  readonly cname: string;
}

export interface Goodbye {
  readonly type: 'goodbye';
  readonly ssrcs: readonly number[];
}

export type RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye;

/**
 * Reads a compound packet (RFC 3550 §6.1, checked as in appendix A.2). Feedback, APP and XR
 * packets are skipped. Returns null when anything is malformed.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |V=2|P|    RC   |      PT       |      length in words - 1      |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                         SSRC of sender                        |
 *    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *    |     SR: NTP time (2 words), RTP timestamp, packets, octets    |
 *    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *    |  RC x: SSRC, fraction + cumulative lost, highest sequence,    |
 *    |        jitter, last SR, delay since last SR                   |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
export function parseRtcpCompound(compound: Uint8Array): RtcpPacket[] | null {
  if (compound.length < 8 || compound.length > RTCP_BYTES_MAX) return null;
  const view = new DataView(compound.buffer, compound.byteOffset, compound.byteLength);
  const packets: RtcpPacket[] = [];
  let at = 0;

  for (let count = 0; at < compound.length; count += 1) {
    if (count === COMPOUND_PACKETS_MAX || at + 4 > compound.length) return null;
    const first = view.getUint8(at);
    const type = view.getUint8(at + 1);
    const next = at + 4 + view.getUint16(at + 2) * 4;
    if (first >> 6 !== 2 || type < SENDER_REPORT || type > RTCP_TYPE_LAST) return null;
    if (next > compound.length) return null;

    let end = next;
    if ((first & 0x20) !== 0) {
      const padding = view.getUint8(next - 1);
      // Only the last packet may be padded, by whole words.
      if (next !== compound.length || padding === 0 || padding % 4 !== 0) return null;
      end -= padding;
      if (end < at + 4) return null;
    }
    if (!readPacket(view, at + 4, end, type, first & 0x1f, packets)) return null;
    at = next;
  }
  return packets;
}

function readPacket(
  view: DataView,
  at: number,
  end: number,
  type: number,
  count: number,
  out: RtcpPacket[],
): boolean {
  switch (type) {
    case SENDER_REPORT:
      return readSenderReport(view, at, end, count, out);
    case RECEIVER_REPORT:
      return readReceiverReport(view, at, end, count, out);
    case SOURCE_DESCRIPTION:
      return readSourceDescription(view, at, end, count, out);
    case GOODBYE:
      return readGoodbye(view, at, end, count, out);
    default:
      return true;
  }
}

function readSenderReport(
  view: DataView,
  at: number,
  end: number,
  count: number,
  out: RtcpPacket[],
): boolean {
  if (at + 24 + count * REPORT_BLOCK_BYTES > end) return false;
  out.push({
    type: 'sender-report',
    ssrc: view.getUint32(at),
    ntpSeconds: view.getUint32(at + 4),
    ntpFraction: view.getUint32(at + 8),
    rtpTimestamp: view.getUint32(at + 12),
    packetCount: view.getUint32(at + 16),
    octetCount: view.getUint32(at + 20),
    reports: readReports(view, at + 24, count),
  });
  return true;
}

function readReceiverReport(
  view: DataView,
  at: number,
  end: number,
  count: number,
  out: RtcpPacket[],
): boolean {
  if (at + 4 + count * REPORT_BLOCK_BYTES > end) return false;
  out.push({
    type: 'receiver-report',
    ssrc: view.getUint32(at),
    reports: readReports(view, at + 4, count),
  });
  return true;
}

function readReports(view: DataView, start: number, count: number): ReceptionReport[] {
  const reports: ReceptionReport[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = start + index * REPORT_BLOCK_BYTES;
    reports.push({
      ssrc: view.getUint32(at),
      fractionLost: view.getUint8(at + 4),
      cumulativeLost: (view.getInt32(at + 4) << 8) >> 8,
      highestSequence: view.getUint32(at + 8),
      jitter: view.getUint32(at + 12),
      lastSenderReport: view.getUint32(at + 16),
      delaySinceLastSenderReport: view.getUint32(at + 20),
    });
  }
  return reports;
}

/** Chunks are SSRC and items, ended by a zero byte and padded to a word (RFC 3550 §6.5). */
function readSourceDescription(
  view: DataView,
  start: number,
  end: number,
  count: number,
  out: RtcpPacket[],
): boolean {
  let at = start;
  for (let chunk = 0; chunk < count; chunk += 1) {
    if (at + 4 > end) return false;
    const ssrc = view.getUint32(at);
    at += 4;
    while (at < end && view.getUint8(at) !== 0) {
      if (at + 2 > end) return false;
      const length = view.getUint8(at + 1);
      if (at + 2 + length > end) return false;
      if (view.getUint8(at) === SDES_CNAME) {
        const bytes = new Uint8Array(view.buffer, view.byteOffset + at + 2, length);
        const cname = Buffer.from(bytes).toString('utf8');
        out.push({ type: 'source-description', ssrc, cname });
      }
      at += 2 + length;
    }
    if (at >= end) return false;
    at += 4 - ((at - start) % 4);
  }
  return at <= end;
}

function readGoodbye(
  view: DataView,
  at: number,
  end: number,
  count: number,
  out: RtcpPacket[],
): boolean {
  if (at + count * 4 > end) return false;
  const ssrcs: number[] = [];
  for (let index = 0; index < count; index += 1) ssrcs.push(view.getUint32(at + index * 4));
  out.push({ type: 'goodbye', ssrcs });
  return true;
}

/** Writes one compound. The caller puts the report first and the CNAME second (RFC 3550 §6.1). */
export function serializeRtcpCompound(packets: readonly RtcpPacket[]): Buffer {
  return Buffer.concat(packets.map(serializePacket));
}

function serializePacket(packet: RtcpPacket): Buffer {
  switch (packet.type) {
    case 'sender-report': {
      const out = startPacket(SENDER_REPORT, packet.reports.length, 24 + blocksBytes(packet));
      out.writeUInt32BE(packet.ssrc, 4);
      out.writeUInt32BE(packet.ntpSeconds, 8);
      out.writeUInt32BE(packet.ntpFraction, 12);
      out.writeUInt32BE(packet.rtpTimestamp, 16);
      out.writeUInt32BE(packet.packetCount >>> 0, 20);
      out.writeUInt32BE(packet.octetCount >>> 0, 24);
      writeReports(out, 28, packet.reports);
      return out;
    }
    case 'receiver-report': {
      const out = startPacket(RECEIVER_REPORT, packet.reports.length, 4 + blocksBytes(packet));
      out.writeUInt32BE(packet.ssrc, 4);
      writeReports(out, 8, packet.reports);
      return out;
    }
    case 'source-description': {
      const cname = Buffer.from(packet.cname, 'utf8').subarray(0, CNAME_BYTES_MAX);
      const chunk = 4 + 2 + cname.length;
      const out = startPacket(SOURCE_DESCRIPTION, 1, chunk + 4 - (chunk % 4));
      out.writeUInt32BE(packet.ssrc, 4);
      out[8] = SDES_CNAME;
      out[9] = cname.length;
      cname.copy(out, 10);
      return out;
    }
    case 'goodbye': {
      const out = startPacket(GOODBYE, packet.ssrcs.length, packet.ssrcs.length * 4);
      packet.ssrcs.forEach((ssrc, index) => out.writeUInt32BE(ssrc, 4 + index * 4));
      return out;
    }
    default:
      return assertNever(packet);
  }
}

function blocksBytes(packet: { readonly reports: readonly ReceptionReport[] }): number {
  return packet.reports.length * REPORT_BLOCK_BYTES;
}

function startPacket(type: number, count: number, bodyBytes: number): Buffer {
  const out = Buffer.alloc(4 + bodyBytes);
  out[0] = 0x80 | count;
  out[1] = type;
  out.writeUInt16BE(bodyBytes / 4, 2);
  return out;
}

function writeReports(out: Buffer, start: number, reports: readonly ReceptionReport[]): void {
  reports.forEach((report, index) => {
    const at = start + index * REPORT_BLOCK_BYTES;
    out.writeUInt32BE(report.ssrc, at);
    out.writeInt32BE((report.fractionLost << 24) | (report.cumulativeLost & 0xffffff), at + 4);
    out.writeUInt32BE(report.highestSequence >>> 0, at + 8);
    out.writeUInt32BE(report.jitter >>> 0, at + 12);
    out.writeUInt32BE(report.lastSenderReport >>> 0, at + 16);
    out.writeUInt32BE(report.delaySinceLastSenderReport >>> 0, at + 20);
  });
}
