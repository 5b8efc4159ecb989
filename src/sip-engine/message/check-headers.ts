import type { HeaderList } from './header-list.ts';
import { parseNameAddr, parseVia } from './header-values.ts';
import { parseParams, parseUnsigned, splitOutside } from './tokens.ts';

const NAME_ADDR_LISTS = new Set(['contact', 'route', 'record-route']);
const ONCE = new Set([
  'max-forwards',
  'content-type',
  'expires',
  'session-expires',
  'rseq',
  'rack',
]);
const IN_GMT = /^[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

/**
 * Judges the headers that an element acts upon; a sentence when one is malformed.
 * Unknown headers are never judged (RFC 3261 §8.2.2).
 */
export function checkHeaders(headers: HeaderList): string | undefined {
  const seen = new Set<string>();
  for (const { key, value } of headers) {
    if (ONCE.has(key) && seen.has(key)) return `${key} occurs more than once`;
    seen.add(key);
    if (!isSound(key, value)) return `${key} is malformed`;
  }
  return undefined;
}

function isSound(key: string, value: string): boolean {
  if (NAME_ADDR_LISTS.has(key)) return isNameAddrList(key, value);
  switch (key) {
    case 'via':
      return splitOutside(value, ',').every((part) => parseVia(part) !== undefined);
    case 'max-forwards':
      return parseUnsigned(value, 255) !== undefined;
    case 'expires':
    case 'min-expires':
    case 'rseq':
      return parseUnsigned(value, 2 ** 32 - 1) !== undefined;
    case 'rack':
      // Some send the method twice; what follows it is not read.
      return /^\d{1,10}\s+\d{1,10}\s+\S+/.test(value);
    case 'session-expires':
    case 'min-se':
      return /^\d{1,10}\s*(;|$)/.test(value);
    case 'date':
      return IN_GMT.test(value);
    case 'content-type':
      return isMediaType(value);
    default:
      return true;
  }
}

function isNameAddrList(key: string, value: string): boolean {
  if (key === 'contact' && value === '*') return true;
  return splitOutside(value, ',').every((part) => parseNameAddr(part) !== undefined);
}

function isMediaType(value: string): boolean {
  const semicolon = value.indexOf(';');
  const type = (semicolon < 0 ? value : value.slice(0, semicolon)).trim();
  if (!/^[^\s/;]+\s*\/\s*[^\s/;]+$/.test(type)) return false;
  return semicolon < 0 || parseParams(value, semicolon) !== undefined;
}
