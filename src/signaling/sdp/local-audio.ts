import type { MediaDirection } from '../../model/media.ts';
import type { SdesCrypto } from './sdes-crypto.ts';
import { cryptoAttribute } from './sdes-crypto.ts';
import type { SdpAttribute, SdpMedia } from './session-description.ts';

/** One payload format as we write it. */
export interface LocalFormat {
  readonly payloadType: number;
  /** e.g. `opus/48000/2`. */
  readonly rtpmap: string;
  readonly fmtp: string | null;
}

export interface LocalAudio {
  readonly protocol: string;
  readonly port: number;
  readonly formats: readonly LocalFormat[];
  readonly direction: MediaDirection;
  readonly hasRtcpMux: boolean;
  readonly cryptos: readonly SdesCrypto[];
}

/** What we can hear of keypad events: digits, star, pound and A to D (RFC 4733 §3.2). */
export const TELEPHONE_EVENTS = '0-15';

/** What we ask of the far encoder: Opus carries its own loss repair and we hear mono. */
export const OPUS_FMTP = 'useinbandfec=1; stereo=0; sprop-stereo=0';

/** Our audio section. */
export function localAudioMedia(audio: LocalAudio): SdpMedia {
  const { protocol, port, formats, direction, hasRtcpMux, cryptos } = audio;
  const attributes: SdpAttribute[] = [];
  for (const { payloadType, rtpmap, fmtp } of formats) {
    attributes.push({ name: 'rtpmap', value: `${payloadType} ${rtpmap}` });
    if (fmtp !== null) attributes.push({ name: 'fmtp', value: `${payloadType} ${fmtp}` });
  }
  attributes.push({ name: 'ptime', value: '20' }, { name: direction, value: null });
  if (hasRtcpMux) attributes.push({ name: 'rtcp-mux', value: null });
  return {
    kind: 'audio',
    port,
    portCount: 1,
    protocol,
    formats: formats.map(({ payloadType }) => String(payloadType)),
    connection: null,
    attributes: [...attributes, ...cryptos.map(cryptoAttribute)],
  };
}

/** A section we do not take: same kind, protocol and first format, port 0 (RFC 3264 §6). */
export const rejectedMedia = (media: SdpMedia): SdpMedia => ({
  kind: media.kind,
  port: 0,
  portCount: 1,
  protocol: media.protocol,
  formats: media.formats.slice(0, 1),
  connection: null,
  attributes: [],
});
