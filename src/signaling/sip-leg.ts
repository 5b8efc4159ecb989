import type { EndReason } from '../model/end-reason.ts';
import type { InboundRefer, ReferRequest, ReferResult } from './transfer/refer.ts';
import type { DialogIdentity } from './transfer/replaces.ts';

/** A SIP address as the other side wrote it: `sip:demo@host` gives user `demo`. */
export interface SipParty {
  readonly user: string;
  readonly host: string;
  readonly displayName: string;
}

/**
 * How a leg, or a call that never became one, ended. `reason` is null when we ended it: whoever
 * called `hangUp` or aborted knows why.
 */
export interface SipLegEnd {
  readonly reason: EndReason | null;
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
  /**
   * Exactly once in a leg's life, after which nothing else is called. After `hangUp` it comes
   * when the BYE was answered, or after its timeout.
   */
  onEnded(end: SipLegEnd): void;
  /** The answer to an offer of ours that went out in a 200 (late offer): it came in the ACK. */
  onRemoteAnswer(sdp: string): void;
  /** A re-INVITE or UPDATE with an offer. A re-INVITE without one calls `makeOffer`. */
  onRemoteOffer(sdp: string): Promise<OfferReply>;
  makeOffer(): string;
  /** SIP INFO with application/dtmf-relay or application/dtmf. One digit. */
  onDigit(digit: string): void;
  /** REFER: the far side hands us over. Left out: it is declined. */
  onRefer?(refer: InboundRefer): void;
}

/** An established SIP dialog with a remote party, whichever engine stands behind it. */
export interface SipLeg {
  readonly sipCallId: string;
  readonly identity: DialogIdentity;
  /**
   * Sends BYE and resolves when it was answered, or after its timeout. Idempotent, never rejects.
   * A BYE may not overtake the ACK (RFC 3261 §15), so it waits for that where it is still due.
   */
  hangUp(reason?: { readonly q850: number; readonly text: string }): Promise<void>;
  /**
   * Sends a re-INVITE with an offer and resolves with the answer. Glare (491) is retried as
   * RFC 3261 §14.1 says; rejects with `SignalingError` when refused or unanswered.
   */
  sendOffer(sdp: string): Promise<string>;
  /** Sends a digit by INFO, for trunks that want it. Rejects with `SignalingError`. */
  sendInfoDigit(digit: string): Promise<void>;
  /**
   * Refers the far side to somebody else (RFC 3515) and resolves with what became of it. One at
   * a time. Rejects with `SignalingError` only for what cannot be sent as it is. The leg lives
   * on: whoever has referred it away hangs up.
   */
  refer(request: ReferRequest): Promise<ReferResult>;
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
  /** `udp`, `tcp`, `tls`, `ws` or `wss`. */
  readonly transport: string;
  /**
   * Headers worth showing on the call, by lower case name: identities, Diversion, User-Agent and
   * a few `X-` headers. At most 32 of 512 characters; Identity and History-Info of 2,048.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** null: a late offer, we offer in the 200. */
  readonly offerSdp: string | null;
  /** Name of the trunk the source belongs to, null from loopback. */
  readonly trunk: string | null;
  /** Who signed in to call by WebSocket; null for calls that came otherwise. */
  readonly signedInAs: string | null;
  /** A live leg whose place the caller wants (RFC 3891). Whether it may have it is its owner's word. */
  readonly replaces: SipLeg | null;
  /** Sends 180, reliably (RFC 3262) where the caller requires it. */
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
  /**
   * Called at most once, when a waiting INVITE ends without us: CANCEL, the loss of the engine,
   * or nobody's verdict in time. Not called once `answer` began: then the promise rejects.
   */
  onCanceled(listener: (end: SipLegEnd) => void): void;
}
