import type { HeaderList } from '../message/header-list.ts';
import { canonicalName } from '../message/header-names.ts';
import type { MessageDraft } from '../message/message.ts';
import type { Flow } from '../transport/transport.ts';
import { fillLocalhost } from './address-book.ts';

/**
 * How an application says that a 401, 403 or 407 is no word against the credentials of the request:
 * `Trunkline-Refusal: policy`. It stays between application and engine.
 */
export const REFUSAL_HEADER = 'trunkline-refusal';

/** What an application may not set: the engine owns it. */
const OWNED = new Set([
  'via',
  'record-route',
  'rseq',
  'content-length',
  'from',
  'to',
  'call-id',
  'cseq',
  'max-forwards',
  REFUSAL_HEADER,
]);

const MAY_HOLD_LOCALHOST = new Set(['contact', 'p-asserted-identity', 'p-preferred-identity']);

/** Copies an application's headers, spelled canonically, `@localhost` filled in. */
export function copyAppHeaders(
  template: MessageDraft,
  into: HeaderList,
  flow: Flow,
  alsoOwned: readonly string[] = [],
): void {
  for (const { key, name, value } of template.headers) {
    if (OWNED.has(key) || alsoOwned.includes(key)) continue;
    const filled = MAY_HOLD_LOCALHOST.has(key) ? fillLocalhost(value, flow) : value;
    into.append(canonicalName(name), key === 'contact' ? bracketed(filled) : filled);
  }
}

/** Contact goes out in angle brackets: many peers look for nothing else. */
function bracketed(contact: string): string {
  if (contact.includes('<') || contact === '*') return contact;
  const [uri = '', ...params] = contact.split(';');
  return [`<${uri.trim()}>`, ...params].join(';');
}

/** SDP may come without a Content-Type; anything else may not. False: it is missing. */
export function ensureContentType(headers: HeaderList, body: Buffer): boolean {
  if (body.length === 0 || headers.has('content-type')) return true;
  if (!body.subarray(0, 2).equals(SDP_START)) return false;
  headers.append('Content-Type', 'application/sdp');
  return true;
}

const SDP_START = Buffer.from('v=');
