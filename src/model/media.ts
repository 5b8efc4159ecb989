import type { AnsweredBy } from './machine-detection.ts';

/** Audio codecs by their encoding names in lower case (RFC 3551, RFC 7587). */
export type CodecName = 'pcmu' | 'pcma' | 'g722' | 'opus';

/** RFC 3264 direction from our side. */
export type MediaDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** SDES key material of one direction (RFC 4568). */
export interface SrtpKeys {
  readonly suite: 'AES_CM_128_HMAC_SHA1_80' | 'AES_CM_128_HMAC_SHA1_32' | 'AEAD_AES_128_GCM';
  /** Master key and salt, base64 as in `inline:`. */
  readonly keySaltBase64: string;
  /** Stands in each packet under this key (RFC 3711 §3.1), in hexadecimal. Left out: none does. */
  readonly mkiHex?: string;
}

/** What offer and answer agreed on for one RTP leg. Everything the media side needs. */
export interface RtpParameters {
  readonly codec: CodecName;
  readonly payloadType: number;
  /** Packet time of what we send. */
  readonly ptimeMs: 20;
  /** Payload type of telephone-event, null when not negotiated. */
  readonly telephoneEventPayloadType: number | null;
  /** Clock rate of telephone-event: 8000, or 48000 beside Opus. */
  readonly telephoneEventClockRateHz: number;
  /** Payload type of comfort noise (RFC 3389), null when not offered. It is never sent. */
  readonly comfortNoisePayloadType: number | null;
  /** Opus only: DTX and in-band FEC wanted by the remote side (RFC 7587 §6.1). */
  readonly opusUseDtx: boolean;
  readonly opusUseFec: boolean;
  /** Opus only: bits per second the remote side asks us not to exceed (`maxaveragebitrate`). */
  readonly opusMaxBitrateBps?: number;
  /** Where the remote side asked us to send. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Host that the description came from: behind a NAT, audio comes from there. */
  readonly signalingAddress?: string | null;
  /** RTCP on the RTP port (RFC 5761), else on `remoteRtcpPort`. */
  readonly rtcpMux: boolean;
  readonly remoteRtcpPort: number;
  readonly direction: MediaDirection;
  readonly srtp: { readonly local: SrtpKeys; readonly remote: SrtpKeys } | null;
}

/** Where the remote side shall send: what goes into our session description. */
export interface LocalMediaAddress {
  /** Address to announce (the external address when one is configured). */
  readonly address: string;
  readonly port: number;
}

/** What one leg's media did, for the call record and the `call ended` line. */
export interface LegReport {
  /** Who took an outbound call that asked to know; left out: it did not ask. */
  readonly answeredBy?: AnsweredBy | null;
  readonly codec: CodecName | null;
  /** How audio was encrypted in the end; null: not at all. */
  readonly encryption: SrtpKeys['suite'] | 'DTLS_SRTP' | null;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  /** Came too late to be played. */
  readonly packetsLate: number;
  readonly packetsDuplicate: number;
  /** Refused because they came from somewhere else than the latched source. */
  readonly packetsFromStrangers: number;
  readonly packetsMalformed: number;
  /** On a leg with SRTP: refused since their tag was wrong or missing. */
  readonly packetsUnauthenticated: number;
  /** On a leg with SRTP: authentic, but come before. */
  readonly packetsReplayed: number;
  readonly framesConcealed: number;
  /** Interarrival jitter (RFC 3550 §6.4.1), last value. */
  readonly jitterMs: number;
  /** By RTCP, null before the first report came. */
  readonly roundTripMs: number | null;
  /** What the remote side said it lost of ours, by RTCP, 0..1. */
  readonly remoteFractionLost: number | null;
}
