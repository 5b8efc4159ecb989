/** What stands in one challenge or one set of credentials: a scheme and its parameters. */
export interface AuthItem {
  /** Lower case: `digest`. */
  readonly scheme: string;
  /** By lower-case name; quoted values without their quotes and escapes. */
  readonly params: ReadonlyMap<string, string>;
}

export const AUTH_HEADER_CHARACTERS_MAX = 8_192;
export const AUTH_ITEMS_MAX = 16;
export const AUTH_PARAMS_MAX = 32;

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const SPACE = /[ \t\r\n]*/y;
/** Unquoted values: tokens by the grammar; a few servers leave slashes and equals unquoted. */
const LOOSE_VALUE = /[^\s",;]+/y;
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y;

/**
 * Reads WWW-Authenticate, Proxy-Authenticate, Authorization or Proxy-Authorization
 * (RFC 3261 §25.1, RFC 7235 §2.1). Repeated headers may stand joined by commas:
 *
 *   Digest realm="a", nonce="1", Digest realm="b", nonce="2"
 *   └scheme┘└param─┘  └param──┘  └a second item ─────────────┘
 *
 * Null for what is none of them, or exceeds the limits above.
 */
export function parseAuthItems(header: string): readonly AuthItem[] | null {
  if (header.length > AUTH_HEADER_CHARACTERS_MAX) return null;
  const reader = new Reader(header);
  const items: { scheme: string; params: Map<string, string> }[] = [];
  for (;;) {
    reader.skipCommas();
    if (reader.isAtEnd) return items.length === 0 ? null : items;
    const word = reader.take(TOKEN);
    if (word === null) return null;
    reader.take(SPACE);
    if (!reader.takeEquals()) {
      if (items.length >= AUTH_ITEMS_MAX) return null;
      items.push({ scheme: word.toLowerCase(), params: new Map() });
      continue;
    }
    const value = reader.takeValue();
    const params = items.at(-1)?.params;
    if (value === null || params === undefined || params.size >= AUTH_PARAMS_MAX) return null;
    const name = word.toLowerCase();
    // RFC 7235 §2.1: a name only once. Twice is how filters are led astray.
    if (params.has(name)) return null;
    params.set(name, value);
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** What a sticky pattern matches here, null for nothing; moves on. */
  take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return null;
    this.#at = pattern.lastIndex;
    return found[1] ?? found[0];
  }

  takeEquals(): boolean {
    if (this.#text[this.#at] !== '=') return false;
    this.#at += 1;
    this.take(SPACE);
    return true;
  }

  takeValue(): string | null {
    if (this.#text[this.#at] !== '"') return this.take(LOOSE_VALUE);
    const quoted = this.take(QUOTED);
    return quoted === null ? null : quoted.replace(/\\([\s\S])/g, '$1');
  }

  skipCommas(): void {
    this.take(SPACE);
    while (this.#text[this.#at] === ',') {
      this.#at += 1;
      this.take(SPACE);
    }
  }
}

/** A quoted-string; null when the value holds what no header may hold. */
export function quoted(value: string): string | null {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(value)) return null;
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}
