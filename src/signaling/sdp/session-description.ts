import { isIPv6 } from 'node:net';

import { SdpError } from './sdp-error.ts';

/** Limits of what is read; a browser's offer with all its candidates is about 12 KB. */
export const SDP_BYTES_MAX = 65_536;
export const SDP_LINES_MAX = 1_024;
export const SDP_LINE_CHARACTERS_MAX = 4_096;
export const SDP_MEDIA_MAX = 16;
export const SDP_FORMATS_MAX = 64;
/** Kind, protocol and each format of an m-line: what a refusal has to repeat stays small. */
export const SDP_WORD_CHARACTERS_MAX = 32;

/** `o=` (RFC 8866 §5.2). Ids stay strings: they are numbers of up to 64 bits. */
export interface SdpOriginLine {
  readonly username: string;
  readonly sessionId: string;
  readonly sessionVersion: string;
  readonly address: string;
}

/** `a=name` (value null) or `a=name:value`. */
export interface SdpAttribute {
  readonly name: string;
  readonly value: string | null;
}

export interface SdpMedia {
  /** `audio`, `video`, `image`, `application`, … */
  readonly kind: string;
  readonly port: number;
  /** Number of ports (`m=audio 4000/2 …`), nearly always 1. */
  readonly portCount: number;
  /** e.g. `RTP/AVP`. */
  readonly protocol: string;
  /** At least one: payload types for RTP, anything else for others. */
  readonly formats: readonly string[];
  /** Address of the first `c=` of this section, null when only the session has one. */
  readonly connection: string | null;
  readonly attributes: readonly SdpAttribute[];
}

export interface SessionDescription {
  readonly origin: SdpOriginLine;
  readonly sessionName: string;
  /** Session level `c=` address. */
  readonly connection: string | null;
  readonly attributes: readonly SdpAttribute[];
  readonly media: readonly SdpMedia[];
}

/** Lines we read past: information, bandwidth, time zones, keys and the like. */
const IGNORED = new Set(['i', 'u', 'e', 'p', 'b', 't', 'r', 'z', 'k']);
const TOKEN = /^[!#-'*+\-.0-9A-Z^-~]+$/;
const WORD = new RegExp(`^[!#-'*+\\-./0-9A-Z^-~]{1,${SDP_WORD_CHARACTERS_MAX}}$`);
const DIGITS = /^[0-9]{1,20}$/;
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\0-\x08\x0b-\x1f\x7f]/;

interface OpenMedia extends SdpMedia {
  connection: string | null;
  readonly attributes: SdpAttribute[];
}

interface OpenDescription {
  origin: SdpOriginLine | null;
  sessionName: string | null;
  connection: string | null;
  readonly attributes: SdpAttribute[];
  readonly media: OpenMedia[];
}

/**
 * Reads a session description (RFC 8866 §5). Both CRLF and LF end a line. `v=`, `o=` and every
 * line's own syntax are strict; the order inside a section is not, since many devices get it
 * wrong, nor are `s=` and `t=` missed. Throws `SdpError` and nothing else.
 */
export function parseSessionDescription(text: string): SessionDescription {
  const lines = splitLines(text);
  if (lines[0] !== 'v=0') throw malformed('the first line is not v=0');
  const description: OpenDescription = {
    origin: null,
    sessionName: null,
    connection: null,
    attributes: [],
    media: [],
  };
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (line[1] !== '=' || CONTROL.test(line)) throw malformed('not a type=value line', index);
    readLine(description, line[0] ?? '', line.slice(2), index);
  }
  const { origin, sessionName, connection, attributes, media } = description;
  if (origin === null) throw malformed('there is no o= line');
  return { origin, sessionName: sessionName ?? '-', connection, attributes, media };
}

function splitLines(text: string): string[] {
  if (text.length > SDP_BYTES_MAX || Buffer.byteLength(text) > SDP_BYTES_MAX) {
    throw new SdpError('SDP_TOO_LARGE', 'the session description is too long');
  }
  const lines = text.split('\n', SDP_LINES_MAX + 2);
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    lines[index] = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (line.length > SDP_LINE_CHARACTERS_MAX) {
      throw new SdpError('SDP_TOO_LARGE', 'a line of the session description is too long');
    }
  }
  while (lines.at(-1) === '') lines.pop();
  if (lines.length > SDP_LINES_MAX) {
    throw new SdpError('SDP_TOO_LARGE', 'the session description has too many lines');
  }
  return lines;
}

function readLine(to: OpenDescription, type: string, value: string, index: number): void {
  const media = to.media.at(-1);
  switch (type) {
    case 'o':
      if (to.origin !== null || media) throw malformed('a second o= line', index);
      to.origin = readOrigin(value, index);
      return;
    case 's':
      if (to.sessionName !== null || media) throw malformed('a second s= line', index);
      to.sessionName = value;
      return;
    case 'c': {
      const section = media ?? to;
      section.connection ??= readConnection(value, index);
      return;
    }
    case 'a':
      (media ?? to).attributes.push(readAttribute(value, index));
      return;
    case 'm':
      if (to.media.length >= SDP_MEDIA_MAX) {
        throw new SdpError('SDP_TOO_LARGE', 'the session description has too many m= lines');
      }
      to.media.push(readMedia(value, index));
      return;
    default:
      if (!IGNORED.has(type)) throw malformed('an unknown type of line', index);
  }
}

function readOrigin(value: string, index: number): SdpOriginLine {
  const [username, sessionId, sessionVersion, net, kind, address, ...rest] = value.split(' ');
  if (
    !username ||
    !sessionId ||
    !DIGITS.test(sessionId) ||
    !sessionVersion ||
    !DIGITS.test(sessionVersion) ||
    !isInternet(net, kind) ||
    !address ||
    rest.length > 0
  ) {
    throw malformed('o= cannot be read', index);
  }
  return { username, sessionId, sessionVersion, address };
}

/** `IN IP4 192.0.2.1`, and the multicast forms `…/127` and `…/127/3`. */
function readConnection(value: string, index: number): string {
  const [net, kind, address = '', ...rest] = value.trimEnd().split(' ');
  const host = address.split('/')[0] ?? '';
  if (!isInternet(net, kind) || !isHost(host) || rest.length > 0) {
    throw malformed('c= cannot be read', index);
  }
  return host;
}

const isInternet = (net: string | undefined, kind: string | undefined): boolean =>
  net === 'IN' && (kind === 'IP4' || kind === 'IP6');

/** An IPv4 or IPv6 address or a host name; what it resolves to is not our matter. */
export const isHost = (host: string): boolean =>
  host.length <= 255 && (/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.?$/.test(host) || isIPv6(host));

function readAttribute(value: string, index: number): SdpAttribute {
  const colon = value.indexOf(':');
  const name = colon === -1 ? value.trimEnd() : value.slice(0, colon);
  if (!TOKEN.test(name)) throw malformed('an attribute has no name', index);
  return { name, value: colon === -1 ? null : value.slice(colon + 1).trim() };
}

function readMedia(value: string, index: number): OpenMedia {
  const [kind = '', ports = '', protocol = '', ...formats] = value.trimEnd().split(/ +/);
  const match = /^([0-9]{1,5})(?:\/([0-9]{1,3}))?$/.exec(ports);
  const port = Number(match?.[1] ?? Number.NaN);
  const isRead =
    WORD.test(kind) &&
    WORD.test(protocol) &&
    port <= 65_535 &&
    formats.length > 0 &&
    formats.every((format) => WORD.test(format));
  if (!isRead) throw malformed('m= cannot be read', index);
  if (formats.length > SDP_FORMATS_MAX) {
    throw new SdpError('SDP_TOO_LARGE', 'an m= line has too many formats');
  }
  const portCount = Number(match?.[2] ?? 1);
  return { kind, port, portCount, protocol, formats, connection: null, attributes: [] };
}

function malformed(message: string, lineIndex?: number): SdpError {
  const facts = lineIndex === undefined ? {} : { line: lineIndex + 1 };
  return new SdpError('SDP_MALFORMED', message, { facts });
}

const addressLine = (address: string): string => `IN ${isIPv6(address) ? 'IP6' : 'IP4'} ${address}`;

/** Writes what `parseSessionDescription` reads, with CRLF and `t=0 0`. */
export function serializeSessionDescription(description: SessionDescription): string {
  const { origin, sessionName, connection, attributes, media } = description;
  const { username, sessionId, sessionVersion, address } = origin;
  const lines = ['v=0', `o=${username} ${sessionId} ${sessionVersion} ${addressLine(address)}`];
  lines.push(`s=${sessionName}`);
  if (connection !== null) lines.push(`c=${addressLine(connection)}`);
  lines.push('t=0 0', ...attributes.map(attributeLine));
  for (const section of media) {
    const { kind, port, portCount, protocol, formats } = section;
    const ports = portCount === 1 ? `${port}` : `${port}/${portCount}`;
    lines.push(`m=${kind} ${ports} ${protocol} ${formats.join(' ')}`);
    if (section.connection !== null) lines.push(`c=${addressLine(section.connection)}`);
    lines.push(...section.attributes.map(attributeLine));
  }
  return `${lines.join('\r\n')}\r\n`;
}

const attributeLine = ({ name, value }: SdpAttribute): string =>
  value === null ? `a=${name}` : `a=${name}:${value}`;
