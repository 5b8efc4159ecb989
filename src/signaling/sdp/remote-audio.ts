import type { CodecName, MediaDirection, RtpParameters } from '../../model/media.ts';
import type { PayloadFormat } from './payload-format.ts';
import { codecOf, payloadFormats } from './payload-format.ts';
import { SdpError } from './sdp-error.ts';
import type { SdpMedia, SessionDescription } from './session-description.ts';

/** An audio section of the other side, offer or answer, as far as RTP cares. */
export interface RemoteAudio {
  readonly formats: readonly PayloadFormat[];
  readonly address: string;
  readonly port: number;
  readonly hasRtcpMux: boolean;
  readonly rtcpPort: number;
  /** Seen from the other side. A null address (RFC 2543 hold) takes away its receiving. */
  readonly direction: MediaDirection;
}

/** Addresses that mean "send me nothing" (RFC 3264 §8.4 and its IPv6 kin). */
const NULL_ADDRESSES = new Set(['0.0.0.0', '::', '0:0:0:0:0:0:0:0']);

const DIRECTIONS: readonly string[] = [
  'sendrecv',
  'sendonly',
  'recvonly',
  'inactive',
] satisfies MediaDirection[];
const isDirection = (name: string): name is MediaDirection => DIRECTIONS.includes(name);

/** Value of the first attribute of that name: null when absent, empty when it has none. */
export function attributeValue(media: SdpMedia, name: string): string | null {
  const attribute = media.attributes.find((candidate) => candidate.name === name);
  return attribute === undefined ? null : (attribute.value ?? '');
}

/** Reads one audio section; throws `SdpError` when no `c=` says where it is. */
export function readRemoteAudio(session: SessionDescription, media: SdpMedia): RemoteAudio {
  const address = media.connection ?? session.connection;
  if (address === null) throw new SdpError('SDP_MALFORMED', 'an audio section has no c= line');
  const hasRtcpMux = attributeValue(media, 'rtcp-mux') !== null;
  const direction = directionOf(media.attributes) ?? directionOf(session.attributes) ?? 'sendrecv';
  return {
    formats: payloadFormats(media),
    address,
    port: media.port,
    hasRtcpMux,
    rtcpPort: hasRtcpMux ? media.port : rtcpPort(media),
    direction: NULL_ADDRESSES.has(address) ? direct(canSend(direction), false) : direction,
  };
}

/** `a=rtcp:port [address]` (RFC 3605), else the next port. Its address is not honoured. */
function rtcpPort(media: SdpMedia): number {
  const port = Number(/^[0-9]{1,5}/.exec(attributeValue(media, 'rtcp') ?? '')?.[0] ?? 0);
  return port > 0 && port <= 65_535 ? port : Math.min(media.port + 1, 65_535);
}

const directionOf = (attributes: SdpMedia['attributes']): MediaDirection | undefined =>
  attributes.map(({ name }) => name).find(isDirection);

const canSend = (direction: MediaDirection): boolean =>
  direction === 'sendrecv' || direction === 'sendonly';
const canReceive = (direction: MediaDirection): boolean =>
  direction === 'sendrecv' || direction === 'recvonly';

function direct(sends: boolean, receives: boolean): MediaDirection {
  if (sends) return receives ? 'sendrecv' : 'sendonly';
  return receives ? 'recvonly' : 'inactive';
}

/** Our direction when the other side has `remote` and we want `wanted` (RFC 3264 §6.1). */
export const agreedDirection = (remote: MediaDirection, wanted: MediaDirection): MediaDirection =>
  direct(canReceive(remote) && canSend(wanted), canSend(remote) && canReceive(wanted));

/** The first format, in the order of `formats`, that is one of `codecs`. */
export function firstCommonFormat(
  formats: readonly PayloadFormat[],
  codecs: readonly CodecName[],
): { readonly codec: CodecName; readonly format: PayloadFormat } | null {
  for (const format of formats) {
    const codec = codecOf(format);
    if (codec !== null && codecs.includes(codec)) return { codec, format };
  }
  return null;
}

/** telephone-event beside a codec: the codec's own clock first (RFC 4733 §2.1), else 8000. */
export function telephoneEventFor(
  formats: readonly PayloadFormat[],
  clockRateHz: number,
): PayloadFormat | null {
  const events = formats.filter(({ encoding }) => encoding === 'telephone-event');
  const at = (rateHz: number) => events.find((format) => format.clockRateHz === rateHz);
  return at(clockRateHz) ?? at(8_000) ?? at(48_000) ?? null;
}

/** What media needs, from what both sides agreed on. */
export function rtpParameters(
  remote: RemoteAudio,
  chosen: { readonly codec: CodecName; readonly format: PayloadFormat },
  direction: MediaDirection,
  srtp: RtpParameters['srtp'],
): RtpParameters {
  const { codec, format } = chosen;
  const event = telephoneEventFor(remote.formats, format.clockRateHz);
  const noise = remote.formats.find(
    ({ encoding, clockRateHz }) => encoding === 'cn' && clockRateHz === format.clockRateHz,
  );
  const bitrateBps = Number(format.parameters.get('maxaveragebitrate') ?? Number.NaN);
  const isBitrate = codec === 'opus' && bitrateBps >= 6_000 && bitrateBps <= 510_000;
  return {
    codec,
    payloadType: format.payloadType,
    ptimeMs: 20,
    telephoneEventPayloadType: event?.payloadType ?? null,
    telephoneEventClockRateHz: event?.clockRateHz ?? 8_000,
    comfortNoisePayloadType: noise?.payloadType ?? null,
    opusUseDtx: codec === 'opus' && format.parameters.get('usedtx') === '1',
    opusUseFec: codec === 'opus' && format.parameters.get('useinbandfec') === '1',
    ...(isBitrate ? { opusMaxBitrateBps: bitrateBps } : {}),
    remoteAddress: remote.address,
    remotePort: remote.port,
    rtcpMux: remote.hasRtcpMux,
    remoteRtcpPort: remote.rtcpPort,
    direction,
    srtp,
  };
}
