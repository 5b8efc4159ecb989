import { blameOf, type EndReason } from '../model/end-reason.ts';
import type { CodecName, RtpParameters } from '../model/media.ts';
import { SdpError } from '../signaling/sdp/sdp-error.ts';
import type {
  OfferReply,
  SipInvite,
  SipLeg,
  SipLegEnd,
  SipLegEvents,
} from '../signaling/sip-leg.ts';
import type { PhoneVoiceLeg } from '../voice/voice-leg.ts';
import type { VoicePool } from '../voice/voice-pool.ts';
import { MediaNegotiation } from './media-negotiation.ts';
import type { CallDesk, Party } from './party.ts';
import { type RefusalReason, refusalStatus } from './refusal-status.ts';

/** Q.850 cause of our BYE (RFC 3326): normal clearing, or the gateway's own fault. */
const NORMAL_CLEARING = 16;
const TEMPORARY_FAILURE = 41;

/** A caller who came by an INVITE: its dialog, and what offer and answer agreed on. */
export class SipParty implements Party {
  readonly #invite: SipInvite;
  readonly #pool: Pick<VoicePool, 'openLeg'>;
  readonly #negotiation: MediaNegotiation;
  #leg: SipLeg | null = null;
  #voice: PhoneVoiceLeg | null = null;

  constructor(
    invite: SipInvite,
    pool: Pick<VoicePool, 'openLeg'> & { readonly codecs: readonly CodecName[] },
  ) {
    this.#invite = invite;
    this.#pool = pool;
    this.#negotiation = new MediaNegotiation(pool.codecs);
  }

  async join(desk: CallDesk): Promise<void> {
    const invite = this.#invite;
    invite.onCanceled((end) => onLegEnded(desk, end));
    // Read the offer first: a call we cannot speak with must not cost a port.
    const offered = invite.offerSdp === null ? null : this.#negotiation.readOffer(invite.offerSdp);
    const voice = await this.#pool.openLeg(desk.record.id, desk.legId, desk.voiceEvents);
    if (!(await desk.holdVoice(voice))) return;

    this.#voice = voice;
    this.#negotiation.bind(voice.local);
    if (offered !== null) voice.update(offered);
    const sdp = offered === null ? this.#negotiation.offer() : this.#negotiation.answer();
    const leg = await invite.answer(sdp, this.#events(desk));
    this.#leg = leg;
    if (desk.isEnding) return leg.hangUp();

    desk.answered();
    if (offered !== null) desk.converse();
  }

  refuse(reason: RefusalReason): number {
    const { status, retryAfterSeconds } = refusalStatus(reason);
    this.#invite.refuse(status, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    return status;
  }

  async leave(reason: EndReason): Promise<void> {
    const isFault = blameOf(reason) === 'gateway' || blameOf(reason) === 'provider';
    const q850 = isFault ? TEMPORARY_FAILURE : NORMAL_CLEARING;
    await this.#leg?.hangUp({ q850, text: reason });
  }

  #events(desk: CallDesk): SipLegEvents {
    return {
      onEnded: (end) => onLegEnded(desk, end),
      onRemoteAnswer: (sdp) => this.#onRemoteAnswer(desk, sdp),
      onRemoteOffer: async (sdp) => this.#onRemoteOffer(desk, sdp),
      makeOffer: () => this.#negotiation.offer(),
      onDigit: (digit) => this.#voice?.injectDigit(digit),
    };
  }

  /** The ACK of a late offer, or of a re-INVITE without one, brought the answer. */
  #onRemoteAnswer(desk: CallDesk, sdp: string): void {
    let parameters: RtpParameters;
    try {
      parameters = this.#negotiation.readAnswer(sdp);
    } catch (error) {
      if (!(error instanceof SdpError)) throw error;
      desk.log.warn({ err: error }, 'the answer to our offer cannot be used');
      // A dialog that already talks keeps what it had; a new one has nothing to talk with.
      if (!desk.isConversing) desk.end('no-common-codec', null);
      return;
    }
    this.#voice?.update(parameters);
    desk.converse();
  }

  #onRemoteOffer(desk: CallDesk, sdp: string): OfferReply {
    if (this.#voice === null || desk.isEnding) return { type: 'refuse', status: 491 };
    try {
      this.#voice.update(this.#negotiation.readOffer(sdp));
      return { type: 'answer', sdp: this.#negotiation.answer() };
    } catch (error) {
      if (error instanceof SdpError) return { type: 'refuse', status: 488 };
      desk.log.fatal({ err: error }, 'a re-INVITE failed');
      return { type: 'refuse', status: 500 };
    }
  }
}

function onLegEnded(desk: CallDesk, end: SipLegEnd): void {
  // No reason means that we ended it ourselves, and then ours stands already.
  desk.end(end.reason ?? 'internal-error', end);
}
