/**
 * What a log may say about people and secrets.
 *
 * | In the line | Written |
 * |---|---|
 * | phone number (`+34612345678`, or 7–15 bare digits as a whole text or SIP user) | `+34…678` |
 * | IPv4 address outside loopback | its /24: `203.0.113.x` |
 * | IPv6 address outside loopback | its /48: `2001:db8:1::x` |
 * | e-mail address | `…@example.org` |
 * | API keys (`pk_live_…`, `sk-…`), tokens and secrets of doors (`ctk_…`, `whsec_…`), bearer tokens | their prefix and `…` |
 * | configured secrets, wherever they stand | `[secret]` |
 */

/** `+34612345678` → `+34…678`. What is too short to be a number is hidden whole. */
export function redactNumber(number: string): string {
  const sign = number.startsWith('+') ? '+' : '';
  const digits = number.slice(sign.length);
  return digits.length < 7 ? '…' : `${sign}${digits.slice(0, 2)}…${digits.slice(-3)}`;
}

/** `203.0.113.7` → `203.0.113.x`. Loopback and "any" stay as they are. */
export function redactAddress(address: string): string {
  if (/^(127\.|0\.0\.0\.0$|::1?$)/.test(address)) return address;
  if (address.includes('.') && !address.includes(':')) return address.replace(/\.\d+$/, '.x');
  const groups = address.split('::', 1)[0]?.split(':').slice(0, 3) ?? [];
  return `${groups.join(':')}::x`;
}

/** Rewrites a text or a whole log line. A JSON line stays valid JSON. */
export type Redactor = (text: string) => string;

const SECRET_LENGTH_MIN = 6;

/** @param secrets configured secrets; those shorter than six characters are not looked for. */
export function createRedactor(secrets: readonly string[] = []): Redactor {
  const planted = secrets
    .filter((secret) => secret.length >= SECRET_LENGTH_MIN)
    // As it would stand inside a JSON text.
    .flatMap((secret) => [JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), secret])
    .sort((a, b) => b.length - a.length);
  const unique = [...new Set(planted)];
  return (text) => {
    let out = text;
    for (const secret of unique) out = out.replaceAll(secret, '[secret]');
    return scrub(out);
  };
}

const KEY = /\b(pk_(?:live|test)_|sk-|ct[ks]_|whsec_)[\w-]{6,}/g;
const BEARER = /\b(Bearer|Basic) +[\w.~+/=-]{6,}/gi;
const EMAIL = /[\w.+-]+@((?:[\w-]+\.)+[a-z]{2,})/gi;
const PLUS_NUMBER = /(\+|%2B)(\d{7,15})\b/gi;
/** Bare digits only where a number would stand: a JSON number such as `"time":1700…` is kept. */
const BARE_NUMBER = /(?<=["\s<(=/;']|sips?:|tel:|^)\d{7,15}(?=["\\\s>)@;.'?&]|$)/g;
const IPV4 = /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)/g;
const IPV6 = /(?<![\w:])(?:[\da-f]{0,4}:){2,7}[\da-f]{0,4}(?![\w.:])/gi;

function scrub(text: string): string {
  return text
    .replace(KEY, '$1…')
    .replace(BEARER, '$1 …')
    .replace(EMAIL, '…@$1')
    .replace(PLUS_NUMBER, (_, sign: string, digits: string) =>
      redactNumber(digits).replace(/^/, sign),
    )
    .replace(BARE_NUMBER, redactNumber)
    .replace(IPV4, redactAddress)
    .replace(IPV6, (match) => (isIpv6(match) ? redactAddress(match) : match));
}

/** Times (`10:20:30`) look alike: an address has eight groups, or `::`. */
function isIpv6(text: string): boolean {
  return (text.includes('::') && /[\da-f]/i.test(text)) || text.split(':').length === 8;
}
