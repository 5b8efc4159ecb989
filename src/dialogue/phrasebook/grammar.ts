import { assertNever } from '../../lib/assert-never.ts';
import type { Phrasebook } from '../../model/agent.ts';
import { ASSENT_PHRASES } from './assent.ts';
import { type CompiledBook, compilePhrasebook } from './compile.ts';
import { sayNumber } from './numbers.ts';
import type { Part, Variant } from './pattern.ts';
import { CONTRACTED } from './words.ts';

/** Said before and after what is meant; kept few, since each widens the search. */
const BEFORE = ['um', 'uh', 'well', 'so', 'okay', 'hi', 'hello', 'yes', 'no'];
const ASKING = ['please', 'can you', 'could you', 'can i', 'could i', 'i want to', "i'd like to"];
const AFTER = ['please', 'thanks', 'thank you', 'now', 'then'];

const DIGIT_RULE = 'oh | zero | one | two | three | four | five | six | seven | eight | nine';
/** Numbers up to this are listed one by one, so the grammar allows no other. */
const LISTED_NUMBERS_MAX = 31;

/** A JSGF grammar, and every word in it, each once. */
export interface Grammar {
  readonly jsgf: string;
  readonly words: readonly string[];
}

/**
 * What an embedded recogniser should listen for: everything the book and the built-in
 * entries understand. The public rule is `<utterance>`. All words are lower case; phrases
 * with a word that `hasWord` refuses are left out. Every rule is bounded: no repetition.
 */
export function phrasebookGrammar(
  phrasebook: Phrasebook,
  hasWord: (word: string) => boolean = anyWord,
): Grammar {
  const book = compilePhrasebook(phrasebook);
  if (hasWord !== anyWord) return writeGrammar(book, hasWord);
  // Some 15 ms of work, which every call of an agent would do again on the ticker's thread.
  const known = written.get(book) ?? writeGrammar(book, anyWord);
  written.set(book, known);
  return known;
}

const anyWord = (): boolean => true;

/** Lives as long as the compiled book, which is kept for the books in use. */
const written = new WeakMap<CompiledBook, Grammar>();

function writeGrammar(book: CompiledBook, hasWord: (word: string) => boolean): Grammar {
  const writer = new GrammarWriter(hasWord);
  for (const { variants } of book.entries) {
    for (const { parts } of variants) writer.add(parts);
  }
  return writer.finish();
}

/** Words that phrases share at their beginning. */
const SHARED_WORDS = 2;

/**
 * Alternatives, those that begin alike joined behind their first words. A full tree would be
 * shorter, but each of its brackets makes empty transitions, which the decoder closes pair by
 * pair: it took 4 times as long to load as this.
 */
function alternatives(phrases: Iterable<string>): string {
  const byBeginning = new Map<string, string[]>();
  for (const phrase of new Set(phrases)) {
    const words = phrase.split(' ');
    const beginning = words.slice(0, SHARED_WORDS).join(' ');
    const rests = byBeginning.get(beginning) ?? [];
    byBeginning.set(beginning, [...rests, words.slice(SHARED_WORDS).join(' ')]);
  }
  const choices = [...byBeginning].flatMap(([beginning, rests]) => {
    const longer = rests.filter((rest) => rest !== '');
    const alone = rests.length > longer.length ? [beginning] : [];
    if (longer.length === 0) return alone;
    const [only = ''] = longer;
    const rest = longer.length === 1 ? only : `( ${longer.join(' | ')} )`;
    return [...alone, `${beginning} ${rest}`];
  });
  return choices.join(' | ');
}

/**
 * Phrases that end in the same slot share it: a decoder copies a rule into every place that
 * names it, and a rule of digits is large.
 */
function joinByTail(phrases: ReadonlySet<string>): string {
  const plain: string[] = [];
  const headsByTail = new Map<string, string[]>();
  for (const phrase of phrases) {
    const tail = /<\w+>$/.exec(phrase)?.[0];
    if (tail === undefined) {
      plain.push(phrase);
    } else {
      const heads = headsByTail.get(tail) ?? [];
      headsByTail.set(tail, [...heads, phrase.slice(0, -tail.length).trim()]);
    }
  }
  const slotted = [...headsByTail].map(([tail, heads]) => {
    const longer = alternatives(heads.filter((head) => head !== ''));
    if (longer === '') return tail;
    return heads.includes('') ? `[ ${longer} ] ${tail}` : `( ${longer} ) ${tail}`;
  });
  return [alternatives(plain), ...slotted].filter((choice) => choice !== '').join(' | ');
}

class GrammarWriter {
  readonly #hasWord: (word: string) => boolean;
  readonly #said = new Set<string>();
  readonly #rules = new Map<string, string>();

  constructor(hasWord: (word: string) => boolean) {
    this.#hasWord = hasWord;
  }

  /** As written, and as spoken quickly: `what is` and `what's`. */
  add(parts: Variant): void {
    const tokens = parts.map((part) => this.#token(part));
    if (tokens.some((token) => token === '')) return;
    for (const spelling of [tokens, contract(tokens)]) {
      if (spelling.every((token) => token.startsWith('<') || this.#hasWord(token))) {
        this.#said.add(spelling.join(' '));
      }
    }
  }

  finish(): Grammar {
    const before = this.#anyOf(BEFORE);
    const asking = this.#anyOf(ASKING);
    const after = this.#anyOf(AFTER);
    const optional = (choices: string): string => (choices === '' ? '' : `[ ${choices} ] `);
    const said = joinByTail(this.#said) || '<VOID>';
    const utterance = `${optional(before)}${optional(asking)}<said> ${optional(after)}`.trim();
    const rules = [
      `public <utterance> = ${utterance};`,
      `<said> = ${said};`,
      ...[...this.#rules].map(([name, body]) => `<${name}> = ${body};`),
    ];
    const jsgf = ['#JSGF V1.0;', 'grammar phrasebook;', ...rules, ''].join('\n');
    return { jsgf, words: wordsOf(rules) };
  }

  /** The token that stands for a part; empty when the recogniser knows none of its words. */
  #token(part: Part): string {
    switch (part.type) {
      case 'word':
        return part.word;
      case 'digits':
        this.#rules.set('digit', DIGIT_RULE);
        return this.#rule(`digits_${part.min}_${part.max}`, digitsRule(part.min, part.max));
      case 'number':
        return this.#rule(`number_${part.min}_${part.max}`, this.#numberRule(part.min, part.max));
      case 'list': {
        const phrases = part.phrases.map(({ words }) => words.join(' '));
        const name = `list_${phrases.join('_').replace(/[^a-z0-9]+/g, '_')}`;
        return this.#rule(name, this.#anyOf(phrases));
      }
      case 'assent': {
        const phrases = ASSENT_PHRASES[part.assent].flatMap((words) => [
          words.join(' '),
          contract(words).join(' '),
        ]);
        return this.#rule(part.assent, this.#anyOf(phrases));
      }
      default:
        return assertNever(part);
    }
  }

  #rule(name: string, body: string): string {
    if (body === '') return '';
    this.#rules.set(name, body);
    return `<${name}>`;
  }

  #numberRule(min: number, max: number): string {
    if (max <= LISTED_NUMBERS_MAX) {
      return Array.from({ length: max - min + 1 }, (_, index) => sayNumber(min + index)).join(
        ' | ',
      );
    }
    const units = Array.from({ length: 9 }, (_, index) => sayNumber(index + 1)).join(' | ');
    const teens = Array.from({ length: 10 }, (_, index) => sayNumber(index + 10)).join(' | ');
    const tens = Array.from({ length: 8 }, (_, index) => sayNumber((index + 2) * 10)).join(' | ');
    this.#rules.set('unit', units);
    this.#rules.set('below_hundred', `<unit> | ${teens} | ( ${tens} ) [ <unit> ]`);
    const hundreds = '( a | <unit> ) hundred [ [ and ] <below_hundred> ]';
    this.#rules.set('below_thousand', `<below_hundred> | ${hundreds}`);
    const zero = min === 0 ? 'zero | ' : '';
    if (max < 100) return `${zero}<below_hundred>`;
    if (max < 1000) return `${zero}<below_thousand>`;
    return `${zero}<below_thousand> | <unit> thousand [ <below_thousand> ]`;
  }

  /** Alternatives of the phrases whose words are all known. */
  #anyOf(phrases: readonly string[]): string {
    return alternatives(phrases.filter((phrase) => phrase.split(' ').every(this.#hasWord)));
  }
}

function digitsRule(min: number, max: number): string {
  const must = Array.from({ length: min }, () => '<digit>').join(' ');
  const may = max > min ? ` ${'[ <digit> '.repeat(max - min)}${']'.repeat(max - min)}` : '';
  return `${must}${may}`;
}

function contract(words: readonly string[]): string[] {
  const short: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const contracted = CONTRACTED.get(`${words[at]} ${words[at + 1]}`);
    if (contracted !== undefined) at += 1;
    short.push(contracted ?? words[at] ?? '');
  }
  return short;
}

function wordsOf(rules: readonly string[]): string[] {
  const words = new Set<string>();
  for (const rule of rules) {
    const body = rule.slice(rule.indexOf('=') + 1).replace(/<[^>]*>/g, ' ');
    for (const [word] of body.matchAll(/[a-z0-9'.-]+/g)) words.add(word);
  }
  return [...words].sort();
}
