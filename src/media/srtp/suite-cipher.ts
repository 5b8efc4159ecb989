/** Longest addition to a packet: GCM's tag and the word of SRTCP. */
export const SRTP_OVERHEAD_BYTES_MAX = 20;

/** Which packet this is: AES never counts from the same place twice under one key. */
export interface PacketStamp {
  ssrc: number;
  /** Rollover counter of RTP; the upper 16 bits of SRTCP's index. */
  rollover: number;
  /** Sequence number of RTP; the lower 16 bits of SRTCP's index. */
  sequence: number;
}

/**
 * One suite with one direction's keys, over packets in place. Knows nothing of what came before:
 * rollover and replay are its caller's matter. Nothing on RTP's way allocates.
 */
export interface SuiteCipher {
  readonly rtpTagBytes: number;
  /** Tag and index word together. */
  readonly rtcpTrailerBytes: number;

  /** Encrypts `packet[payloadStart..end)` and writes the tag behind it. Returns the new end. */
  sealRtp(packet: Uint8Array, payloadStart: number, end: number, stamp: PacketStamp): number;
  /** Whether the tag that stands from `end` on is right. Changes nothing. */
  isAuthenticRtp(
    packet: Uint8Array,
    payloadStart: number,
    end: number,
    stamp: PacketStamp,
  ): boolean;
  /** Decrypts `packet[payloadStart..end)`, whose tag was right. */
  openRtp(packet: Uint8Array, payloadStart: number, end: number, stamp: PacketStamp): void;

  /** Encrypts, and writes index word and tag behind. Returns the new end. */
  sealRtcp(packet: Uint8Array, end: number, stamp: PacketStamp): number;
  /** Where the index word stands in a protected packet of that length. */
  rtcpWordAt(length: number): number;
  /** `length`: that of the whole protected packet. */
  isAuthenticRtcp(packet: Uint8Array, length: number, stamp: PacketStamp): boolean;
  /** Decrypts what is encrypted. Returns where the plain packet ends. */
  openRtcp(packet: Uint8Array, length: number, stamp: PacketStamp): number;
}
