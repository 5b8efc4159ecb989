import type { CodecName, LocalMediaAddress, RtpParameters } from '../model/media.ts';
import {
  type AudioAnswer,
  type AudioCapabilities,
  answerOffer,
  writeAnswer,
} from '../signaling/sdp/audio-answer.ts';
import { type AudioOffer, makeOffer, readAnswer } from '../signaling/sdp/audio-offer.ts';
import { SdpError } from '../signaling/sdp/sdp-error.ts';
import { SdpOrigin } from '../signaling/sdp/sdp-origin.ts';
import type { Trunk } from '../signaling/trunk/trunk.ts';

/**
 * By a trunk's codecs and address. A trunk that insists on encrypted audio has nothing that we
 * can speak yet: its calls are refused, never spoken in the clear.
 */
export function negotiationFor(
  codecs: readonly CodecName[],
  trunk: Pick<Trunk, 'codecs' | 'srtp' | 'externalAddress'> | null,
): MediaNegotiation {
  if (trunk === null) return new MediaNegotiation(codecs);
  const isClear = trunk.srtp !== 'required';
  const common = isClear ? trunk.codecs.filter((codec) => codecs.includes(codec)) : [];
  return new MediaNegotiation(common, trunk.externalAddress);
}

/**
 * Offer and answer of one leg over its whole life (RFC 3264). An offer is read before a port
 * is taken for it, so reading and answering are two steps.
 */
export class MediaNegotiation {
  readonly #capabilities: AudioCapabilities;
  readonly #externalAddress: string | null;
  readonly #origin = new SdpOrigin();
  #local: LocalMediaAddress | null = null;
  #answering: AudioAnswer | null = null;
  #offered: AudioOffer | null = null;

  /** @param externalAddress announced instead of the leg's own address */
  constructor(codecs: readonly CodecName[], externalAddress: string | null = null) {
    this.#capabilities = { codecs, createSrtpKeys: null };
    this.#externalAddress = externalAddress;
  }

  /** Says where we receive. Before this nothing can be written. */
  bind(local: LocalMediaAddress): void {
    this.#local = { ...local, address: this.#externalAddress ?? local.address };
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

  /**
   * Our own offer: of an outbound call, or for an INVITE that came without one.
   * @throws SdpError when there is nothing to offer
   */
  offer(): string {
    if (this.#capabilities.codecs.length === 0) {
      throw new SdpError('SDP_NO_COMMON_CODEC', 'there is no codec to offer');
    }
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
