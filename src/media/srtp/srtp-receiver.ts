import type { SrtpKeys } from '../../model/media.ts';
import { RTP_PACKET_BYTES_MAX } from '../rtp/rtp-packet.ts';
import { createSuiteCipher } from './create-suite-cipher.ts';
import { MasterKeyIdentifier } from './master-key-identifier.ts';
import { readUint32, RTCP_CLEAR_BYTES, RTCP_ENCRYPTED } from './packet-bytes.ts';
import { ReplayWindow } from './replay-window.ts';
import type { PacketStamp, SuiteCipher } from './suite-cipher.ts';

const RTP_HEADER_BYTES = 12;
/** Index and the bit beside it, between the text and what follows. */
const RTCP_INDEX_BYTES = 4;
const HALF = 0x8000;
const CYCLE = 0x10000;
/** Authenticated sources under one key; more are refused, so that none is ever forgotten. */
const SOURCES_MAX = 64;

/** Why a packet was refused. */
export type SrtpRefusal = 'unauthenticated' | 'replayed';

interface Source {
  readonly rtp: ReplayWindow;
  readonly rtcp: ReplayWindow;
}

/**
 * Checks and opens what comes under one key (RFC 3711 §3.3, §3.4). The tag is checked before
 * anything else is believed or changed; then the index against replay; then the rest is opened
 * in place.
 */
export class SrtpReceiver {
  readonly #cipher: SuiteCipher;
  readonly #sources = new Map<number, Source>();
  readonly #stamp: PacketStamp = { ssrc: 0, rollover: 0, sequence: 0 };

  readonly #mki: MasterKeyIdentifier | null;
  readonly #isGcm: boolean;

  constructor(keys: SrtpKeys) {
    this.#cipher = createSuiteCipher(keys);
    this.#mki = keys.mkiHex === undefined ? null : new MasterKeyIdentifier(keys.mkiHex);
    this.#isGcm = keys.suite === 'AEAD_AES_128_GCM';
  }

  /** Opens the packet in place. Gives the length of the plain packet, or why it is refused. */
  unprotectRtp(packet: Buffer): number | SrtpRefusal {
    if (this.#mki === null) return this.#openRtp(packet);
    const behind = this.#isGcm ? 0 : this.#cipher.rtpTagBytes;
    return this.#mki.without(packet, behind, this.#openRtp);
  }

  /** The same for a compound RTCP packet. */
  unprotectRtcp(packet: Buffer): number | SrtpRefusal {
    if (this.#mki === null) return this.#openRtcp(packet);
    const behind = this.#isGcm ? 0 : this.#cipher.rtcpTrailerBytes - RTCP_INDEX_BYTES;
    return this.#mki.without(packet, behind, this.#openRtcp);
  }

  readonly #openRtp = (packet: Buffer): number | SrtpRefusal => {
    const end = packet.length - this.#cipher.rtpTagBytes;
    const payloadStart = rtpPayloadStart(packet, end);
    if (payloadStart === -1) return 'unauthenticated';
    const stamp = this.#stamp;
    stamp.ssrc = readUint32(packet, 8);
    stamp.sequence = packet.readUInt16BE(2);
    const known = this.#sources.get(stamp.ssrc);
    stamp.rollover = likelyRollover(known?.rtp.highest ?? -1, stamp.sequence);
    if (stamp.rollover < 0) return 'unauthenticated';
    if (!this.#cipher.isAuthenticRtp(packet, payloadStart, end, stamp)) return 'unauthenticated';

    const source = known ?? this.#newSource(stamp.ssrc);
    if (source === null) return 'unauthenticated';
    const index = stamp.rollover * CYCLE + stamp.sequence;
    if (!source.rtp.isFresh(index)) return 'replayed';
    source.rtp.take(index);
    this.#cipher.openRtp(packet, payloadStart, end, stamp);
    return end;
  };

  readonly #openRtcp = (packet: Buffer): number | SrtpRefusal => {
    const { length } = packet;
    const isSized = length >= RTCP_CLEAR_BYTES + this.#cipher.rtcpTrailerBytes;
    if (!isSized || length > RTP_PACKET_BYTES_MAX) return 'unauthenticated';
    const index = readUint32(packet, this.#cipher.rtcpWordAt(length)) % RTCP_ENCRYPTED;
    const stamp = this.#stamp;
    stamp.ssrc = readUint32(packet, 4);
    stamp.rollover = index >>> 16;
    stamp.sequence = index & 0xffff;
    if (!this.#cipher.isAuthenticRtcp(packet, length, stamp)) return 'unauthenticated';

    const source = this.#sources.get(stamp.ssrc) ?? this.#newSource(stamp.ssrc);
    if (source === null) return 'unauthenticated';
    if (!source.rtcp.isFresh(index)) return 'replayed';
    source.rtcp.take(index);
    return this.#cipher.openRtcp(packet, length, stamp);
  };

  /** Only ever called for an authenticated packet. */
  #newSource(ssrc: number): Source | null {
    if (this.#sources.size >= SOURCES_MAX) return null;
    const source = { rtp: new ReplayWindow(), rtcp: new ReplayWindow() };
    this.#sources.set(ssrc, source);
    return source;
  }
}

/** Where the encrypted part begins: behind CSRCs and header extension. -1: too short to be RTP. */
function rtpPayloadStart(packet: Uint8Array, end: number): number {
  if (end < RTP_HEADER_BYTES || packet.length > RTP_PACKET_BYTES_MAX) return -1;
  const first = packet[0]!;
  let start = RTP_HEADER_BYTES + (first & 0x0f) * 4;
  if ((first & 0x10) !== 0) {
    if (start + 4 > end) return -1;
    start += 4 + ((packet[start + 2]! << 8) | packet[start + 3]!) * 4;
  }
  return start > end ? -1 : start;
}

/** The rollover counter that brings the packet nearest to the newest one (RFC 3711 App. A). */
function likelyRollover(highest: number, sequence: number): number {
  if (highest === -1) return 0;
  const rollover = Math.floor(highest / CYCLE);
  const newest = highest % CYCLE;
  if (newest < HALF) return sequence - newest > HALF ? rollover - 1 : rollover;
  return newest - HALF > sequence ? rollover + 1 : rollover;
}
