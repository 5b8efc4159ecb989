import { MediaError } from '../media-error.ts';

/** A browser's offer with video and a dozen candidates is 6 to 8 KB. */
export const OFFER_CHARS_MAX = 16_384;
const LINES_MAX = 600;
const LINE_CHARS_MAX = 1024;
const PRINTABLE = /^[\x20-\x7e]*$/;
/** Tokens that are repeated in our answer: nothing may slip through but what RFC 8866 calls a token. */
const MEDIA_LINE =
  /^(audio|video|application|text|message) (\d{1,5})(?:\/\d+)? ([A-Za-z0-9/]{3,32})((?: [A-Za-z0-9._-]{1,32}){1,64})$/;

/** The session part or one m= section of a session description. */
export class MediaSection {
  readonly kind: string;
  readonly port: number;
  readonly protocol: string;
  readonly formats: readonly string[];
  /** Values of a= lines by name, in order; a flag has the value ''. */
  readonly attributes: Map<string, string[]> = new Map();

  constructor(kind: string, port: number, protocol: string, formats: readonly string[]) {
    this.kind = kind;
    this.port = port;
    this.protocol = protocol;
    this.formats = formats;
  }

  first(name: string): string | null {
    return this.attributes.get(name)?.[0] ?? null;
  }
}

/** Session part and media sections. Throws `MEDIA_OFFER_TOO_LARGE` or `MEDIA_OFFER_INVALID`. */
export function readSections(sdp: string): {
  readonly session: MediaSection;
  readonly media: readonly MediaSection[];
} {
  if (sdp.length > OFFER_CHARS_MAX) {
    throw new MediaError('MEDIA_OFFER_TOO_LARGE', `an offer has at most ${OFFER_CHARS_MAX} bytes`);
  }
  const lines = sdp.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (lines.at(-1) === '') lines.pop();
  if (lines[0] !== 'v=0') throw invalidLine(0, 'expected v=0');
  if (lines.length > LINES_MAX) throw invalidLine(LINES_MAX, 'too many lines');

  const session = new MediaSection('session', 0, '', []);
  const media: MediaSection[] = [];
  lines.forEach((line, index) => {
    if (line.length > LINE_CHARS_MAX) throw invalidLine(index, 'the line is too long');
    if (!PRINTABLE.test(line) || line[1] !== '=') throw invalidLine(index, 'not an SDP line');
    if (line.startsWith('m=')) media.push(readMediaLine(line, index));
    else if (line.startsWith('a=')) readAttribute(line, media.at(-1) ?? session);
  });
  return { session, media };
}

/** The line's number, never its text: offers hold addresses. */
function invalidLine(index: number, why: string): MediaError {
  return new MediaError('MEDIA_OFFER_INVALID', `line ${index + 1} of the offer: ${why}`);
}

function readMediaLine(line: string, index: number): MediaSection {
  const match = MEDIA_LINE.exec(line.slice(2));
  if (match === null) throw invalidLine(index, 'malformed m= line');
  const [, kind = '', port = '', protocol = '', formats = ''] = match;
  if (Number(port) > 65535) throw invalidLine(index, 'the port is out of range');
  return new MediaSection(kind, Number(port), protocol, formats.trim().split(' '));
}

function readAttribute(line: string, section: MediaSection): void {
  const colon = line.indexOf(':');
  const name = colon === -1 ? line.slice(2) : line.slice(2, colon);
  const value = colon === -1 ? '' : line.slice(colon + 1);
  const values = section.attributes.get(name);
  if (values === undefined) section.attributes.set(name, [value]);
  else values.push(value);
}
