import { DialogueError } from '../dialogue-error.ts';
import { NUMBER_MAX } from './numbers.ts';
import { toWords } from './words.ts';

/** Most plain sequences that one pattern may stand for, and its longest text. */
export const VARIANTS_MAX = 256;
const PATTERN_LENGTH_MAX = 400;
const DIGITS_MAX = 16;
const DEPTH_MAX = 6;

/** One place of a variant. */
export type Part =
  | { readonly type: 'word'; readonly word: string }
  | { readonly type: 'digits'; readonly name: string; readonly min: number; readonly max: number }
  | { readonly type: 'number'; readonly name: string; readonly min: number; readonly max: number }
  | { readonly type: 'list'; readonly name: string; readonly phrases: readonly Phrase[] }
  | { readonly type: 'assent'; readonly assent: 'yes' | 'no' };

/** One value of a word list: as written, and as matched. */
export interface Phrase {
  readonly text: string;
  readonly words: readonly string[];
}

/** A pattern without choices: what must be said, word after word. */
export type Variant = readonly Part[];

const TOKEN = /\s*(?:(\[|\]|\(|\)|\|)|\{([^{}]*)\}|<(yes|no)>|([\p{L}\p{N}'.-]+))/uy;

function invalid(pattern: string, why: string): DialogueError {
  return new DialogueError('PHRASEBOOK_INVALID', `the pattern "${pattern}" ${why}`);
}

/**
 * Opens a pattern into its variants, the shortest first. Throws `PHRASEBOOK_INVALID`.
 *
 *     [please] (tell|give) me a joke
 *     my (pin|code) is {pin:digits 4}
 */
export function parsePattern(pattern: string): Variant[] {
  if (pattern.length > PATTERN_LENGTH_MAX) throw invalid(pattern.slice(0, 40), 'is too long');
  const reader = new PatternReader(pattern);
  const variants = reader.read();
  const spoken = variants.filter((variant) => variant.length > 0);
  if (spoken.length === 0) throw invalid(pattern, 'says nothing');
  return spoken.sort((a, b) => a.length - b.length);
}

class PatternReader {
  readonly #pattern: string;
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  read(): Variant[] {
    const variants = this.#alternatives();
    if (this.#pattern.slice(this.#at).trim() !== '') throw invalid(this.#pattern, this.#where());
    return variants;
  }

  #where(): string {
    return `cannot be read at column ${this.#at + 1}`;
  }

  #alternatives(): Variant[] {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw invalid(this.#pattern, 'is nested too deeply');
    const all = this.#sequence();
    while (this.#takes('|')) all.push(...this.#sequence());
    this.#checkCount(all.length);
    this.#depth -= 1;
    return all;
  }

  #sequence(): Variant[] {
    let variants: Variant[] = [[]];
    for (;;) {
      const choices = this.#item();
      if (choices === null) return variants;
      this.#checkCount(variants.length * choices.length);
      variants = variants.flatMap((head) => choices.map((tail) => [...head, ...tail]));
    }
  }

  /** What may stand here, or null at the end of the sequence. */
  #item(): Variant[] | null {
    if (this.#takes('[')) return [[], ...this.#closed(']')];
    if (this.#takes('(')) return this.#closed(')');
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#pattern);
    if (match === null || match[1] !== undefined) return null;
    this.#at = TOKEN.lastIndex;
    if (match[2] !== undefined) return [[this.#slot(match[2])]];
    if (match[3] === 'yes' || match[3] === 'no') return [[{ type: 'assent', assent: match[3] }]];
    return [toWords(match[4] ?? '').map((word) => ({ type: 'word', word }))];
  }

  #closed(bracket: string): Variant[] {
    const variants = this.#alternatives();
    if (!this.#takes(bracket)) throw invalid(this.#pattern, `lacks a "${bracket}"`);
    return variants;
  }

  #takes(mark: string): boolean {
    TOKEN.lastIndex = this.#at;
    if (TOKEN.exec(this.#pattern)?.[1] !== mark) return false;
    this.#at = TOKEN.lastIndex;
    return true;
  }

  #slot(inside: string): Part {
    const match = /^\s*([\p{L}_][\p{L}\p{N}_-]*)\s*:\s*(.+?)\s*$/u.exec(inside);
    const [, name, kind] = match ?? [];
    if (name === undefined || kind === undefined) throw invalid(this.#pattern, 'has a broken slot');
    const bounded = /^(digits|number)(?:\s+(\d{1,5})(?:\s*-\s*(\d{1,5}))?)?$/.exec(kind);
    if (bounded?.[1] === 'digits') return this.#bounds('digits', name, bounded, [1, DIGITS_MAX]);
    if (bounded?.[1] === 'number') return this.#bounds('number', name, bounded, [0, NUMBER_MAX]);
    const phrases = kind.split('|').map((text) => ({ text: text.trim(), words: toWords(text) }));
    if (phrases.some(({ words }) => words.length === 0)) {
      throw invalid(this.#pattern, `has an empty word in the slot "${name}"`);
    }
    return { type: 'list', name, phrases };
  }

  #bounds(
    type: 'digits' | 'number',
    name: string,
    match: RegExpExecArray,
    [lowest, highest]: readonly [number, number],
  ): Part {
    const min = match[2] === undefined ? lowest : Number(match[2]);
    const max =
      match[3] === undefined ? (match[2] === undefined ? highest : min) : Number(match[3]);
    if (min < lowest || max > highest || min > max) {
      throw invalid(this.#pattern, `has bounds outside ${lowest}-${highest} in the slot "${name}"`);
    }
    return { type, name, min, max };
  }

  #checkCount(count: number): void {
    if (count > VARIANTS_MAX)
      throw invalid(this.#pattern, `has more than ${VARIANTS_MAX} readings`);
  }
}
