import { blameOf, type EndReason } from '../model/end-reason.ts';
import type { OfferReply, SipLeg, SipLegEvents } from '../signaling/sip-leg.ts';
import type { WebVoiceLeg } from '../voice/voice-leg.ts';
import type { CallDesk } from './party.ts';
import { onLegEnded } from './phone-dialog.ts';

/** Q.850 cause of our BYE (RFC 3326): normal clearing, or the gateway's own fault. */
const NORMAL_CLEARING = 16;
const TEMPORARY_FAILURE = 41;

/**
 * What a browser's SIP dialog asks of its call, whichever side began it. Its media is WebRTC, so
 * offers always come from the browser and the worker answers them.
 */
export class WebDialog {
  voice: WebVoiceLeg | null = null;
  leg: SipLeg | null = null;
  #answerSdp = '';
  #hasMet = false;

  events(desk: CallDesk): SipLegEvents {
    return {
      onEnded: (end) => onLegEnded(desk, end),
      // The answer to a description of ours that asked for nothing new.
      onRemoteAnswer: () => {},
      onRemoteOffer: (sdp) => this.#onRemoteOffer(desk, sdp),
      makeOffer: () => this.#asOffer(),
      onDigit: (digit) => this.voice?.injectDigit(digit),
    };
  }

  /** The first answer of this dialog. */
  begin(voice: WebVoiceLeg): string {
    this.voice = voice;
    this.#answerSdp = voice.answerSdp;
    return voice.answerSdp;
  }

  /** Packets pass both ways: only now anybody is heard, so only now the call counts. */
  onConnected(desk: CallDesk): void {
    if (this.#hasMet || desk.isEnding) return;
    this.#hasMet = true;
    desk.answered();
    desk.converse();
  }

  /** BYE with a cause, where there is a dialog. */
  async hangUp(reason: EndReason): Promise<void> {
    const isFault = blameOf(reason) === 'gateway' || blameOf(reason) === 'provider';
    const q850 = isFault ? TEMPORARY_FAILURE : NORMAL_CLEARING;
    await this.leg?.hangUp({ q850, text: reason });
  }

  async #onRemoteOffer(desk: CallDesk, sdp: string): Promise<OfferReply> {
    if (this.voice === null || desk.isEnding) return { type: 'refuse', status: 491 };
    const answerSdp = await this.voice.resume(sdp);
    if (answerSdp === null) return { type: 'refuse', status: 488 };
    this.#answerSdp = answerSdp;
    return { type: 'answer', sdp: answerSdp };
  }

  /** A re-INVITE without an offer asks for ours: what stands, with the role in DTLS left open. */
  #asOffer(): string {
    return this.#answerSdp.replace(/^a=setup:\w+/gm, 'a=setup:actpass');
  }
}
