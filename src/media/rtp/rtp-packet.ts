/** Longest RTP packet we take: an Ethernet MTU. */
export const RTP_PACKET_BYTES_MAX = 1500;
export const RTP_HEADER_BYTES = 12;

/** A parsed header; the payload is `packet[payloadStart..payloadEnd)`. */
export interface RtpHeader {
  payloadType: number;
  marker: boolean;
  sequenceNumber: number;
  rtpTimestamp: number;
  ssrc: number;
  payloadStart: number;
  payloadEnd: number;
}

export function emptyRtpHeader(): RtpHeader {
  return {
    payloadType: 0,
    marker: false,
    sequenceNumber: 0,
    rtpTimestamp: 0,
    ssrc: 0,
    payloadStart: 0,
    payloadEnd: 0,
  };
}

/**
 * Reads an RTP header (RFC 3550 §5.1) into `out` and says whether the packet is well formed.
 * CSRCs, a header extension (RFC 8285 or any other profile) and padding are skipped.
 * It does not allocate; `out` is garbage when it returns false. `length`: of the packet, where the
 * buffer holds more.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                           timestamp                           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |           synchronization source (SSRC) identifier            |
 *    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *    |            contributing source (CSRC) identifiers             |
 *    |                             ....                              |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |      defined by profile       |           length              |  when X = 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
export function parseRtpPacket(
  packet: Uint8Array,
  out: RtpHeader,
  length: number = packet.length,
): boolean {
  if (length < RTP_HEADER_BYTES || length > RTP_PACKET_BYTES_MAX) return false;
  const first = packet[0]!;
  if (first >> 6 !== 2) return false;

  const second = packet[1]!;
  out.marker = second >= 0x80;
  out.payloadType = second & 0x7f;
  out.sequenceNumber = (packet[2]! << 8) | packet[3]!;
  out.rtpTimestamp = readUint32(packet, 4);
  out.ssrc = readUint32(packet, 8);

  let start = RTP_HEADER_BYTES + (first & 0x0f) * 4;
  if ((first & 0x10) !== 0) {
    if (start + 4 > length) return false;
    start += 4 + ((packet[start + 2]! << 8) | packet[start + 3]!) * 4;
  }

  let end = length;
  if ((first & 0x20) !== 0) {
    const padding = packet[length - 1]!;
    if (padding === 0) return false;
    end -= padding;
  }
  if (start > end) return false;

  out.payloadStart = start;
  out.payloadEnd = end;
  return true;
}

/** Writes a 12-byte header without CSRC or extension at the front of `packet`. */
export function writeRtpHeader(
  packet: Uint8Array,
  payloadType: number,
  marker: boolean,
  sequenceNumber: number,
  rtpTimestamp: number,
  ssrc: number,
): void {
  packet[0] = 0x80;
  packet[1] = marker ? payloadType | 0x80 : payloadType;
  packet[2] = sequenceNumber >>> 8;
  packet[3] = sequenceNumber;
  writeUint32(packet, 4, rtpTimestamp);
  writeUint32(packet, 8, ssrc);
}

/** Signed distance from one 16-bit sequence number to another, -32768..32767. */
export function sequenceDistance(from: number, to: number): number {
  return ((to - from + 0x8000) & 0xffff) - 0x8000;
}

/** Signed distance from one 32-bit RTP timestamp to another. */
export function timestampDistance(from: number, to: number): number {
  return (to - from) | 0;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
