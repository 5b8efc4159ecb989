import { isIPv6 } from 'node:net';
import { assertNever } from '../../lib/assert-never.ts';
import { MediaError } from '../media-error.ts';
import type { OfferedMedia, WebRtcOffer } from './webrtc-offer.ts';

/** Where browsers may reach the port: written as host candidates. */
export const ANNOUNCED_ADDRESSES_MAX = 8;
/** Longest message of the events channel. */
export const EVENT_BYTES_MAX = 16_384;

/** RFC 8445 §5.1.2.1: host type preference 126, component 1. */
const HOST_PRIORITY = 126 * 2 ** 24 + 255;

/** What libdatachannel made up for its side of one peer. */
export interface LocalIdentity {
  readonly iceUfrag: string;
  readonly icePwd: string;
  readonly fingerprint: string;
  readonly setup: string;
}

export interface AnswerOptions {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly ssrc: number;
  readonly cname: string;
  /** One more with each answer of a connection (RFC 3264 §8). */
  readonly version: number;
}

/**
 * The offer as libdatachannel gets it: only checked values, one audio line and perhaps one data
 * channel line, no candidate. What a stranger wrote never reaches its parser.
 */
export function canonicalOffer(offer: WebRtcOffer): string {
  const mids = [offer.audioMid, ...(offer.eventsMid === null ? [] : [offer.eventsMid])];
  const transport = [
    'c=IN IP4 0.0.0.0',
    `a=ice-ufrag:${offer.iceUfrag}`,
    `a=ice-pwd:${offer.icePwd}`,
    'a=ice-options:trickle',
    `a=fingerprint:${offer.fingerprint}`,
    `a=setup:${offer.setup}`,
  ];
  const lines = [
    ...sessionLines('1', 1),
    `a=group:BUNDLE ${mids.join(' ')}`,
    `m=audio 9 UDP/TLS/RTP/SAVPF ${offer.opusPayloadType}`,
    ...transport,
    `a=mid:${offer.audioMid}`,
    'a=sendrecv',
    'a=rtcp-mux',
    `a=rtpmap:${offer.opusPayloadType} opus/48000/2`,
  ];
  if (offer.eventsMid !== null) {
    lines.push(
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
      ...transport,
      `a=mid:${offer.eventsMid}`,
      `a=sctp-port:${offer.sctpPort}`,
      `a=max-message-size:${EVENT_BYTES_MAX}`,
    );
  }
  return toSdp(lines);
}

/** Reads back what libdatachannel chose. Throws `MEDIA_WEBRTC_UNAVAILABLE` if it is not there. */
export function readLocalIdentity(sdp: string): LocalIdentity {
  const read = (name: string): string => {
    const value = new RegExp(`^a=${name}:(.+?)\\r?$`, 'm').exec(sdp)?.[1];
    if (value !== undefined) return value;
    throw new MediaError('MEDIA_WEBRTC_UNAVAILABLE', `the local description has no ${name}`);
  };
  return {
    iceUfrag: read('ice-ufrag'),
    icePwd: read('ice-pwd'),
    fingerprint: read('fingerprint'),
    setup: read('setup'),
  };
}

/** The answer for the browser: same m= lines in the same order (RFC 8829 §5.3), all candidates in. */
export function writeAnswer(
  offer: WebRtcOffer,
  local: LocalIdentity,
  options: AnswerOptions,
): string {
  const accepted = offer.media.filter((media) => media.use !== 'rejected');
  const lines = [
    ...sessionLines(String(options.ssrc), options.version),
    `a=group:BUNDLE ${accepted.map((media) => media.mid).join(' ')}`,
    'a=msid-semantic: WMS *',
  ];
  for (const media of offer.media) lines.push(...mediaLines(media, offer, local, options));
  return toSdp(lines);
}

function sessionLines(sessionId: string, version: number): string[] {
  return ['v=0', `o=- ${sessionId} ${version} IN IP4 127.0.0.1`, 's=-', 't=0 0'];
}

function mediaLines(
  media: OfferedMedia,
  offer: WebRtcOffer,
  local: LocalIdentity,
  options: AnswerOptions,
): string[] {
  switch (media.use) {
    case 'rejected':
      return rejectedLines(media);
    case 'audio':
      return [...audioLines(media, offer), ...transportLines(media, local, options)].concat(
        `a=ssrc:${options.ssrc} cname:${options.cname}`,
      );
    case 'events':
      return [
        `m=application 9 UDP/DTLS/SCTP webrtc-datachannel`,
        'c=IN IP4 0.0.0.0',
        ...identityLines(media, local),
        `a=sctp-port:${offer.sctpPort}`,
        `a=max-message-size:${EVENT_BYTES_MAX}`,
      ];
    default:
      return assertNever(media.use);
  }
}

function rejectedLines(media: OfferedMedia): string[] {
  const lines = [`m=${media.kind} 0 ${media.protocol} ${media.format}`, 'c=IN IP4 0.0.0.0'];
  if (media.mid !== null) lines.push(`a=mid:${media.mid}`);
  lines.push('a=inactive');
  return lines;
}

/**
 * `fmtp` says what we want to receive (RFC 7587 §6.1): wideband is all that speech
 * recognition uses, and silence need not be sent.
 */
function audioLines(media: OfferedMedia, offer: WebRtcOffer): string[] {
  const opus = offer.opusPayloadType;
  const event = offer.telephoneEventPayloadType;
  const lines = [
    `m=audio 9 ${media.protocol} ${opus}${event === null ? '' : ` ${event}`}`,
    'c=IN IP4 0.0.0.0',
    `a=rtpmap:${opus} opus/48000/2`,
    `a=fmtp:${opus} minptime=10;useinbandfec=1;usedtx=1;maxplaybackrate=16000`,
  ];
  if (event !== null) {
    lines.push(
      `a=rtpmap:${event} telephone-event/${offer.telephoneEventClockRateHz}`,
      `a=fmtp:${event} 0-15`,
    );
  }
  lines.push('a=ptime:20', `a=${offer.direction}`, 'a=rtcp-mux');
  return lines;
}

function transportLines(
  media: OfferedMedia,
  local: LocalIdentity,
  options: AnswerOptions,
): string[] {
  const candidates = options.addresses
    .slice(0, ANNOUNCED_ADDRESSES_MAX)
    .map((address, index) => candidateLine(address, options.port, index));
  return [...identityLines(media, local), ...candidates, 'a=end-of-candidates'];
}

function identityLines(media: OfferedMedia, local: LocalIdentity): string[] {
  return [
    `a=mid:${media.mid}`,
    `a=ice-ufrag:${local.iceUfrag}`,
    `a=ice-pwd:${local.icePwd}`,
    `a=fingerprint:${local.fingerprint}`,
    `a=setup:${local.setup}`,
  ];
}

/** Earlier addresses are preferred; of two that are alike, IPv6 (RFC 8421). */
function candidateLine(address: string, port: number, index: number): string {
  const preference = 0xffff - index * 2 - (isIPv6(address) ? 0 : 1);
  const priority = HOST_PRIORITY + preference * 256;
  return `a=candidate:${index + 1} 1 udp ${priority} ${address} ${port} typ host`;
}

function toSdp(lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n`;
}
