import type { AudioAnswer, AudioCapabilities } from '../../../src/signaling/sdp/audio-answer.ts';
import { answerOffer, writeAnswer } from '../../../src/signaling/sdp/audio-answer.ts';
import { makeOffer, offerAgain } from '../../../src/signaling/sdp/audio-offer.ts';
import { SDP_VERDICTS, SdpError } from '../../../src/signaling/sdp/sdp-error.ts';
import { SdpOrigin } from '../../../src/signaling/sdp/sdp-origin.ts';
import type { SipEngineOptions, SipSignaling } from '../../../src/signaling/sip-engine-client.ts';
import { connectSipEngine } from '../../../src/signaling/sip-engine-client.ts';
import type { OfferReply, SipInvite, SipLeg } from '../../../src/signaling/sip-leg.ts';
import { Inbox, LegOwner } from '../../support/leg-owner.ts';
import type { TestEngine } from '../../support/test-engine.ts';
import { startTestEngine } from '../../support/test-engine.ts';

const CAPABILITIES: AudioCapabilities = { codecs: ['opus', 'pcma', 'pcmu'], createSrtpKeys: null };
const LOCAL = { address: '127.0.0.1', port: 40_000 };

/** One end of a call without media: it offers and answers as a leg of an agent would. */
export class PhoneOwner extends LegOwner {
  readonly #origin = new SdpOrigin();
  #agreed: AudioAnswer | null = null;

  constructor() {
    super(
      () => this.offer(),
      (sdp) => Promise.resolve(this.answer(sdp)),
    );
  }

  offer(direction: AudioCapabilities['direction'] = 'sendrecv'): string {
    const capabilities = { ...CAPABILITIES, direction };
    return this.#agreed === null
      ? makeOffer(capabilities, LOCAL, this.#origin).sdp
      : offerAgain(this.#agreed, capabilities, LOCAL, this.#origin).sdp;
  }

  answer(offerSdp: string): OfferReply {
    try {
      const agreed = answerOffer(offerSdp, CAPABILITIES);
      this.#agreed = agreed;
      return { type: 'answer', sdp: writeAnswer(agreed, LOCAL, this.#origin) };
    } catch (error) {
      if (error instanceof SdpError) return { type: 'refuse', status: 488 };
      throw error;
    }
  }
}

/** What a call was to our side. */
export interface TakenCall {
  readonly owner: PhoneOwner;
  readonly leg: SipLeg;
}

/** Engine and signaling, with the simplest of intakes. */
export class SipPhone {
  readonly engine: TestEngine;
  readonly signaling: SipSignaling;
  readonly invites: Inbox<SipInvite>;

  private constructor(engine: TestEngine, signaling: SipSignaling, invites: Inbox<SipInvite>) {
    this.engine = engine;
    this.signaling = signaling;
    this.invites = invites;
  }

  static async start(
    options: Partial<SipEngineOptions> & { readonly t1Ms?: number } = {},
  ): Promise<SipPhone> {
    const { t1Ms, ...rest } = options;
    const engine = await startTestEngine(t1Ms === undefined ? {} : { t1Ms });
    const invites = new Inbox<SipInvite>();
    const signaling = connectSipEngine({
      ...engine.address,
      onInvite: (invite) => {
        invites.put(invite);
      },
      log: { info: () => {}, warn: () => {}, error: () => {} },
      ...rest,
    });
    await signaling.whenConnected();
    return new SipPhone(engine, signaling, invites);
  }

  /** Takes the next call: rings, answers, and returns its leg. */
  async take(): Promise<TakenCall> {
    const invite = await this.invites.next();
    invite.ring();
    const owner = new PhoneOwner();
    const reply =
      invite.offerSdp === null
        ? { type: 'answer' as const, sdp: owner.offer() }
        : owner.answer(invite.offerSdp);
    if (reply.type !== 'answer') throw new Error('the offer of the scenario cannot be answered');
    return { owner, leg: await invite.answer(reply.sdp, owner) };
  }

  /** Refuses the next call as its offer deserves. */
  async refuseBySdp(): Promise<void> {
    const invite = await this.invites.next();
    try {
      answerOffer(invite.offerSdp ?? '', CAPABILITIES);
    } catch (error) {
      if (!(error instanceof SdpError)) throw error;
      invite.refuse(SDP_VERDICTS[error.code].sipStatus, { reasonText: error.message });
    }
  }

  async close(): Promise<void> {
    await this.signaling.close();
    await this.engine.close();
  }
}
