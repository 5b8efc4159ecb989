/** RFC 3261 §25.1 `token`. */
const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Unsigned decimal up to `max`, or undefined. Leading zeros are allowed, signs are not. */
export function parseUnsigned(text: string, max: number): number | undefined {
  if (!/^\d{1,20}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** Index of the `"` that closes the quoted string opened at `open`, or -1. */
export function closingQuote(text: string, open: number): number {
  for (let i = open + 1; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 0x5c) i++;
    else if (char === 0x22) return i;
  }
  return -1;
}

/** Splits at `separator` outside quotes and angle brackets; parts are trimmed and may be empty. */
export function splitOutside(text: string, separator: ',' | ';'): string[] {
  const parts: string[] = [];
  let start = 0;
  let inAngles = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"' && !inAngles) {
      const close = closingQuote(text, i);
      if (close < 0) break;
      i = close;
    } else if (char === '<') inAngles = true;
    else if (char === '>') inAngles = false;
    else if (char === separator && !inAngles) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts;
}

/** The values of a comma-separated header line. Empty ones are dropped. */
export function splitList(text: string): string[] {
  return splitOutside(text, ',').filter((part) => part !== '');
}

/** Parameters after a `;`. Names are lower case; a parameter without value maps to ''. */
export type Params = ReadonlyMap<string, string>;

const NO_PARAMS: Params = new Map();
const PARAM =
  /\s*;\s*([A-Za-z0-9\-.!%*_+`'~]+)(?:\s*=\s*([A-Za-z0-9\-.!%*_+`'~]+|\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]+|"(?:[^"\\]|\\[^])*"))?\s*/y;

/** Parses `;a=b;c` from `start` to the end of `text`; undefined when any of it is not a parameter. */
export function parseParams(text: string, start: number): Params | undefined {
  if (start >= text.length || text.slice(start).trim() === '') return NO_PARAMS;
  const params = new Map<string, string>();
  PARAM.lastIndex = start;
  while (PARAM.lastIndex < text.length) {
    const found = PARAM.exec(text);
    if (found === null) return undefined;
    params.set((found[1] ?? '').toLowerCase(), found[2] ?? '');
  }
  return params;
}
