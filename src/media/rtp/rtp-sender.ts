import { RTP_HEADER_BYTES, RTP_PACKET_BYTES_MAX, writeRtpHeader } from './rtp-packet.ts';

/** A packet's bytes stay untouched while this many more are made: the kernel has them by then. */
const BUFFERS = 4;

/** Numbers and stamps outgoing packets. Owns no clock and no socket. */
export class RtpSender {
  readonly ssrc: number;
  readonly #buffers = Array.from({ length: BUFFERS }, () => Buffer.alloc(RTP_PACKET_BYTES_MAX));
  #buffer = 0;
  #sequence: number;
  #rtpTimestamp: number;

  packetsSent = 0;
  octetsSent = 0;

  /** RFC 3550 §5.1: all three begin at random. */
  constructor(ssrc: number, sequence: number, rtpTimestamp: number) {
    this.ssrc = ssrc >>> 0;
    this.#sequence = sequence & 0xffff;
    this.#rtpTimestamp = rtpTimestamp >>> 0;
  }

  /** Stamp of the frame that is due now. */
  get rtpTimestamp(): number {
    return this.#rtpTimestamp;
  }

  /** The media clock runs on whether anything is sent or not. */
  advance(ticks: number): void {
    this.#rtpTimestamp = (this.#rtpTimestamp + ticks) >>> 0;
  }

  /** The packet is a view of a reused buffer. */
  packet(payloadType: number, payload: Uint8Array, hasMarker: boolean, rtpTimestamp: number) {
    const buffer = this.#buffers[this.#buffer]!;
    this.#buffer = (this.#buffer + 1) % BUFFERS;
    writeRtpHeader(buffer, payloadType, hasMarker, this.#sequence, rtpTimestamp, this.ssrc);
    buffer.set(payload, RTP_HEADER_BYTES);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.packetsSent += 1;
    this.octetsSent += payload.length;
    return buffer.subarray(0, RTP_HEADER_BYTES + payload.length);
  }
}
