import { parseParty } from '../sip-address.ts';
import type { ReferTo } from './refer.ts';
import { type DialogIdentity, parseReplaces, replacesOf } from './replaces.ts';

/** Null for what cannot be called: another method, another scheme, no address. */
export function parseReferTo(header: string): ReferTo | null {
  const text = header.slice(0, 2_048).trim();
  const uri = /<([^>]*)>/.exec(text)?.[1] ?? text.split(';', 1)[0] ?? '';
  if (!/^(sips?|tel):/i.test(uri) || /;\s*method\s*=\s*(?!invite\b)/i.test(uri)) return null;
  const { user, host } = parseParty(`<${uri}>`);
  if (user === '') return null;
  const replaces = headerOfUri(uri, 'replaces');
  if (replaces !== null && parseReplaces(replaces) === null) return null;
  return { user, host, replaces };
}

/** A header that a URI carries behind its question mark (RFC 3261 §19.1.1). */
function headerOfUri(uri: string, wanted: string): string | null {
  const query = uri.slice(uri.indexOf('?') + 1);
  if (query === uri) return null;
  for (const pair of query.split('&', 16)) {
    const [name = '', value = ''] = pair.split('=', 2);
    if (name.toLowerCase() === wanted) return unescaped(value);
  }
  return null;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** A Refer-To that brings the far side of one dialog together with that of another (RFC 5589). */
export function referToReplacing(dialog: DialogIdentity): string {
  const [target = ''] = dialog.remoteTarget.split('?', 1);
  return `<${target}?Replaces=${encodeURIComponent(replacesOf(dialog))}>`;
}
