import { closingQuote, type Params, isToken, parseParams, parseUnsigned } from './tokens.ts';
import { isAddrSpec, parseHostPort } from './uri.ts';

/** `"Bob" <sip:bob@host>;tag=x` or `sip:bob@host;tag=x`: RFC 3261 §20.10. */
export interface NameAddr {
  /** As written, with quotes; '' when absent. */
  readonly display: string;
  readonly uri: string;
  readonly params: Params;
}

/** One Via value, RFC 3261 §20.42. */
export interface Via {
  /** `UDP`, `TCP`, … in upper case. */
  readonly transport: string;
  /** Lower case, IPv6 in brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
}

export interface CSeq {
  readonly sequence: number;
  readonly method: string;
}

/** CSeq stays under 2^31, RFC 3261 §8.1.1.5. */
export const CSEQ_MAX = 2 ** 31 - 1;

export function parseNameAddr(text: string): NameAddr | undefined {
  if (text.startsWith('"')) {
    const close = closingQuote(text, 0);
    if (close < 0) return undefined;
    const open = text.indexOf('<', close);
    if (open < 0 || text.slice(close + 1, open).trim() !== '') return undefined;
    return bracketed(text, text.slice(0, close + 1), open);
  }
  const open = text.indexOf('<');
  if (open < 0) return bare(text);
  const display = text.slice(0, open).trim();
  if (display !== '' && !display.split(/\s+/).every(isToken)) return undefined;
  return bracketed(text, display, open);
}

function bracketed(text: string, display: string, open: number): NameAddr | undefined {
  const close = text.indexOf('>', open);
  if (close < 0) return undefined;
  const uri = text.slice(open + 1, close);
  const params = parseParams(text, close + 1);
  if (params === undefined || !isAddrSpec(uri)) return undefined;
  return { display, uri, params };
}

/** Without angle brackets `;` begins header parameters, and `?` or `,` may not occur (§20.10). */
function bare(text: string): NameAddr | undefined {
  const semicolon = text.indexOf(';');
  const uri = (semicolon < 0 ? text : text.slice(0, semicolon)).trim();
  const params = semicolon < 0 ? parseParams('', 0) : parseParams(text, semicolon);
  if (params === undefined || /[?,]/.test(uri) || !isAddrSpec(uri)) return undefined;
  return { display: '', uri, params };
}

const VIA = /^SIP\s*\/\s*2\.0\s*\/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+([^;\s]+(?:\s*:\s*\d+)?)/i;

export function parseVia(text: string): Via | undefined {
  const found = VIA.exec(text);
  if (found === null) return undefined;
  const place = parseHostPort((found[2] ?? '').replace(/\s+/g, ''));
  const params = parseParams(text, found[0].length);
  if (place === undefined || params === undefined) return undefined;
  return { transport: (found[1] ?? '').toUpperCase(), ...place, params };
}

export function parseCSeq(text: string): CSeq | undefined {
  const found = /^(\d+)\s+(\S+)$/.exec(text);
  if (found === null) return undefined;
  const sequence = parseUnsigned(found[1] ?? '', CSEQ_MAX);
  const method = found[2] ?? '';
  return sequence === undefined || !isToken(method) ? undefined : { sequence, method };
}
