import type { CodecName, LocalMediaAddress, RtpParameters, SrtpKeys } from '../model/media.ts';
import {
  type AudioAnswer,
  type AudioCapabilities,
  answerOffer,
  writeAnswer,
} from '../signaling/sdp/audio-answer.ts';
import { type AudioOffer, makeOffer, readAnswer } from '../signaling/sdp/audio-offer.ts';
import { SdpError } from '../signaling/sdp/sdp-error.ts';
import { LocalSrtpKeys } from '../signaling/sdp/local-srtp-keys.ts';
import { SdpOrigin } from '../signaling/sdp/sdp-origin.ts';
import type { Trunk } from '../signaling/trunk/trunk.ts';

/** By a trunk's codecs, encryption and address. */
export function negotiationFor(
  codecs: readonly CodecName[],
  trunk: Pick<Trunk, 'codecs' | 'srtp' | 'externalAddress'> | null,
): MediaNegotiation {
  // Who calls without a trunk may choose: encrypted when offered so.
  if (trunk === null) return new MediaNegotiation({ codecs, srtp: 'optional' });
  const { srtp, externalAddress } = trunk;
  const common = trunk.codecs.filter((codec) => codecs.includes(codec));
  return new MediaNegotiation({ codecs: common, srtp, externalAddress });
}

export interface MediaNegotiationOptions {
  /** Best first. */
  readonly codecs: readonly CodecName[];
  readonly srtp: Trunk['srtp'];
  /** Announced instead of the leg's own address. */
  readonly externalAddress?: string | null;
}

/**
 * Offer and answer of one leg over its whole life (RFC 3264). An offer is read before a port
 * is taken for it, so reading and answering are two steps.
 */
export class MediaNegotiation {
  /** Host that the other side's descriptions come from, as soon as it is known. */
  signalingAddress: string | null = null;
  readonly #capabilities: AudioCapabilities;
  readonly #externalAddress: string | null;
  readonly #origin = new SdpOrigin();
  readonly #keys = new LocalSrtpKeys();
  #local: LocalMediaAddress | null = null;
  #answering: AudioAnswer | null = null;
  #offered: AudioOffer | null = null;

  constructor({ codecs, srtp, externalAddress = null }: MediaNegotiationOptions) {
    const createSrtpKeys = (suite: SrtpKeys['suite']) => this.#keys.of(suite);
    this.#capabilities = {
      codecs,
      createSrtpKeys: srtp === 'off' ? null : createSrtpKeys,
      isSrtpRequired: srtp === 'required',
    };
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
    let answering = answerOffer(offerSdp, this.#capabilities);
    if (this.#keys.isOfAnotherPeer(answering.parameters.srtp)) {
      this.#keys.renew();
      answering = answerOffer(offerSdp, this.#capabilities);
    }
    this.#answering = answering;
    return { ...answering.parameters, signalingAddress: this.signalingAddress };
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
    const parameters = readAnswer(this.#offered, answerSdp);
    this.#keys.isOfAnotherPeer(parameters.srtp);
    return { ...parameters, signalingAddress: this.signalingAddress };
  }

  #address(): LocalMediaAddress {
    if (this.#local === null) throw new TypeError('the leg has no port yet');
    return this.#local;
  }
}
