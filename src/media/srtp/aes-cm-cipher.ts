import { AES_CM_SHAPE, CounterKeystream } from './counter-keystream.ts';
import { HmacSha1 } from './hmac-sha1.ts';
import {
  addKeystream,
  isTag,
  readUint32,
  RTCP_CLEAR_BYTES,
  RTCP_ENCRYPTED,
  writeTag,
  writeUint32,
} from './packet-bytes.ts';
import type { SessionKeys } from './session-keys.ts';
import type { PacketStamp, SuiteCipher } from './suite-cipher.ts';

/** Of SRTCP always, also in the suite whose RTP has 32 bits (RFC 4568 §6.2.2). */
const RTCP_TAG_BYTES = 10;
const WORD_BYTES = 4;

/** AES in counter mode and HMAC-SHA1 (RFC 3711 §4). */
export class AesCmCipher implements SuiteCipher {
  readonly rtpTagBytes: number;
  readonly rtcpTrailerBytes = WORD_BYTES + RTCP_TAG_BYTES;
  readonly #rtp: CounterKeystream;
  readonly #rtpHmac: HmacSha1;
  readonly #rtcp: CounterKeystream;
  readonly #rtcpHmac: HmacSha1;

  constructor(rtp: SessionKeys, rtcp: SessionKeys, rtpTagBytes: 4 | 10) {
    this.rtpTagBytes = rtpTagBytes;
    this.#rtp = new CounterKeystream(rtp.encryption, rtp.salt, AES_CM_SHAPE);
    this.#rtpHmac = new HmacSha1(rtp.authentication);
    this.#rtcp = new CounterKeystream(rtcp.encryption, rtcp.salt, AES_CM_SHAPE, 1);
    this.#rtcpHmac = new HmacSha1(rtcp.authentication);
  }

  sealRtp(packet: Uint8Array, payloadStart: number, end: number, stamp: PacketStamp): number {
    this.openRtp(packet, payloadStart, end, stamp);
    this.#rtpHmac.compute(packet, 0, end, stamp.rollover);
    writeTag(packet, end, this.#rtpHmac.digest, this.rtpTagBytes);
    return end + this.rtpTagBytes;
  }

  isAuthenticRtp(packet: Uint8Array, _start: number, end: number, stamp: PacketStamp): boolean {
    this.#rtpHmac.compute(packet, 0, end, stamp.rollover);
    return isTag(packet, end, this.#rtpHmac.digest, this.rtpTagBytes);
  }

  openRtp(packet: Uint8Array, payloadStart: number, end: number, stamp: PacketStamp): void {
    crypt(this.#rtp, packet, payloadStart, end, stamp);
  }

  sealRtcp(packet: Uint8Array, end: number, stamp: PacketStamp): number {
    crypt(this.#rtcp, packet, RTCP_CLEAR_BYTES, end, stamp);
    writeUint32(packet, end, RTCP_ENCRYPTED | (stamp.rollover << 16) | stamp.sequence);
    const tagAt = end + WORD_BYTES;
    this.#rtcpHmac.compute(packet, 0, tagAt, null);
    writeTag(packet, tagAt, this.#rtcpHmac.digest, RTCP_TAG_BYTES);
    return tagAt + RTCP_TAG_BYTES;
  }

  rtcpWordAt(length: number): number {
    return length - this.rtcpTrailerBytes;
  }

  isAuthenticRtcp(packet: Uint8Array, length: number): boolean {
    const tagAt = length - RTCP_TAG_BYTES;
    this.#rtcpHmac.compute(packet, 0, tagAt, null);
    return isTag(packet, tagAt, this.#rtcpHmac.digest, RTCP_TAG_BYTES);
  }

  openRtcp(packet: Uint8Array, length: number, stamp: PacketStamp): number {
    const end = length - this.rtcpTrailerBytes;
    if (readUint32(packet, end) >= RTCP_ENCRYPTED) {
      crypt(this.#rtcp, packet, RTCP_CLEAR_BYTES, end, stamp);
    }
    return end;
  }
}

/** Both ways: counter mode is its own inverse. */
function crypt(
  keystream: CounterKeystream,
  packet: Uint8Array,
  start: number,
  end: number,
  { ssrc, rollover, sequence }: PacketStamp,
): void {
  keystream.seek(ssrc, rollover, sequence, (end - start + 15) >> 4);
  addKeystream(packet, start, end, keystream, 0);
}
