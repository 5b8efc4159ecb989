import type { LocalMediaAddress, RtpParameters, SrtpKeys } from '../../model/media.ts';
import type { AudioAnswer, AudioCapabilities } from './audio-answer.ts';
import { writeAnswer } from './audio-answer.ts';
import type { LocalFormat } from './local-audio.ts';
import { localAudioMedia, OPUS_FMTP, TELEPHONE_EVENTS } from './local-audio.ts';
import { CODEC_FORMATS } from './payload-format.ts';
import {
  agreedDirection,
  firstCommonFormat,
  readRemoteAudio,
  rtpParameters,
} from './remote-audio.ts';
import type { SdesCrypto } from './sdes-crypto.ts';
import { usableCryptos } from './sdes-crypto.ts';
import { SdpError } from './sdp-error.ts';
import type { SdpOrigin } from './sdp-origin.ts';
import type { SdpMedia } from './session-description.ts';
import { parseSessionDescription } from './session-description.ts';

/** An offer of ours: what goes out, and what is needed to read its answer. */
export interface AudioOffer {
  readonly sdp: string;
  readonly capabilities: AudioCapabilities;
  readonly cryptos: readonly SdesCrypto[];
  /** Sections of the offer, and which of them is the audio: the answer has the same. */
  readonly sectionCount: number;
  readonly takenIndex: number;
}

/** Payload types of telephone-event in our offers, by clock rate. */
const EVENT_PAYLOAD_TYPES: ReadonlyMap<number, number> = new Map([
  [8_000, 101],
  [48_000, 110],
]);

/** Best first; the last one's short tag is better than no encryption. */
const OFFERED_SUITES: readonly SrtpKeys['suite'][] = [
  'AEAD_AES_128_GCM',
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
];

/** Our first offer on a leg: an outbound call, or a late offer. Again on the same leg it fits too. */
export function makeOffer(
  capabilities: AudioCapabilities,
  local: LocalMediaAddress,
  origin: SdpOrigin,
): AudioOffer {
  const { codecs, createSrtpKeys, isSrtpRequired = false } = capabilities;
  const formats: LocalFormat[] = codecs.map((codec) => ({
    ...CODEC_FORMATS[codec],
    fmtp: codec === 'opus' ? OPUS_FMTP : null,
  }));
  for (const [clockRateHz, payloadType] of EVENT_PAYLOAD_TYPES) {
    if (!codecs.some((codec) => (codec === 'opus' ? 48_000 : 8_000) === clockRateHz)) continue;
    const rtpmap = `telephone-event/${clockRateHz}`;
    formats.push({ payloadType, rtpmap, fmtp: TELEPHONE_EVENTS });
  }
  const cryptos =
    createSrtpKeys === null
      ? []
      : OFFERED_SUITES.map((suite, index) => ({
          tag: `${index + 1}`,
          keys: createSrtpKeys(suite),
        }));
  const media = localAudioMedia({
    // RTP/AVP with crypto lines: who cannot encrypt answers in plain.
    protocol: isSrtpRequired ? 'RTP/SAVP' : 'RTP/AVP',
    port: local.port,
    formats,
    direction: capabilities.direction ?? 'sendrecv',
    hasRtcpMux: true,
    cryptos,
  });
  const sdp = origin.write({ address: local.address, media: [media] });
  return { sdp, capabilities, cryptos, sectionCount: 1, takenIndex: 0 };
}

/**
 * Our offer in mid-call on a leg where they offered first: hold, or a re-INVITE without offer.
 * It repeats what was agreed, since neither the number of sections nor the meaning of a payload
 * type may change within a session (RFC 3264 §8, §8.3.2).
 */
export function offerAgain(
  agreed: AudioAnswer,
  capabilities: AudioCapabilities,
  local: LocalMediaAddress,
  origin: SdpOrigin,
): AudioOffer {
  const { parameters, offered, takenIndex, crypto } = agreed;
  const direction = capabilities.direction ?? 'sendrecv';
  const wanted = { ...agreed, parameters: { ...parameters, direction } };
  return {
    sdp: writeAnswer(wanted, local, origin),
    capabilities: { ...capabilities, codecs: [parameters.codec] },
    cryptos: crypto === null ? [] : [crypto],
    sectionCount: offered.length,
    takenIndex,
  };
}

/**
 * Reads the answer to an offer of ours (RFC 3264 §7). Throws `SdpError` when it cannot be read,
 * refuses the audio, or is not an answer to that offer.
 */
export function readAnswer(offer: AudioOffer, answerSdp: string): RtpParameters {
  const answer = parseSessionDescription(answerSdp);
  const media = answer.media[offer.takenIndex];
  if (answer.media.length !== offer.sectionCount || media?.kind !== 'audio') {
    throw new SdpError('SDP_ANSWER_MISMATCH', 'the answer has other sections than the offer');
  }
  if (media.port === 0) throw new SdpError('SDP_NO_COMMON_CODEC', 'the answer refuses the audio');
  const srtp = keysOfAnswer(offer, media);
  const remote = readRemoteAudio(answer, media);
  const chosen = firstCommonFormat(remote.formats, offer.capabilities.codecs);
  if (chosen === null) {
    throw new SdpError('SDP_NO_COMMON_CODEC', 'the answer has no codec of the offer');
  }
  const wanted = offer.capabilities.direction ?? 'sendrecv';
  return rtpParameters(remote, chosen, agreedDirection(remote.direction, wanted), srtp);
}

/**
 * The answer picks exactly one crypto line by its tag (RFC 4568 §5.1.3). It should repeat the
 * protocol of the offer, but some say RTP/SAVP to an RTP/AVP with crypto lines, or the other way
 * round; the line is what counts. Null: plain RTP.
 */
function keysOfAnswer(offer: AudioOffer, media: SdpMedia): RtpParameters['srtp'] {
  const isSaidSecure = media.protocol.startsWith('RTP/SAVP');
  const isSpoken = isSaidSecure || media.protocol.startsWith('RTP/AVP');
  if (!isSpoken || (isSaidSecure && offer.cryptos.length === 0)) {
    throw new SdpError('SDP_ANSWER_MISMATCH', 'the answer has another protocol than the offer');
  }
  const [picked] = offer.cryptos.length === 0 ? [] : usableCryptos(media);
  const local = offer.cryptos.find(
    ({ tag, keys }) => tag === picked?.tag && keys.suite === picked.keys.suite,
  );
  if (picked !== undefined && local !== undefined) {
    return { local: local.keys, remote: picked.keys };
  }
  if (isSaidSecure || picked !== undefined) {
    throw new SdpError('SDP_ANSWER_MISMATCH', 'the answer has no crypto line of the offer');
  }
  if (offer.capabilities.isSrtpRequired === true) {
    throw new SdpError('SDP_SRTP_REQUIRED', 'the answer has plain audio');
  }
  return null;
}
