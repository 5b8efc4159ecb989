import type { CodecName } from '../../model/media.ts';
import type { SdpMedia } from './session-description.ts';

/** One RTP payload format of an m-line, with its rtpmap and fmtp resolved. */
export interface PayloadFormat {
  readonly payloadType: number;
  /** Encoding name in lower case: `pcmu`, `opus`, `telephone-event`, `cn`, … */
  readonly encoding: string;
  /** As written in the rtpmap: 8000 for G.722, though it samples at 16 kHz (RFC 3551 §4.5.2). */
  readonly clockRateHz: number;
  /** fmtp parameters by lower case name; one without `=` (`0-16`) has an empty value. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** How each codec stands in an rtpmap; `payloadType` is what our own offers give it. */
export const CODEC_FORMATS: Readonly<
  Record<CodecName, { readonly rtpmap: string; readonly payloadType: number }>
> = {
  pcmu: { rtpmap: 'PCMU/8000', payloadType: 0 },
  pcma: { rtpmap: 'PCMA/8000', payloadType: 8 },
  g722: { rtpmap: 'G722/8000', payloadType: 9 },
  opus: { rtpmap: 'opus/48000/2', payloadType: 111 },
};

/** Static payload types (RFC 3551 §6) that may stand without an rtpmap. */
const STATIC: Readonly<Record<number, string>> = {
  0: 'PCMU/8000',
  3: 'GSM/8000',
  4: 'G723/8000',
  8: 'PCMA/8000',
  9: 'G722/8000',
  13: 'CN/8000',
  15: 'G728/8000',
  18: 'G729/8000',
};

const FMTP_PARAMETERS_MAX = 32;

/** The formats of an RTP section in the order of its m-line; what cannot be read is left out. */
export function payloadFormats(media: SdpMedia): PayloadFormat[] {
  const rtpmaps = valuesByPayloadType(media, 'rtpmap');
  const fmtps = valuesByPayloadType(media, 'fmtp');
  const formats: PayloadFormat[] = [];
  for (const format of new Set(media.formats)) {
    const payloadType = /^[0-9]{1,3}$/.test(format) ? Number(format) : 128;
    const rtpmap = rtpmaps.get(payloadType) ?? STATIC[payloadType];
    if (payloadType > 127 || rtpmap === undefined) continue;
    const [encoding = '', clockRate = ''] = rtpmap.split('/');
    if (!/^[1-9][0-9]{3,5}$/.test(clockRate)) continue;
    formats.push({
      payloadType,
      encoding: encoding.toLowerCase(),
      clockRateHz: Number(clockRate),
      parameters: readFmtp(fmtps.get(payloadType) ?? ''),
    });
  }
  return formats;
}

/** Which of our codecs a format is, null for every other encoding. */
export function codecOf(format: PayloadFormat): CodecName | null {
  switch (format.encoding) {
    case 'pcmu':
    case 'pcma':
    case 'g722':
      return format.clockRateHz === 8_000 ? format.encoding : null;
    case 'opus':
      return format.clockRateHz === 48_000 ? 'opus' : null;
    default:
      return null;
  }
}

/** The first one wins, as the m-line's own order would have it. */
function valuesByPayloadType(media: SdpMedia, name: string): Map<number, string> {
  const values = new Map<number, string>();
  for (const attribute of media.attributes) {
    if (attribute.name !== name || attribute.value === null) continue;
    const match = /^([0-9]{1,3}) +(\S.*)$/.exec(attribute.value);
    const payloadType = Number(match?.[1] ?? 128);
    if (match?.[2] !== undefined && payloadType <= 127 && !values.has(payloadType)) {
      values.set(payloadType, match[2]);
    }
  }
  return values;
}

function readFmtp(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of text.split(';', FMTP_PARAMETERS_MAX)) {
    const [name = '', value = ''] = part.split('=', 2);
    if (name.trim() !== '') parameters.set(name.trim().toLowerCase(), value.trim());
  }
  return parameters;
}
