import type { MediaDirection } from '../../model/media.ts';
import { MediaError } from '../media-error.ts';
import { type MediaSection, readSections } from './sdp-sections.ts';

const MEDIA_SECTIONS_MAX = 8;
/** RFC 5761 §4: payload types in this range cannot be told from RTCP. */
const RTCP_CLASH_MIN = 64;
const RTCP_CLASH_MAX = 95;

const MID = /^[A-Za-z0-9_.-]{1,32}$/;
/** RFC 8839 §5.4. */
const ICE_UFRAG = /^[A-Za-z0-9+/]{4,256}$/;
const ICE_PWD = /^[A-Za-z0-9+/]{22,256}$/;
const HASH_BYTES: Readonly<Record<string, number>> = {
  'sha-256': 32,
  'sha-384': 48,
  'sha-512': 64,
};

/** A call cannot begin with nobody heard; in the middle of one that is how to hold it. */
export type OfferRole = 'first' | 'further';

/** Our part in the DTLS handshake is the other one (RFC 5763 §5). */
export type DtlsSetup = 'actpass' | 'active' | 'passive';

/** One m= line, in the offer's order: the answer must have the same. */
export interface OfferedMedia {
  readonly use: 'audio' | 'events' | 'rejected';
  /** `audio`, `video`, `application`. */
  readonly kind: string;
  readonly protocol: string;
  /** First format of the line: what a rejected line repeats. */
  readonly format: string;
  readonly mid: string | null;
}

/** What a browser offered, read once; every field has been checked and holds no line break. */
export interface WebRtcOffer {
  readonly media: readonly OfferedMedia[];
  readonly audioMid: string;
  /** Mid of the data channel's line, null when there is none. */
  readonly eventsMid: string | null;
  readonly sctpPort: number;
  readonly iceUfrag: string;
  readonly icePwd: string;
  /** As in the attribute: `sha-256 AB:CD…`. */
  readonly fingerprint: string;
  readonly setup: DtlsSetup;
  readonly opusPayloadType: number;
  readonly opusUseDtx: boolean;
  readonly opusUseFec: boolean;
  /** Bits per second not to be exceeded towards the browser; null: it did not say. */
  readonly opusMaxBitrateBps: number | null;
  readonly telephoneEventPayloadType: number | null;
  readonly telephoneEventClockRateHz: number;
  /** From our side: `sendonly` when the browser only listens. */
  readonly direction: MediaDirection;
}

/**
 * Reads a non-trickle WebRTC offer. Candidates in it are ignored on purpose: we send to an
 * address only after it has proved by a STUN check that it knows our ICE password, so an offer
 * cannot aim our packets at anybody.
 *
 * Throws `MediaError`: `MEDIA_OFFER_TOO_LARGE`, `MEDIA_OFFER_INVALID` (not an offer that a
 * browser would write) or `MEDIA_OFFER_UNSUPPORTED` (well formed, but not one Opus audio line
 * over DTLS-SRTP with rtcp-mux).
 */
export function parseWebRtcOffer(sdp: string, role: OfferRole = 'first'): WebRtcOffer {
  const { session, media } = readSections(sdp);
  if (media.length === 0) throw invalid('an offer has at least one m= line');
  if (media.length > MEDIA_SECTIONS_MAX) {
    throw invalid(`an offer has at most ${MEDIA_SECTIONS_MAX} m= lines`);
  }
  const bundled = bundleOf(session.attributes.get('group') ?? []);
  const audio = onlyUsableAudio(media);
  const audioMid = midOf(audio);
  if (audioMid === null) throw invalid('the audio line has no mid');
  const events = media.find((section) => isUsableEvents(section, bundled, audioMid));
  const lookUp = (name: string) => audio.first(name) ?? session.first(name);

  return {
    media: media.map((section) => toOffered(section, audio, events)),
    audioMid,
    eventsMid: events === undefined ? null : midOf(events),
    sctpPort: sctpPortOf(events),
    iceUfrag: matching(ICE_UFRAG, lookUp('ice-ufrag'), 'ice-ufrag'),
    icePwd: matching(ICE_PWD, lookUp('ice-pwd'), 'ice-pwd'),
    fingerprint: fingerprintOf(lookUp('fingerprint')),
    setup: setupOf(lookUp('setup')),
    ...opusOf(audio),
    ...telephoneEventOf(audio),
    direction: directionOf(audio, session, role),
  };
}

/** Whether the offer asks for the very connection that another made: to hold, or to go on. */
export function isSameConnection(one: WebRtcOffer, other: WebRtcOffer): boolean {
  return (
    one.iceUfrag === other.iceUfrag &&
    one.icePwd === other.icePwd &&
    one.fingerprint === other.fingerprint &&
    one.audioMid === other.audioMid &&
    one.eventsMid === other.eventsMid
  );
}

function invalid(message: string): MediaError {
  return new MediaError('MEDIA_OFFER_INVALID', message);
}

function unsupported(message: string): MediaError {
  return new MediaError('MEDIA_OFFER_UNSUPPORTED', message);
}

function onlyUsableAudio(media: readonly MediaSection[]): MediaSection {
  const usable = media.filter((section) => section.kind === 'audio' && section.port !== 0);
  const [audio] = usable;
  if (audio === undefined) throw unsupported('the offer has no audio line');
  if (usable.length > 1) throw unsupported('the offer has more than one audio line');
  if (audio.protocol !== 'UDP/TLS/RTP/SAVPF' && audio.protocol !== 'UDP/TLS/RTP/SAVP') {
    throw unsupported('the audio line does not speak DTLS-SRTP');
  }
  if (audio.first('rtcp-mux') === null) throw unsupported('the audio line lacks rtcp-mux');
  return audio;
}

/** Only beside the audio, on the same transport (RFC 9143). */
function isUsableEvents(
  section: MediaSection,
  bundled: ReadonlySet<string>,
  audioMid: string,
): boolean {
  const mid = midOf(section);
  return (
    section.kind === 'application' &&
    section.protocol === 'UDP/DTLS/SCTP' &&
    section.formats[0] === 'webrtc-datachannel' &&
    mid !== null &&
    mid !== audioMid &&
    bundled.has(mid) &&
    bundled.has(audioMid)
  );
}

function toOffered(
  section: MediaSection,
  audio: MediaSection,
  events: MediaSection | undefined,
): OfferedMedia {
  const use = section === audio ? 'audio' : section === events ? 'events' : 'rejected';
  const format = section.formats[0];
  if (format === undefined) throw invalid('an m= line has no format');
  return { use, kind: section.kind, protocol: section.protocol, format, mid: midOf(section) };
}

function midOf(section: MediaSection): string | null {
  const mid = section.first('mid');
  return mid === null ? null : matching(MID, mid, 'mid');
}

function bundleOf(groups: readonly string[]): ReadonlySet<string> {
  const bundle = groups.find((group) => group.startsWith('BUNDLE'));
  return new Set(bundle?.split(' ').slice(1));
}

function matching(pattern: RegExp, value: string | null, name: string): string {
  if (value === null || !pattern.test(value)) throw invalid(`${name} is missing or malformed`);
  return value;
}

function fingerprintOf(value: string | null): string {
  const [hash = '', hex = ''] = (value ?? '').split(' ');
  const algorithm = hash.toLowerCase();
  const bytes = HASH_BYTES[algorithm];
  if (bytes === undefined) throw unsupported('the fingerprint is not of the SHA-2 family');
  const pairs = hex.toUpperCase().split(':');
  if (pairs.length !== bytes || !pairs.every((pair) => /^[0-9A-F]{2}$/.test(pair))) {
    throw invalid('fingerprint is malformed');
  }
  return `${algorithm} ${pairs.join(':')}`;
}

function setupOf(value: string | null): DtlsSetup {
  if (value === 'actpass' || value === 'active' || value === 'passive') return value;
  throw invalid('setup is missing or malformed');
}

function sctpPortOf(events: MediaSection | undefined): number {
  const port = Number(events?.first('sctp-port') ?? 5000);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw invalid('sctp-port is malformed');
  return port;
}

interface OpusOffered {
  readonly opusPayloadType: number;
  readonly opusUseDtx: boolean;
  readonly opusUseFec: boolean;
  readonly opusMaxBitrateBps: number | null;
}

function opusOf(audio: MediaSection): OpusOffered {
  const payloadType = payloadTypeOf(audio, 'opus/48000/2');
  if (payloadType === null) throw unsupported('the audio line does not offer Opus');
  const parameters = formatParametersOf(audio, payloadType);
  const bitrate = Number(parameters.get('maxaveragebitrate') ?? Number.NaN);
  return {
    opusPayloadType: payloadType,
    opusUseDtx: parameters.get('usedtx') === '1',
    opusUseFec: parameters.get('useinbandfec') === '1',
    // RFC 7587 §6.1: 6000 to 510000.
    opusMaxBitrateBps: bitrate >= 6000 && bitrate <= 510_000 ? Math.floor(bitrate) : null,
  };
}

function telephoneEventOf(audio: MediaSection): {
  readonly telephoneEventPayloadType: number | null;
  readonly telephoneEventClockRateHz: number;
} {
  // Beside Opus the events should share its clock (RFC 4733 §2.1); some only offer 8000.
  const wide = payloadTypeOf(audio, 'telephone-event/48000');
  if (wide !== null) {
    return { telephoneEventPayloadType: wide, telephoneEventClockRateHz: 48_000 };
  }
  const narrow = payloadTypeOf(audio, 'telephone-event/8000');
  return { telephoneEventPayloadType: narrow, telephoneEventClockRateHz: 8000 };
}

/** First payload type, in the offer's order, that maps to an encoding. */
function payloadTypeOf(audio: MediaSection, encoding: string): number | null {
  const maps = audio.attributes.get('rtpmap') ?? [];
  for (const format of audio.formats) {
    const isMapped = maps.some((map) => map.toLowerCase() === `${format} ${encoding}`);
    if (!isMapped || !/^\d{1,3}$/.test(format)) continue;
    const payloadType = Number(format);
    const isClash = payloadType >= RTCP_CLASH_MIN && payloadType <= RTCP_CLASH_MAX;
    if (payloadType <= 127 && !isClash) return payloadType;
  }
  return null;
}

function formatParametersOf(audio: MediaSection, payloadType: number): Map<string, string> {
  const line = (audio.attributes.get('fmtp') ?? []).find((value) =>
    value.startsWith(`${payloadType} `),
  );
  const parameters = new Map<string, string>();
  for (const part of line?.slice(line.indexOf(' ') + 1).split(';') ?? []) {
    const [name = '', value = ''] = part.split('=');
    parameters.set(name.trim().toLowerCase(), value.trim());
  }
  return parameters;
}

function directionOf(audio: MediaSection, session: MediaSection, role: OfferRole): MediaDirection {
  for (const section of [audio, session]) {
    if (section.first('sendonly') !== null) return 'recvonly';
    if (section.first('recvonly') !== null) return 'sendonly';
    if (section.first('inactive') !== null) {
      if (role === 'further') return 'inactive';
      throw unsupported('the audio line is inactive');
    }
    if (section.first('sendrecv') !== null) return 'sendrecv';
  }
  return 'sendrecv';
}
