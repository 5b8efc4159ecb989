import type { SrtpKeys } from '../../model/media.ts';
import { RTP_PACKET_BYTES_MAX } from '../rtp/rtp-packet.ts';
import { createSuiteCipher } from './create-suite-cipher.ts';
import { readUint32 } from './packet-bytes.ts';
import { type PacketStamp, SRTP_OVERHEAD_BYTES_MAX, type SuiteCipher } from './suite-cipher.ts';

const RTP_HEADER_BYTES = 12;
/** A packet's bytes stay untouched while this many more are made: the kernel has them by then. */
const BUFFERS = 4;

/**
 * Protects what one leg sends under one key: RTP of our own making (a header of 12 bytes, numbers
 * that only rise) and RTCP. Must live as long as its key is used, or packets would be hidden
 * behind the same keystream twice.
 */
export class SrtpSender {
  readonly #cipher: SuiteCipher;
  readonly #rtp: PacketStamp = { ssrc: 0, rollover: 0, sequence: 0 };
  readonly #rtcp: PacketStamp = { ssrc: 0, rollover: 0, sequence: 0 };
  #lastSequence = -1;
  #rtcpIndex = 0;
  readonly #buffers = Array.from({ length: BUFFERS }, () =>
    Buffer.alloc(RTP_PACKET_BYTES_MAX + SRTP_OVERHEAD_BYTES_MAX),
  );
  #buffer = 0;

  constructor(keys: SrtpKeys) {
    this.#cipher = createSuiteCipher(keys);
  }

  /** The protected packet: a view of a reused buffer. The argument stays as it is. */
  protectRtp(packet: Buffer): Buffer {
    const out = this.#nextBuffer();
    out.set(packet);
    const sequence = packet.readUInt16BE(2);
    // RFC 3711 §3.3.1: counted here, since it is not in the packet.
    if (sequence < this.#lastSequence) this.#rtp.rollover += 1;
    this.#lastSequence = sequence;
    this.#rtp.ssrc = readUint32(packet, 8);
    this.#rtp.sequence = sequence;
    const length = this.#cipher.sealRtp(out, RTP_HEADER_BYTES, packet.length, this.#rtp);
    return out.subarray(0, length);
  }

  /** The protected compound. */
  protectRtcp(packet: Buffer): Buffer {
    const out = Buffer.alloc(packet.length + this.#cipher.rtcpTrailerBytes);
    out.set(packet);
    // RFC 3711 §3.4: begins at 0, and 2^31 reports take three hundred years.
    this.#rtcp.ssrc = readUint32(packet, 4);
    this.#rtcp.rollover = this.#rtcpIndex >>> 16;
    this.#rtcp.sequence = this.#rtcpIndex & 0xffff;
    this.#rtcpIndex += 1;
    this.#cipher.sealRtcp(out, packet.length, this.#rtcp);
    return out;
  }

  #nextBuffer(): Buffer {
    const buffer = this.#buffers[this.#buffer]!;
    this.#buffer = (this.#buffer + 1) % BUFFERS;
    return buffer;
  }
}
