import { blameOf, type EndReason } from '../model/end-reason.ts';
import type { RtpParameters } from '../model/media.ts';
import { SDP_VERDICTS, SdpError } from '../signaling/sdp/sdp-error.ts';
import type { OfferReply, SipLeg, SipLegEnd, SipLegEvents } from '../signaling/sip-leg.ts';
import type { PhoneVoiceLeg } from '../voice/voice-leg.ts';
import type { MediaNegotiation } from './media-negotiation.ts';
import type { CallDesk } from './party.ts';

/** Q.850 cause of our BYE (RFC 3326): normal clearing, or the gateway's own fault. */
const NORMAL_CLEARING = 16;
const TEMPORARY_FAILURE = 41;

/** What a phone's dialog asks of its call, whichever side began it. */
export class PhoneDialog {
  negotiation: MediaNegotiation;
  voice: PhoneVoiceLeg | null = null;
  leg: SipLeg | null = null;

  constructor(negotiation: MediaNegotiation) {
    this.negotiation = negotiation;
  }

  events(desk: CallDesk): SipLegEvents {
    return {
      onEnded: (end) => onLegEnded(desk, end),
      onRemoteAnswer: (sdp) => this.onRemoteAnswer(desk, sdp),
      onRemoteOffer: async (sdp) => this.#onRemoteOffer(desk, sdp),
      makeOffer: () => this.negotiation.offer(),
      onDigit: (digit) => this.voice?.injectDigit(digit),
    };
  }

  /** The answer to an offer of ours: in a 200, in the ACK of a late offer or of a re-INVITE. */
  onRemoteAnswer(desk: CallDesk, sdp: string): void {
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

  /** BYE with a cause, where there is a dialog. */
  async hangUp(reason: EndReason): Promise<void> {
    const isFault = blameOf(reason) === 'gateway' || blameOf(reason) === 'provider';
    const q850 = isFault ? TEMPORARY_FAILURE : NORMAL_CLEARING;
    await this.leg?.hangUp({ q850, text: reason });
  }

  #onRemoteOffer(desk: CallDesk, sdp: string): OfferReply {
    if (this.voice === null || desk.isEnding) return { type: 'refuse', status: 491 };
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

export function onLegEnded(desk: CallDesk, end: SipLegEnd): void {
  // No reason means that we ended it ourselves, and then ours stands already.
  desk.end(end.reason ?? 'internal-error', end);
}
