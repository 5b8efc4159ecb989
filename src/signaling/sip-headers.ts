import type { SrfMessage } from './drachtio.ts';
import { SUPPORTED } from './sip-settings.ts';

export const KEPT_HEADERS_MAX = 32;
export const KEPT_HEADER_CHARACTERS_MAX = 512;
/** A signed identity (RFC 8224) or a long history is worthless when cut. */
const LONG = new Set(['identity', 'history-info']);
export const KEPT_LONG_HEADER_CHARACTERS_MAX = 2_048;

/** Headers that say who calls, on whose behalf and why; lower case. */
const KEPT = new Set([
  'alert-info',
  'call-info',
  'diversion',
  'geolocation',
  'history-info',
  'identity',
  'organization',
  'p-asserted-identity',
  'p-charging-vector',
  'p-preferred-identity',
  'priority',
  'privacy',
  'reason',
  'referred-by',
  'remote-party-id',
  'replaces',
  'server',
  'session-expires',
  'subject',
  'user-agent',
]);

/** The headers of an INVITE that are worth keeping, cut and counted. */
export function keptHeaders(message: SrfMessage): Readonly<Record<string, string>> {
  const kept: [string, string][] = [];
  for (const [name, value] of Object.entries(message.headers)) {
    const lower = name.toLowerCase();
    if (kept.length >= KEPT_HEADERS_MAX) break;
    if (!KEPT.has(lower) && !/^x-[a-z0-9-]{1,64}$/.test(lower)) continue;
    const most = LONG.has(lower) ? KEPT_LONG_HEADER_CHARACTERS_MAX : KEPT_HEADER_CHARACTERS_MAX;
    kept.push([lower, value.replace(/\s+/g, ' ').slice(0, most)]);
  }
  return Object.fromEntries(kept);
}

/** Option tags of `Require` that we do not have (RFC 3261 §8.2.2.3). */
export const unsupportedExtensions = (message: SrfMessage): string[] =>
  optionTags(message, 'require').filter((tag) => !SUPPORTED.includes(tag));

/** Option tags of a header, in lower case. */
export const optionTags = (message: SrfMessage, name: string): string[] =>
  (message.get(name) ?? '')
    .split(',', 64)
    .map((tag) => tag.trim().toLowerCase())
    .filter((tag) => tag !== '');

/** The text of a Reason header (RFC 3326), else its first value, else null. */
export function reasonText(message: SrfMessage | undefined): string | null {
  const reason = message?.get('reason')?.slice(0, KEPT_HEADER_CHARACTERS_MAX);
  if (reason === undefined || reason.trim() === '') return null;
  const text = /;\s*text\s*=\s*"((?:[^"\\]|\\.)*)"/i.exec(reason)?.[1];
  return text?.replace(/\\(.)/g, '$1') ?? reason.trim();
}

/** Number of a CSeq header, null when it cannot be read. */
export function cseqNumber(message: SrfMessage): number | null {
  const digits = /^\s*([0-9]{1,10})\s/.exec(message.get('cseq') ?? '')?.[1];
  return digits === undefined ? null : Number(digits);
}

/** What the body of an INVITE or UPDATE is to us. */
export type OfferBody =
  | { readonly type: 'sdp'; readonly sdp: string }
  | { readonly type: 'none' }
  | { readonly type: 'unsupported' };

/** Finds the session description, alone or as a part of a multipart body (RFC 5621). */
export function offerBody(message: SrfMessage): OfferBody {
  const body = message.body ?? '';
  if (body.trim() === '') return { type: 'none' };
  const contentType = message.get('content-type') ?? '';
  if (isSdpType(contentType)) return { type: 'sdp', sdp: body };
  if (!/^\s*multipart\//i.test(contentType)) return { type: 'unsupported' };
  const part = message.payload?.find(({ type }) => isSdpType(type ?? ''))?.content;
  if (part === undefined) return { type: 'unsupported' };
  // The closing boundary is still there when this part was the last.
  return { type: 'sdp', sdp: part.replace(/\r?\n--[\s\S]*$/, '\r\n') };
}

const isSdpType = (contentType: string): boolean =>
  /^\s*application\/sdp\s*(;|$)/i.test(contentType);

/** Free text for a reason phrase or a quoted string: printable ASCII without quotes. */
export const plainText = (text: string): string =>
  text
    .replace(/[^ !#-[\]-~]/g, ' ')
    .slice(0, 128)
    .trim();

/** True when a value may stand in a header as it is. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
export const isHeaderSafe = (value: string): boolean => !/[\0-\x1f\x7f]/.test(value);
