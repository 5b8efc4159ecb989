import { toSpokenText } from './spoken-text.ts';

/** The first clause may be given out from this many words, at a natural boundary. */
export const FIRST_CLAUSE_WORDS_MIN = 3;
/** Without any boundary a clause is cut before this length, at a blank if there is one. */
export const CLAUSE_LENGTH_MAX = 400;
/** A sentence shorter than this waits for the next one, so that the voice does not stutter. */
const SENTENCE_LENGTH_MIN = 8;

const ABBREVIATIONS = new Set(
  (
    'mr mrs ms dr prof sr jr st mt vs etc inc ltd co corp no nos vol fig approx dept est ext ' +
    'ave blvd rd apt e.g i.e a.m p.m u.s u.k u.s.a jan feb mar apr jun jul aug sep sept oct nov dec ' +
    'mon tue wed thu fri sat sun min max tel'
  ).split(' '),
);
/** These may end a sentence when a capital follows. */
const MAY_END = new Set([
  'etc',
  'a.m',
  'p.m',
  'inc',
  'ltd',
  'co',
  'corp',
  'u.s',
  'u.k',
  'jr',
  'sr',
]);
const CLOSERS = new Set(['"', "'", '”', '’', ')', ']', '»', '*', '_']);

type Boundary = 'sentence' | 'clause';

/**
 * Cuts a reply, as it streams in, into pieces that can be spoken: the first as soon as a few
 * words end at a comma, dash or stop, so that the voice starts early; then whole sentences.
 * It owns no clock: give it text with `push`, and tell it the end with `end`.
 */
export class ClauseSplitter {
  #pending = '';
  /** Where the search goes on: nothing before it is a boundary. */
  #from = 0;
  #hasSpoken = false;

  /** The clauses that this text completes, fit to be spoken. */
  push(text: string): string[] {
    this.#pending += text;
    return this.#take(false);
  }

  /** The reply is over: everything left. The splitter is then ready for the next one. */
  end(): string[] {
    const clauses = this.#take(true);
    this.#emit(this.#pending, clauses);
    this.#pending = '';
    this.#from = 0;
    this.#hasSpoken = false;
    return clauses;
  }

  #take(isEnd: boolean): string[] {
    const clauses: string[] = [];
    for (let end = this.#next(isEnd); end !== null; end = this.#next(isEnd)) {
      this.#emit(this.#pending.slice(0, end), clauses);
      this.#pending = this.#pending.slice(end);
      this.#from = 0;
    }
    return clauses;
  }

  #emit(piece: string, clauses: string[]): void {
    const spoken = toSpokenText(piece);
    if (spoken === '') return;
    this.#hasSpoken = true;
    clauses.push(spoken);
  }

  /** Where the next piece ends, or null while it cannot be told. */
  #next(isEnd: boolean): number | null {
    const text = this.#pending;
    for (let at = this.#from; at < text.length; at += 1) {
      const boundary = boundaryAt(text, at, isEnd);
      if (boundary === 'unknown') {
        this.#from = at;
        return this.#forced(at);
      }
      if (boundary === null) continue;
      const end = text[at] === '\n' ? at + 1 : endOfMarks(text, at + 1);
      if (this.#isWorth(text.slice(0, end), boundary)) return end;
    }
    this.#from = text.length;
    return this.#forced(text.length);
  }

  #isWorth(piece: string, boundary: Boundary): boolean {
    const words = piece.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
    if (words === 0) return false;
    if (boundary === 'clause') return !this.#hasSpoken && words >= FIRST_CLAUSE_WORDS_MIN;
    return !this.#hasSpoken || piece.trim().length >= SENTENCE_LENGTH_MIN;
  }

  #forced(seen: number): number | null {
    if (seen < CLAUSE_LENGTH_MAX) return null;
    const blank = this.#pending.lastIndexOf(' ', CLAUSE_LENGTH_MAX);
    if (blank > 0) return blank + 1;
    // Not between the halves of a surrogate pair.
    const code = this.#pending.charCodeAt(CLAUSE_LENGTH_MAX);
    return code >= 0xdc00 && code <= 0xdfff ? CLAUSE_LENGTH_MAX - 1 : CLAUSE_LENGTH_MAX;
  }
}

/** Whether something ends at this character; `unknown` until more text has come. */
function boundaryAt(text: string, at: number, isEnd: boolean): Boundary | 'unknown' | null {
  const character = text[at] ?? '';
  if (character === '\n') return 'sentence';
  if (!'.!?…,;:—–。！？'.includes(character)) return null;
  const after = endOfMarks(text, at + 1);
  const next = text[after];
  if (next === undefined && !isEnd) return 'unknown';
  if ('。！？'.includes(character)) return 'sentence';
  // A mark that nothing follows at once: `3.5`, `10:30`, `example.com`, `1,000`, `...`.
  if (next !== undefined && !/\s/.test(next) && character !== '—') return null;
  if (',;:—–'.includes(character)) return 'clause';
  if (character === '.') return periodAt(text, at, after, isEnd);
  return character === '…' ? ellipsisAt(text, after, isEnd) : 'sentence';
}

function periodAt(
  text: string,
  at: number,
  after: number,
  isEnd: boolean,
): Boundary | 'unknown' | null {
  const word = /[\p{L}\p{N}.]*$/u.exec(text.slice(Math.max(0, at - 24), at))?.[0] ?? '';
  if (word.endsWith('.')) return ellipsisAt(text, after, isEnd);
  const bare = word.toLowerCase();
  // `1. First` begins a list item; `J. Smith` is a name.
  const isNumbering = /^\d{1,2}$/.test(word) && /(?:^|\n)\s*\d{1,2}$/.test(text.slice(0, at));
  if (isNumbering || (/^\p{Lu}$/u.test(word) && word !== 'I')) return null;
  if (!ABBREVIATIONS.has(bare)) return 'sentence';
  // `no.` ends a sentence more often than it means number.
  if (bare === 'no') return numberFollows(text, after, isEnd);
  return MAY_END.has(bare) ? ellipsisAt(text, after, isEnd) : null;
}

function numberFollows(text: string, after: number, isEnd: boolean): Boundary | 'unknown' | null {
  const next = text.slice(after).trimStart()[0];
  if (next === undefined) return isEnd ? 'sentence' : 'unknown';
  return /\d/.test(next) ? null : 'sentence';
}

/** A pause, and the end of a sentence only when the next word begins one. */
function ellipsisAt(text: string, after: number, isEnd: boolean): Boundary | 'unknown' | null {
  const next = text.slice(after).trimStart()[0];
  if (next === undefined) return isEnd ? 'sentence' : 'unknown';
  return /[\p{Lu}\p{N}"“‘'([*-]/u.test(next) ? 'sentence' : 'clause';
}

/** Quotes and brackets that close belong to the sentence before them. */
function endOfMarks(text: string, from: number): number {
  let at = from;
  while (CLOSERS.has(text[at] ?? '')) at += 1;
  return at;
}

/** The clauses of a reply that streams in. */
export async function* clausesOf(text: AsyncIterable<string>): AsyncGenerator<string, void> {
  const splitter = new ClauseSplitter();
  for await (const piece of text) yield* splitter.push(piece);
  yield* splitter.end();
}
