import type { Logger } from '../observability/logger.ts';
import { blameOf, type EndReason } from '../model/end-reason.ts';
import type { RtpParameters } from '../model/media.ts';
import { SDP_VERDICTS, SdpError } from '../signaling/sdp/sdp-error.ts';
import type { OfferReply, SipLeg, SipLegEnd, SipLegEvents } from '../signaling/sip-leg.ts';
import type { InboundRefer } from '../signaling/transfer/refer.ts';
import type { Trunk } from '../signaling/trunk/trunk.ts';
import type { PhoneVoiceLeg } from '../voice/voice-leg.ts';
import type { MediaNegotiation } from './media-negotiation.ts';

/** Q.850 cause of our BYE (RFC 3326): normal clearing, or the gateway's own fault. */
const NORMAL_CLEARING = 16;
const TEMPORARY_FAILURE = 41;

/** What a dialog may do to its call: see `CallDesk`. */
export interface DialogDesk {
  readonly log: Logger;
  readonly isEnding: boolean;
  readonly isConversing: boolean;
  converse(): void;
  referred(refer: InboundRefer): void;
  end(
    reason: EndReason,
    end: { readonly sipStatus: number | null; readonly detail: string | null } | null,
  ): void;
}

/** What a phone's dialog asks of its call, whichever side began it. */
export class PhoneDialog {
  negotiation: MediaNegotiation;
  voice: PhoneVoiceLeg | null = null;
  leg: SipLeg | null = null;
  /** By which it came, or went out; null: by none. */
  trunk: Trunk | null;
  /** Who signed in to call by WebSocket. */
  readonly signedInAs: string | null;
  /** Gives the channel of its trunk back, as soon as the dialog ends. Idempotent. */
  releaseChannel: () => void = () => {};
  #isRetired = false;
  #digits: Promise<void> = Promise.resolve();

  constructor(
    negotiation: MediaNegotiation,
    trunk: Trunk | null = null,
    signedInAs: string | null = null,
  ) {
    this.negotiation = negotiation;
    this.trunk = trunk;
    this.signedInAs = signedInAs;
  }

  /** Another dialog has taken its place: its end is not the call's, and it has no say any more. */
  retire(): void {
    this.#isRetired = true;
  }

  events(desk: DialogDesk): SipLegEvents {
    return {
      onEnded: (end) => {
        this.releaseChannel();
        if (!this.#isRetired) onLegEnded(desk, end);
      },
      onRefer: (refer) => {
        if (this.#isRetired) refer.refuse(603);
        else desk.referred(refer);
      },
      onRemoteAnswer: (sdp) => this.onRemoteAnswer(desk, sdp),
      onRemoteOffer: async (sdp) => this.#onRemoteOffer(desk, sdp),
      makeOffer: () => this.negotiation.offer(),
      onDigit: (digit) => {
        if (!this.#isRetired) this.voice?.injectDigit(digit);
      },
    };
  }

  /** The answer to an offer of ours: in a 200, in the ACK of a late offer or of a re-INVITE. */
  onRemoteAnswer(desk: DialogDesk, sdp: string): void {
    let parameters: RtpParameters;
    try {
      parameters = this.negotiation.readAnswer(sdp);
    } catch (error) {
      if (!(error instanceof SdpError)) throw error;
      desk.log.warn({ err: error }, 'the answer to our offer cannot be used');
      // A dialog that already talks keeps what it had; a new one has nothing to talk with.
      if (!desk.isConversing) desk.end(SDP_VERDICTS[error.code].reason, null);
      return;
    }
    this.voice?.update(parameters);
    desk.converse();
  }

  /** What is to be heard before the answer; the answer may say otherwise. False: it cannot be. */
  hearEarly(sdp: string, log: Logger): boolean {
    try {
      this.voice?.update(this.negotiation.readAnswer(sdp));
      return true;
    } catch (error) {
      if (!(error instanceof SdpError)) throw error;
      log.warn({ err: error }, 'early media cannot be heard');
      return false;
    }
  }

  /** The trunk may want its digits by SIP INFO, which the worker cannot send. */
  settleDigits(): void {
    if (this.trunk?.dtmf === 'info') this.voice?.carryDigits();
  }

  /** By INFO, one after the other. Never rejects: what cannot be sent is lost, as on any line. */
  sendDigits(digits: string, log: Logger): Promise<void> {
    this.#digits = this.#digits
      .then(async () => {
        for (const digit of digits) await this.leg?.sendInfoDigit(digit);
      })
      .catch((error: unknown) => log.warn({ err: error }, 'a key could not be sent by INFO'));
    return this.#digits;
  }

  /** BYE with a cause, where there is a dialog. */
  async hangUp(reason: EndReason): Promise<void> {
    const isFault = blameOf(reason) === 'gateway' || blameOf(reason) === 'provider';
    const q850 = isFault ? TEMPORARY_FAILURE : NORMAL_CLEARING;
    await this.leg?.hangUp({ q850, text: reason });
  }

  #onRemoteOffer(desk: DialogDesk, sdp: string): OfferReply {
    if (this.voice === null || desk.isEnding || this.#isRetired)
      return { type: 'refuse', status: 491 };
    try {
      this.voice.update(this.negotiation.readOffer(sdp));
      return { type: 'answer', sdp: this.negotiation.answer() };
    } catch (error) {
      if (error instanceof SdpError) return { type: 'refuse', status: 488 };
      desk.log.fatal({ err: error }, 'a re-INVITE failed');
      return { type: 'refuse', status: 500 };
    }
  }
}

export function onLegEnded(desk: DialogDesk, end: SipLegEnd): void {
  // No reason means that we ended it ourselves, and then ours stands already.
  desk.end(end.reason ?? 'internal-error', end);
}
