import type { CodecName, LocalMediaAddress, RtpParameters } from '../model/media.ts';
import {
  type AudioAnswer,
  type AudioCapabilities,
  answerOffer,
  writeAnswer,
} from '../signaling/sdp/audio-answer.ts';
import { type AudioOffer, makeOffer, readAnswer } from '../signaling/sdp/audio-offer.ts';
import { SdpOrigin } from '../signaling/sdp/sdp-origin.ts';

/**
 * Offer and answer of one leg over its whole life (RFC 3264). An offer is read before a port
 * is taken for it, so reading and answering are two steps.
 */
export class MediaNegotiation {
  readonly #capabilities: AudioCapabilities;
  readonly #origin = new SdpOrigin();
  #local: LocalMediaAddress | null = null;
  #answering: AudioAnswer | null = null;
  #offered: AudioOffer | null = null;

  constructor(codecs: readonly CodecName[]) {
    this.#capabilities = { codecs, createSrtpKeys: null };
  }

  /** Says where we receive. Before this nothing can be written. */
  bind(local: LocalMediaAddress): void {
    this.#local = local;
  }

  /**
   * Reads the other side's offer and chooses.
   * @throws SdpError
   */
  readOffer(offerSdp: string): RtpParameters {
    this.#answering = answerOffer(offerSdp, this.#capabilities);
    return this.#answering.parameters;
  }

  /** The answer to the offer that was read last. */
  answer(): string {
    if (this.#answering === null) throw new TypeError('no offer was read');
    return writeAnswer(this.#answering, this.#address(), this.#origin);
  }

  /** Our own offer, for an INVITE that came without one. */
  offer(): string {
    this.#offered = makeOffer(this.#capabilities, this.#address(), this.#origin);
    return this.#offered.sdp;
  }

  /**
   * Reads the answer to the offer that was made last.
   * @throws SdpError
   */
  readAnswer(answerSdp: string): RtpParameters {
    if (this.#offered === null) throw new TypeError('no offer was made');
    return readAnswer(this.#offered, answerSdp);
  }

  #address(): LocalMediaAddress {
    if (this.#local === null) throw new TypeError('the leg has no port yet');
    return this.#local;
  }
}
