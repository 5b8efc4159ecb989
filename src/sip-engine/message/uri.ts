import { parseUnsigned } from './tokens.ts';

/** A `sip:` or `sips:` URI taken apart. Nothing is unescaped. */
export interface SipUri {
  readonly scheme: 'sip' | 'sips';
  /** User and password as written, without `@`; '' when absent. */
  readonly user: string;
  /** Lower case; IPv6 keeps its brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: ReadonlyMap<string, string>;
  /** What follows `?`, '' when absent. */
  readonly headers: string;
}

const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;
const USER = /^(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/:]|%[0-9A-Fa-f]{2})*$/;
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9\-._]*[A-Za-z0-9.])?)$/;
const PARAM_TEXT = /^(?:[A-Za-z0-9\-_.!~*'()[\]/:&+$]|%[0-9A-Fa-f]{2})*$/;
/** Any other absolute URI: printable, no space, quote or angle bracket. */
const OPAQUE = /^[\x21\x23-\x3b\x3d\x3f-\x7e]+$/;

export function uriScheme(text: string): string | undefined {
  return SCHEME.exec(text)?.[1]?.toLowerCase();
}

/** True for any absolute URI we would carry in From, To or Contact: RFC 3261 §25.1 `addr-spec`. */
export function isAddrSpec(text: string): boolean {
  const scheme = uriScheme(text);
  if (scheme === undefined) return false;
  if (scheme === 'sip' || scheme === 'sips') return parseSipUri(text) !== undefined;
  return OPAQUE.test(text);
}

/** RFC 3261 §19.1.1. Undefined for anything that is not a well-formed SIP or SIPS URI. */
export function parseSipUri(text: string): SipUri | undefined {
  const scheme = uriScheme(text);
  if (scheme !== 'sip' && scheme !== 'sips') return undefined;
  const rest = text.slice(scheme.length + 1);

  const at = rest.indexOf('@');
  const user = at < 0 ? '' : rest.slice(0, at);
  if (at === 0 || !USER.test(user)) return undefined;

  const afterUser = rest.slice(at + 1);
  const question = afterUser.indexOf('?');
  const headers = question < 0 ? '' : afterUser.slice(question + 1);
  const beforeHeaders = question < 0 ? afterUser : afterUser.slice(0, question);
  if (headers !== '' && !OPAQUE.test(headers)) return undefined;

  const [hostPort = '', ...paramTexts] = beforeHeaders.split(';');
  const place = parseHostPort(hostPort);
  const params = parseUriParams(paramTexts);
  if (place === undefined || params === undefined) return undefined;
  return { scheme, user, host: place.host, port: place.port, params, headers };
}

const NO_PARAMS: ReadonlyMap<string, string> = new Map();

function parseUriParams(texts: readonly string[]): ReadonlyMap<string, string> | undefined {
  if (texts.length === 0) return NO_PARAMS;
  const params = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? '' : text.slice(equals + 1);
    if (name === '' || !PARAM_TEXT.test(name) || !PARAM_TEXT.test(value)) return undefined;
    params.set(name.toLowerCase(), value);
  }
  return params;
}

/** `host[:port]` with IPv6 in brackets. */
export function parseHostPort(
  text: string,
): { readonly host: string; readonly port: number | undefined } | undefined {
  const bracket = text.startsWith('[') ? text.indexOf(']') : -1;
  const colon = text.indexOf(':', bracket + 1);
  const host = (colon < 0 ? text : text.slice(0, colon)).trim();
  if (!HOST.test(host)) return undefined;
  if (colon < 0) return { host: host.toLowerCase(), port: undefined };
  const port = parseUnsigned(text.slice(colon + 1).trim(), 65_535);
  return port === undefined ? undefined : { host: host.toLowerCase(), port };
}

/** Without the brackets that a URI puts around an IPv6 address. */
export function bareHost(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** With brackets when it is an IPv6 address. */
export function uriHost(address: string): string {
  return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
}
