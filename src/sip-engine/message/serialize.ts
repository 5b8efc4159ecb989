import { HeaderList } from './header-list.ts';
import { fromTag, type MessageDraft, NO_BODY, type SipRequest } from './message.ts';
import { REASONS } from './reasons.ts';

/** The octets of a message. Content-Length is always ours, counted in octets, and last. */
export function serialize(draft: MessageDraft): Buffer {
  let text = `${draft.startLine}\r\n`;
  for (const { key, name, value } of draft.headers) {
    if (key !== 'content-length') text += `${name}: ${value}\r\n`;
  }
  text += `Content-Length: ${draft.body.length}\r\n\r\n`;
  if (draft.body.length === 0) return Buffer.from(text, 'utf8');
  return Buffer.concat([Buffer.from(text, 'utf8'), draft.body]);
}

/**
 * The message as it came, headers in wire order and spelling, for the application.
 * Folded lines come out unfolded, and Content-Length tells the body that follows.
 */
export function serializeReceived(startLine: string, headers: HeaderList, body: Buffer): Buffer {
  let text = `${startLine}\r\n`;
  for (const { key, name, value } of headers) {
    text += `${name}: ${key === 'content-length' ? body.length : value}\r\n`;
  }
  text += '\r\n';
  if (body.length === 0) return Buffer.from(text, 'utf8');
  return Buffer.concat([Buffer.from(text, 'utf8'), body]);
}

export interface ResponseOptions {
  readonly reason?: string;
  /** Added to To unless it has a tag already. */
  readonly toTag?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: Buffer;
}

/** A response to `request` with the headers that RFC 3261 §8.2.6 has copied. */
export function responseTo(
  request: SipRequest,
  status: number,
  options: ResponseOptions = {},
): MessageDraft {
  return responseFromHeaders(request.headers, status, options);
}

/** The same for a request that was too malformed to be parsed: copies what it finds. */
export function responseFromHeaders(
  received: HeaderList,
  status: number,
  options: ResponseOptions = {},
): MessageDraft {
  const headers = new HeaderList();
  for (const value of received.lines('via')) headers.append('Via', value);
  const isDialogForming = status > 100 && status < 300;
  if (isDialogForming) {
    for (const value of received.lines('record-route')) headers.append('Record-Route', value);
  }
  headers.append('From', received.first('from') ?? '');
  headers.append(
    'To',
    withTag(received.first('to') ?? '', status === 100 ? undefined : options.toTag),
  );
  headers.append('Call-ID', received.first('call-id') ?? '');
  headers.append('CSeq', received.first('cseq') ?? '');
  for (const [name, value] of options.headers ?? []) headers.append(name, value);
  const reason = options.reason ?? REASONS[status] ?? 'Unknown';
  return { startLine: `SIP/2.0 ${status} ${reason}`, headers, body: options.body ?? NO_BODY };
}

function withTag(to: string, tag: string | undefined): string {
  if (tag === undefined || /;\s*tag\s*=/i.test(to.slice(to.lastIndexOf('>') + 1))) return to;
  return `${to};tag=${tag}`;
}

/** The dialog id that drachtio-srf expects: built from the creating request's From tag. */
export function dialogIdOf(request: SipRequest): string {
  return `${request.callId};from-tag=${fromTag(request)}`;
}
