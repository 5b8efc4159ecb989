import { CounterKeystream, GCM_SHAPE } from './counter-keystream.ts';
import { Ghash } from './ghash.ts';
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

const TAG_BYTES = 16;
const WORD_BYTES = 4;
const BLOCK_BYTES = 16;

/** Keystream and hash under one session key. */
interface Sealing {
  readonly keystream: CounterKeystream;
  readonly ghash: Ghash;
}

/** AES-GCM (RFC 7714). The header is authenticated only; so is the index word of SRTCP. */
export class GcmCipher implements SuiteCipher {
  readonly rtpTagBytes = TAG_BYTES;
  readonly rtcpTrailerBytes = TAG_BYTES + WORD_BYTES;
  readonly #rtp: Sealing;
  readonly #rtcp: Sealing;
  readonly #tag = new Int32Array(4);
  /** RTCP's clear header with the index word behind it, or a whole unencrypted packet. */
  #associated: Uint8Array = new Uint8Array(RTCP_CLEAR_BYTES + WORD_BYTES);

  constructor(rtp: SessionKeys, rtcp: SessionKeys) {
    this.#rtp = sealing(rtp, undefined);
    this.#rtcp = sealing(rtcp, 1);
  }

  sealRtp(packet: Uint8Array, payloadStart: number, end: number, stamp: PacketStamp): number {
    this.openRtp(packet, payloadStart, end, stamp);
    this.#hash(this.#rtp, packet, payloadStart, packet, payloadStart, end);
    writeTag(packet, end, this.#tag, TAG_BYTES);
    return end + TAG_BYTES;
  }

  isAuthenticRtp(packet: Uint8Array, start: number, end: number, stamp: PacketStamp): boolean {
    seek(this.#rtp, start, end, stamp);
    this.#hash(this.#rtp, packet, start, packet, start, end);
    return isTag(packet, end, this.#tag, TAG_BYTES);
  }

  openRtp(packet: Uint8Array, payloadStart: number, end: number, stamp: PacketStamp): void {
    seek(this.#rtp, payloadStart, end, stamp);
    addKeystream(packet, payloadStart, end, this.#rtp.keystream, BLOCK_BYTES);
  }

  sealRtcp(packet: Uint8Array, end: number, stamp: PacketStamp): number {
    seek(this.#rtcp, RTCP_CLEAR_BYTES, end, stamp);
    addKeystream(packet, RTCP_CLEAR_BYTES, end, this.#rtcp.keystream, BLOCK_BYTES);
    const wordAt = end + TAG_BYTES;
    writeUint32(packet, wordAt, RTCP_ENCRYPTED | (stamp.rollover << 16) | stamp.sequence);
    this.#hashRtcp(packet, end);
    writeTag(packet, end, this.#tag, TAG_BYTES);
    return wordAt + WORD_BYTES;
  }

  rtcpWordAt(length: number): number {
    return length - WORD_BYTES;
  }

  isAuthenticRtcp(packet: Uint8Array, length: number, stamp: PacketStamp): boolean {
    const end = length - this.rtcpTrailerBytes;
    seek(this.#rtcp, RTCP_CLEAR_BYTES, end, stamp);
    this.#hashRtcp(packet, end);
    return isTag(packet, end, this.#tag, TAG_BYTES);
  }

  openRtcp(packet: Uint8Array, length: number, stamp: PacketStamp): number {
    const end = length - this.rtcpTrailerBytes;
    if (readUint32(packet, end + TAG_BYTES) < RTCP_ENCRYPTED) return end;
    seek(this.#rtcp, RTCP_CLEAR_BYTES, end, stamp);
    addKeystream(packet, RTCP_CLEAR_BYTES, end, this.#rtcp.keystream, BLOCK_BYTES);
    return end;
  }

  /** RFC 7714 §9.3: without encryption the whole packet is authenticated as a header is. */
  #hashRtcp(packet: Uint8Array, end: number): void {
    const wordAt = end + TAG_BYTES;
    const isEncrypted = readUint32(packet, wordAt) >= RTCP_ENCRYPTED;
    const clearEnd = isEncrypted ? RTCP_CLEAR_BYTES : end;
    const length = clearEnd + WORD_BYTES;
    if (this.#associated.length < length) this.#associated = new Uint8Array(length);
    this.#associated.set(packet.subarray(0, clearEnd));
    this.#associated.set(packet.subarray(wordAt, wordAt + WORD_BYTES), clearEnd);
    this.#hash(this.#rtcp, this.#associated, length, packet, clearEnd, end);
  }

  /** Into `#tag`; the keystream stands at the packet. */
  #hash(
    { keystream, ghash }: Sealing,
    associated: Uint8Array,
    associatedEnd: number,
    packet: Uint8Array,
    start: number,
    end: number,
  ): void {
    ghash.reset();
    ghash.update(associated, 0, associatedEnd);
    ghash.update(packet, start, end);
    ghash.finish(associatedEnd, end - start);
    for (let word = 0; word < 4; word += 1) {
      const mask = readUint32(keystream.bytes, keystream.start + word * 4);
      this.#tag[word] = ghash.value[word]! ^ mask;
    }
  }
}

function sealing({ encryption, salt }: SessionKeys, packets: number | undefined): Sealing {
  const keystream = new CounterKeystream(encryption, salt, GCM_SHAPE, packets);
  return { keystream, ghash: new Ghash(keystream.encryptBlock(Buffer.alloc(BLOCK_BYTES))) };
}

/** One block hides the tag, the others are for the payload. */
function seek(
  { keystream }: Sealing,
  start: number,
  end: number,
  { ssrc, rollover, sequence }: PacketStamp,
): void {
  keystream.seek(ssrc, rollover, sequence, 1 + ((end - start + 15) >> 4));
}
