import type { SipParty } from './sip-leg.ts';

/** Longest user, host or display name that is kept; what is longer is cut. */
export const ADDRESS_PART_CHARACTERS_MAX = 256;

/**
 * Reads a From or To header, or a bare Request-URI (RFC 3261 §20.10, §19.1; RFC 3966): display
 * name quoted or not, `sip:`, `sips:` and `tel:`, escaped users, IPv6 hosts. It never fails: the
 * engine took the message already, so what cannot be read is left empty.
 */
export function parseParty(header: string): SipParty {
  const text = header.slice(0, 4 * ADDRESS_PART_CHARACTERS_MAX).trim();
  const quoted = /^"((?:[^"\\]|\\.)*)"\s*/.exec(text);
  const rest = quoted === null ? text : text.slice(quoted[0].length);
  const open = rest.indexOf('<');
  if (open === -1) {
    // Without brackets the parameters are the header's, not the URI's.
    return { ...parseUri(rest), displayName: '' };
  }
  const close = rest.indexOf('>', open);
  const uri = rest.slice(open + 1, close === -1 ? undefined : close);
  const name = quoted === null ? rest.slice(0, open) : (quoted[1] ?? '').replace(/\\(.)/g, '$1');
  return { ...parseUri(uri), displayName: clean(name) };
}

function parseUri(uri: string): { readonly user: string; readonly host: string } {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(uri.trim());
  if (match?.[1]?.toLowerCase() === 'tel') return parseTelephone(match[2] ?? '');
  const withoutHeaders = (match?.[2] ?? '').split('?')[0] ?? '';
  const at = withoutHeaders.lastIndexOf('@');
  const hostport = (withoutHeaders.slice(at + 1).split(';')[0] ?? '').trim();
  const host = /^\[[^\]]*\]|^[^:]*/.exec(hostport)?.[0] ?? '';
  // A password, and telephone parameters like `;phone-context=`, are not part of the name.
  const user = at === -1 ? '' : (withoutHeaders.slice(0, at).split(/[:;]/, 1)[0] ?? '');
  return { user: clean(unescapeUser(user)), host: clean(host.replace(/^\[|\]$/g, '')) };
}

/** `tel:+1-201-555-0123;phone-context=example.com`: separators mean nothing (RFC 3966 §5.1.1). */
function parseTelephone(text: string): { readonly user: string; readonly host: string } {
  const [number = '', ...parameters] = text.split(';');
  const context = parameters
    .map((parameter) => /^phone-context=(.*)$/i.exec(parameter)?.[1])
    .find((value) => value !== undefined);
  return { user: clean(number.replace(/[-.()]/g, '')), host: clean(context ?? '') };
}

function unescapeUser(user: string): string {
  try {
    return decodeURIComponent(user);
  } catch {
    return user;
  }
}

// oxlint-disable-next-line no-control-regex -- control characters are what it takes out
const CONTROLS = /[\0-\x1f\x7f]/g;

const clean = (text: string): string =>
  text.replace(CONTROLS, '').trim().slice(0, ADDRESS_PART_CHARACTERS_MAX);

/** User part of a URI we write: everything that is not unreserved is escaped (§25.1). */
const escapeUser = (user: string): string =>
  encodeURIComponent(user).replace(/%(2B|26|3D|24|2C)/g, (escaped) => decodeURIComponent(escaped));

/** `"Name" <sip:user@host>`; without a host the engine puts in its own address. */
export function formatParty(party: {
  readonly user: string;
  readonly host?: string;
  readonly displayName?: string;
}): string {
  const name = clean(party.displayName ?? '').replace(/["\\]/g, '\\$&');
  const host = (party.host ?? 'localhost').replace(/[^A-Za-z0-9.:[\]-]/g, '');
  const address = `<sip:${escapeUser(clean(party.user))}@${host}>`;
  return name === '' ? address : `"${name}" ${address}`;
}
