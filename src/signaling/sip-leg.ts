import type { EndReason } from '../model/end-reason.ts';

/** A SIP address as the other side wrote it: `sip:demo@host` gives user `demo`. */
export interface SipParty {
  readonly user: string;
  readonly host: string;
  readonly displayName: string;
}

/** How a leg ended. `reason` is null when we ended it and the caller of `hangUp` knows why. */
export interface SipLegEnd {
  readonly reason: EndReason;
  readonly sipStatus: number | null;
  /** Text of a Reason header (RFC 3326), if one came. */
  readonly detail: string | null;
}

/** What the owner of a leg answers to an offer in a re-INVITE or UPDATE. */
export type OfferReply =
  | { readonly type: 'answer'; readonly sdp: string }
  | { readonly type: 'refuse'; readonly status: 488 | 491 | 500 };

/** What a leg tells its owner. Each is called on the main thread; none may throw. */
export interface SipLegEvents {
  /** Exactly once in a leg's life, after which nothing else is called. */
  onEnded(end: SipLegEnd): void;
  /** The answer to an offer of ours that went out in a 200 (late offer): it came in the ACK. */
  onRemoteAnswer(sdp: string): void;
  /** A re-INVITE or UPDATE with an offer. A re-INVITE without one calls `makeOffer`. */
  onRemoteOffer(sdp: string): Promise<OfferReply>;
  makeOffer(): string;
  /** SIP INFO with application/dtmf-relay or application/dtmf. One digit. */
  onDigit(digit: string): void;
}

/** An established SIP dialog with a remote party, whichever engine stands behind it. */
export interface SipLeg {
  readonly sipCallId: string;
  /** Sends BYE and resolves when it was answered, or after its timeout. Idempotent. */
  hangUp(reason?: { readonly q850: number; readonly text: string }): Promise<void>;
  /** Sends a digit by INFO, for trunks that want it. */
  sendInfoDigit(digit: string): Promise<void>;
}

/** An INVITE that waits for our verdict. Exactly one of `answer` and `refuse` takes effect. */
export interface SipInvite {
  readonly sipCallId: string;
  readonly from: SipParty;
  readonly to: SipParty;
  /** Request-URI: what was dialed. */
  readonly dialed: SipParty;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly transport: string;
  /** null: a late offer, we offer in the 200. */
  readonly offerSdp: string | null;
  /** Name of the trunk the source belongs to, null from loopback. */
  readonly trunk: string | null;
  ring(): void;
  /**
   * Sends 200 with the description. Resolves once the dialog exists; events may already
   * have been delivered by then. Rejects with `SignalingError` when the caller was faster
   * (`INVITE_CANCELED`) or the engine is gone.
   */
  answer(sdp: string, events: SipLegEvents): Promise<SipLeg>;
  refuse(
    status: number,
    options?: { readonly retryAfterSeconds?: number; readonly reasonText?: string },
  ): void;
  /** Called at most once, when CANCEL (or the loss of the engine) ends a waiting INVITE. */
  onCanceled(listener: (end: SipLegEnd) => void): void;
}
