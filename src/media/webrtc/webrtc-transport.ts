import type { WebRtcOffer } from './webrtc-offer.ts';

/** Why a transport ended. Exactly one is reported, once. */
export type WebRtcCloseReason =
  /** `close()` was called. */
  | 'closed-by-us'
  /** The browser ended it: DTLS close_notify, or its data channel association was shut down. */
  | 'remote-closed'
  /** No ICE check ever succeeded in time. */
  | 'ice-timeout'
  /** ICE worked, but the DTLS handshake failed, was refused, or did not finish in time. */
  | 'dtls-failed'
  /** A transport that had worked fell silent, or ICE consent (RFC 7675) ran out. */
  | 'network-lost'
  /** A listener of ours threw, or the library failed. */
  | 'internal-error';

/** Listeners are called on the thread that opened the port. One that throws ends its transport. */
export interface WebRtcTransportEvents {
  /** Once: keys are set, packets pass both ways. */
  onConnected(): void;
  /** One decrypted RTP packet. The buffer belongs to the listener. */
  onRtp(packet: Buffer): void;
  /** One decrypted RTCP compound. */
  onRtcp(compound: Buffer): void;
  /** A message the browser sent on its events channel. */
  onMessage(text: string): void;
  /** The events channel is open: `sendMessage` works from now on. */
  onMessagesOpen(): void;
  /** Once, and last. */
  onClosed(reason: WebRtcCloseReason): void;
}

/** Identifies what we send (RFC 3550 §5.1, §6.5.1), as the answer says it. */
export interface WebRtcSender {
  readonly ssrc: number;
  readonly cname: string;
}

/** What came in and was not passed on. */
export interface WebRtcRefused {
  /** Beyond the packet rate of one peer. */
  readonly packetsOverRate: number;
  readonly packetsMalformed: number;
}

/** One browser: DTLS-SRTP over ICE on the shared port. */
export interface WebRtcTransport {
  /** The last one that was answered. */
  readonly offer: WebRtcOffer;
  /** For the browser: complete, non-trickle, under 4 KB. */
  readonly answerSdp: string;
  readonly sender: WebRtcSender;
  readonly isConnected: boolean;
  readonly refused: WebRtcRefused;
  /**
   * Answers a further offer of the same connection: its direction and payload types may have
   * changed, and nothing else. The caller has looked whether it is one.
   */
  answerAgain(offer: WebRtcOffer): string;
  /** Sends one RTP packet or RTCP compound (RFC 5761 tells them apart). False: it was dropped. */
  sendPacket(packet: Buffer): boolean;
  /** Sends on the events channel. False: there is none, it is not open, or it is full. */
  sendMessage(text: string): boolean;
  /** Idempotent. */
  close(): void;
}
