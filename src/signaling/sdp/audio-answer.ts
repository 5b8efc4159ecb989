import type {
  CodecName,
  LocalMediaAddress,
  MediaDirection,
  RtpParameters,
  SrtpKeys,
} from '../../model/media.ts';
import type { LocalFormat } from './local-audio.ts';
import { localAudioMedia, OPUS_FMTP, rejectedMedia, TELEPHONE_EVENTS } from './local-audio.ts';
import type { PayloadFormat } from './payload-format.ts';
import { CODEC_FORMATS } from './payload-format.ts';
import type { RemoteAudio } from './remote-audio.ts';
import {
  agreedDirection,
  firstCommonFormat,
  readRemoteAudio,
  rtpParameters,
  telephoneEventFor,
} from './remote-audio.ts';
import type { SdesCrypto } from './sdes-crypto.ts';
import { usableCryptos } from './sdes-crypto.ts';
import { SdpError } from './sdp-error.ts';
import type { SdpOrigin } from './sdp-origin.ts';
import type { SdpMedia } from './session-description.ts';
import { parseSessionDescription } from './session-description.ts';

/** What we are able and allowed to do on one leg. */
export interface AudioCapabilities {
  /** What may be spoken (a trunk's own list), best first. G.722 only when it is listed. */
  readonly codecs: readonly CodecName[];
  /**
   * Makes our keys for SDES-SRTP: the same ones each time for one leg and suite, or every
   * re-INVITE would change them. Null: RTP/SAVP is not taken, `a=crypto` is not looked at.
   */
  readonly createSrtpKeys: ((suite: SrtpKeys['suite']) => SrtpKeys) | null;
  /** With keys of ours: plain audio is refused. Default: it is taken where nothing better is. */
  readonly isSrtpRequired?: boolean;
  /** `sendrecv` unless we hold the call ourselves. */
  readonly direction?: MediaDirection;
}

/** An offer understood: media can be prepared before the local port is known. */
export interface AudioAnswer {
  readonly parameters: RtpParameters;
  /** The offer's sections, `takenIndex` being the one we speak on. */
  readonly offered: readonly SdpMedia[];
  readonly takenIndex: number;
  readonly formats: readonly LocalFormat[];
  readonly crypto: SdesCrypto | null;
}

const PLAIN = new Set(['RTP/AVP', 'RTP/AVPF']);
const SDES = new Set(['RTP/SAVP', 'RTP/SAVPF']);

/**
 * Decides what to do with an offer (RFC 3264 §6). The first audio section that has a codec of
 * ours is taken, encrypted ones before plain ones, in the offer's own order of formats; every
 * other one will be answered with port 0. Throws `SdpError` and nothing else.
 */
export function answerOffer(offerSdp: string, capabilities: AudioCapabilities): AudioAnswer {
  const offer = parseSessionDescription(offerSdp);
  const usable = usableSections(offer.media, capabilities);
  const encrypted = usable.filter(({ cryptos }) => cryptos.length > 0);
  const plain = usable.filter(({ cryptos }) => cryptos.length === 0);
  const isPlainTaken = capabilities.isSrtpRequired !== true;
  for (const { media, takenIndex, cryptos } of [...encrypted, ...(isPlainTaken ? plain : [])]) {
    const remote = readRemoteAudio(offer, media);
    const chosen = firstCommonFormat(remote.formats, capabilities.codecs);
    if (chosen === null) continue;
    const direction = agreedDirection(remote.direction, capabilities.direction ?? 'sendrecv');
    const { crypto, srtp } = agreeOnKeys(cryptos, capabilities);
    const parameters = rtpParameters(remote, chosen, direction, srtp);
    const formats = answeredFormats(remote, chosen);
    return { parameters, offered: offer.media, takenIndex, formats, crypto };
  }
  if (!isPlainTaken && plain.length > 0 && encrypted.length === 0) {
    throw new SdpError('SDP_SRTP_REQUIRED', 'the offer has plain audio only');
  }
  throw new SdpError('SDP_NO_COMMON_CODEC', 'no audio section of the offer can be taken');
}

interface UsableSection {
  readonly media: SdpMedia;
  readonly takenIndex: number;
  /** None: plain RTP. */
  readonly cryptos: readonly SdesCrypto[];
}

/**
 * The audio sections of protocols that we speak. A crypto line in an RTP/AVP section is the
 * common way to offer encryption to those who can without failing with the others.
 */
function usableSections(
  sections: readonly SdpMedia[],
  { createSrtpKeys }: AudioCapabilities,
): UsableSection[] {
  return sections.flatMap((media, takenIndex) => {
    if (media.kind !== 'audio' || media.port === 0) return [];
    const cryptos = createSrtpKeys === null ? [] : usableCryptos(media);
    const isSpoken = PLAIN.has(media.protocol) || (SDES.has(media.protocol) && cryptos.length > 0);
    return isSpoken ? [{ media, takenIndex, cryptos }] : [];
  });
}

function agreeOnKeys(
  [first]: readonly SdesCrypto[],
  { createSrtpKeys }: AudioCapabilities,
): { readonly crypto: SdesCrypto | null; readonly srtp: RtpParameters['srtp'] } {
  if (first === undefined || createSrtpKeys === null) return { crypto: null, srtp: null };
  const local = createSrtpKeys(first.keys.suite);
  return { crypto: { tag: first.tag, keys: local }, srtp: { local, remote: first.keys } };
}

/** One codec, so that it cannot change in mid-call, and keypad events; numbers as offered. */
function answeredFormats(
  remote: RemoteAudio,
  { codec, format }: { readonly codec: CodecName; readonly format: PayloadFormat },
): LocalFormat[] {
  const { rtpmap } = CODEC_FORMATS[codec];
  const fmtp = codec === 'opus' ? OPUS_FMTP : null;
  const formats: LocalFormat[] = [{ payloadType: format.payloadType, rtpmap, fmtp }];
  const event = telephoneEventFor(remote.formats, format.clockRateHz);
  if (event !== null) {
    const { payloadType, clockRateHz } = event;
    const eventMap = `telephone-event/${clockRateHz}`;
    formats.push({ payloadType, rtpmap: eventMap, fmtp: TELEPHONE_EVENTS });
  }
  return formats;
}

/** Writes the answer once the local port is known. The same input gives the same bytes. */
export function writeAnswer(
  answer: AudioAnswer,
  local: LocalMediaAddress,
  origin: SdpOrigin,
): string {
  const { parameters, offered, takenIndex, formats, crypto } = answer;
  const media = offered.map((section, index) =>
    index === takenIndex
      ? localAudioMedia({
          protocol: section.protocol,
          port: local.port,
          formats,
          direction: parameters.direction,
          hasRtcpMux: parameters.rtcpMux,
          cryptos: crypto === null ? [] : [crypto],
        })
      : rejectedMedia(section),
  );
  return origin.write({ address: local.address, media });
}
