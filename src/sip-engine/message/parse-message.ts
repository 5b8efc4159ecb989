import { SipEngineError } from '../engine-error.ts';
import { HeaderList, type Header } from './header-list.ts';
import { headerKey } from './header-names.ts';
import { parseCSeq, parseNameAddr, parseVia } from './header-values.ts';
import { type MessageDraft, NO_BODY, type SipMessage } from './message.ts';
import { isToken, parseUnsigned } from './tokens.ts';
import { checkHeaders } from './check-headers.ts';
import { parseSipUri, uriScheme } from './uri.ts';

/** Largest message taken, headers and body together. */
export const MESSAGE_BYTES_MAX = 65_536;
/** Largest header section. */
export const HEADER_BYTES_MAX = 32_768;
/** Most header lines in one message. */
export const HEADER_LINES_MAX = 256;

/** A message that breaks the grammar. `draft` holds what could be read, to answer with `status`. */
export class SipParseError extends SipEngineError {
  readonly status: 400 | 416 | 505 | 513;
  readonly draft: MessageDraft | undefined;

  constructor(message: string, status: 400 | 416 | 505 | 513 = 400, draft?: MessageDraft) {
    super('SIP_MESSAGE_MALFORMED', message);
    this.status = status;
    this.draft = draft;
  }
}

/**
 * Reads one datagram or one framed message, RFC 3261 §7 and §25.
 *
 * Octets after Content-Length are ignored (§18.3). Throws `SipParseError` and nothing else.
 */
export function parseMessage(packet: Buffer): SipMessage {
  if (packet.length > MESSAGE_BYTES_MAX) throw new SipParseError('message too large', 513);
  const draft = readDraft(packet);
  const message = readStartLine(draft);
  const common = readMandatory(draft, packet.length);
  if (message.type === 'request' && common.cseq.method !== message.method) {
    throw new SipParseError('CSeq names another method', 400, draft);
  }
  const fault = checkHeaders(draft.headers);
  if (fault !== undefined) throw new SipParseError(fault, 400, draft);
  return join(message, common);
}

/** Spelled out: spreading two objects costs more than parsing one header. */
function join(start: StartLine, common: ReturnType<typeof readMandatory>): SipMessage {
  const { headers, body, size, via, from, to, callId, cseq } = common;
  if (start.type === 'request') {
    const { type, method, uri } = start;
    return { type, method, uri, headers, body, size, via, from, to, callId, cseq };
  }
  const { type, status, reason } = start;
  return { type, status, reason, headers, body, size, via, from, to, callId, cseq };
}

/** A message as an application writes it: everything after the empty line is body. */
export function readTemplate(packet: Buffer): MessageDraft {
  return readDraft(packet, (rest) => rest);
}

/** Splits into start line, headers and body without judging values. Throws `SipParseError`. */
export function readDraft(
  packet: Buffer,
  toBody: (rest: Buffer, draft: MessageDraft) => Buffer = cutBody,
): MessageDraft {
  const start = leadingLineEnds(packet);
  let end = packet.indexOf('\r\n\r\n', start);
  const hasBody = end >= 0;
  if (!hasBody) end = packet.length;
  if (end - start > HEADER_BYTES_MAX) throw new SipParseError('header section too large', 513);

  const lines = packet.toString('utf8', start, end).split('\r\n');
  const startLine = lines[0] ?? '';
  const headers = readHeaders(lines);
  if (/[\r\n]/.test(startLine)) throw new SipParseError('bare CR or LF in the start line');

  const rest = hasBody ? packet.subarray(end + 4) : NO_BODY;
  const draft = { startLine, headers, body: rest };
  if (!hasBody) throw new SipParseError('no empty line after the headers', 400, draft);
  return { startLine, headers, body: toBody(rest, draft) };
}

function leadingLineEnds(packet: Buffer): number {
  let start = 0;
  while (packet[start] === 0x0d && packet[start + 1] === 0x0a) start += 2;
  return start;
}

function readHeaders(lines: readonly string[]): HeaderList {
  if (lines.length > HEADER_LINES_MAX) throw new SipParseError('too many header lines', 513);
  const headers: Header[] = [];
  let name = '';
  let value = '';
  for (let i = 1; i <= lines.length; i++) {
    const line = lines[i];
    if (line !== undefined && (line.startsWith(' ') || line.startsWith('\t'))) {
      if (name === '') throw new SipParseError('folded line before any header');
      value += ` ${line.trim()}`;
      continue;
    }
    if (name !== '') headers.push({ key: headerKey(name), name, value: value.trim() });
    if (line === undefined || (line === '' && i === lines.length - 1)) break;
    const colon = line.indexOf(':');
    name = line.slice(0, Math.max(colon, 0)).trimEnd();
    value = line.slice(colon + 1).trim();
    if (!isToken(name)) throw new SipParseError('a header line has no proper name');
    if (/[\r\n]/.test(value)) throw new SipParseError('bare CR or LF in a header');
  }
  return new HeaderList(headers);
}

function cutBody(rest: Buffer, draft: MessageDraft): Buffer {
  const lengths = draft.headers.lines('content-length');
  if (lengths.length === 0) return rest;
  if (lengths.length > 1) throw new SipParseError('several Content-Length', 400, draft);
  const length = parseUnsigned(lengths[0] ?? '', MESSAGE_BYTES_MAX);
  if (length === undefined) throw new SipParseError('unusable Content-Length', 400, draft);
  if (length > rest.length) throw new SipParseError('body shorter than announced', 400, draft);
  return rest.subarray(0, length);
}

type StartLine =
  | { readonly type: 'request'; readonly method: string; readonly uri: string }
  | { readonly type: 'response'; readonly status: number; readonly reason: string };

const REQUEST_LINE = /^([A-Za-z0-9\-.!%*_+`'~]+) (\S+) SIP\/(\d+\.\d+)$/i;
const STATUS_LINE = /^SIP\/2\.0 (\d{3})(?: ([^]*))?$/i;

function readStartLine(draft: MessageDraft): StartLine {
  const line = draft.startLine;
  if (/^SIP\//i.test(line)) {
    const found = STATUS_LINE.exec(line);
    const status = Number(found?.[1]);
    if (found === null || status < 100 || status > 699) {
      throw new SipParseError('unreadable status line');
    }
    return { type: 'response', status, reason: found[2] ?? '' };
  }
  const found = REQUEST_LINE.exec(line);
  if (found === null) throw new SipParseError('unreadable request line', 400, draft);
  const [, method = '', uri = '', version] = found;
  if (version !== '2.0') throw new SipParseError('unknown SIP version', 505, draft);
  checkRequestUri(uri, draft);
  return { type: 'request', method, uri };
}

function checkRequestUri(uri: string, draft: MessageDraft): void {
  const scheme = uriScheme(uri);
  if (scheme === undefined || /[<>"]/.test(uri)) {
    throw new SipParseError('unreadable Request-URI', 400, draft);
  }
  if (scheme === 'tel' || scheme === 'urn') return;
  if (scheme !== 'sip' && scheme !== 'sips') {
    throw new SipParseError('unknown scheme in the Request-URI', 416, draft);
  }
  const parsed = parseSipUri(uri);
  if (parsed === undefined || parsed.headers !== '') {
    throw new SipParseError('unreadable Request-URI', 400, draft);
  }
}

function readMandatory(draft: MessageDraft, size: number) {
  const via = parseVia(draft.headers.list('via')[0] ?? '');
  const from = parseNameAddr(only(draft, 'from'));
  const to = parseNameAddr(only(draft, 'to'));
  const cseq = parseCSeq(only(draft, 'cseq'));
  const callId = only(draft, 'call-id');
  if (!via || !from || !to || !cseq || !/^[\x21-\x7e]+$/.test(callId)) {
    throw new SipParseError('Via, From, To, Call-ID or CSeq unreadable', 400, draft);
  }
  return { headers: draft.headers, body: draft.body, size, via, from, to, callId, cseq };
}

function only(draft: MessageDraft, key: string): string {
  const lines = draft.headers.lines(key);
  if (lines.length !== 1) throw new SipParseError(`not exactly one ${key}`, 400, draft);
  return lines[0] ?? '';
}
