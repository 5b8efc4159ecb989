import { leadingAssent } from './assent.ts';
import type { CompiledBook, CompiledEntry, CompiledVariant } from './compile.ts';
import { matchAt, matchInside, type Slots } from './match-variant.ts';
import { isContentWord, stem, toWords } from './words.ts';

/** How the words were recognised, from the surest down. */
export type MatchKind = 'keypad' | 'whole' | 'inside' | 'assent' | 'similar';

export interface Match {
  readonly entry: CompiledEntry;
  readonly kind: MatchKind;
  readonly slots: Slots;
}

/** Courtesies that may stand around what is asked; taken off one by one. */
const PREFIXES = [
  'can you',
  'could you',
  'would you',
  'will you',
  'can i',
  'could i',
  'may i',
  'i would like to',
  'i would like',
  'i want to',
  'i want',
  'i need to',
  'i need',
  'i am calling to',
  'i am calling about',
  'i am calling for',
  'i am trying to',
  'please',
  'tell me',
  'do you know',
  'i was wondering',
  'i wonder',
  'if you could',
  'if i could',
  'hello',
  'hi',
  'hey',
  'there',
  'good morning',
  'good afternoon',
  'good evening',
  'okay',
  'so',
  'well',
  'yeah',
  'yes',
  'right',
  'actually',
  'and',
  'but',
  'oh',
  'just',
  'maybe',
  'sorry',
  'excuse me',
  'i have a question about',
  'it is',
  'that is',
  'i think',
  'i guess',
  'let us',
  'i said',
  'you know',
  'like',
  'now',
  'my',
  'a',
  'the',
  'get',
  'have',
  'how about',
  'what about',
  'to',
  'about',
  'all right',
  'sure',
  'thanks',
  'thank you',
  'i will',
  'i will have',
  'i will take',
  'me',
  'give me',
  'no',
]
  .map((phrase) => phrase.split(' '))
  .sort((a, b) => b.length - a.length);
const SUFFIXES = [
  'please',
  'thanks',
  'thank you',
  'for me',
  'now',
  'right now',
  'then',
  'today',
  'again',
  'if you can',
  'if possible',
  'you know',
  'actually',
  'okay',
  'to me',
  'at all',
  'will you',
  'would you',
  'right',
  'i think',
  'i guess',
  'yeah',
  'or something',
  'very much',
  'if you do not mind',
  'by the way',
  'sir',
]
  .map((phrase) => phrase.split(' '))
  .sort((a, b) => b.length - a.length);

/** A short pattern inside longer talk counts when it is at least this share of the words. */
const COVERAGE_MIN = 0.3;
/** This many words in a row, one of them important, are no accident. */
const PHRASE_WORDS_MIN = 4;
/** Least agreement of important words (harmonic mean of recall and precision). */
const SIMILARITY_MIN = 0.6;
/** Weight of an important word that the book does not know. */
const UNKNOWN_WEIGHT = 1.2;
const STRIP_ROUNDS_MAX = 8;
/** Longest entry on a keypad. */
const KEYS_MAX = 32;

/** Utterances of which a book remembers the meaning: a history is read anew for each reply. */
const REMEMBERED_MAX = 512;
const remembered = new WeakMap<CompiledBook, Map<string, Match | null>>();

/**
 * Finds what was meant. `expected` are the entries that the last reply asked for; they are
 * tried first on each level. Null: nothing in the book is near.
 */
export function matchText(
  book: CompiledBook,
  text: string,
  expected: readonly CompiledEntry[],
): Match | null {
  const words = toWords(text);
  if (words.length === 0) return null;
  const memory = remembered.get(book) ?? new Map<string, Match | null>();
  remembered.set(book, memory);
  const key = `${expected.map(({ entry }) => entry.id).join()}\n${words.join(' ')}`;
  const known = memory.get(key);
  if (known !== undefined) return known;
  const match = matchWords(book, words, expected);
  if (memory.size >= REMEMBERED_MAX) memory.clear();
  memory.set(key, match);
  return match;
}

function matchWords(
  book: CompiledBook,
  words: readonly string[],
  expected: readonly CompiledEntry[],
): Match | null {
  const open = book.entries.filter(({ entry }) => entry.isFollowUp !== true);
  const own = open.filter(({ isBuiltIn }) => !isBuiltIn);
  const builtIn = open.filter(({ isBuiltIn }) => isBuiltIn);
  const isRefused = isRefusal(words);
  return (
    matchWhole(expected, [words]) ??
    matchWhole(own, [words]) ??
    matchWhole(builtIn, [words]) ??
    matchWholeStripped([expected, own, builtIn], words) ??
    (isRefused ? null : matchPart(expected, words)) ??
    (isRefused ? null : matchPart(own, words)) ??
    matchAssent(expected, words) ??
    (isRefused ? null : matchPart(builtIn, words)) ??
    (isRefused ? null : matchSimilar(book, [...expected, ...open], words)) ??
    matchAssent(builtIn, words)
  );
}

/** Keypad digits: an entry's own key, or the slot of an entry that is expected. */
export function matchKeypad(
  book: CompiledBook,
  digits: string,
  expected: readonly CompiledEntry[],
): Match | null {
  const bare = digits.replace(/#+$/, '');
  const keys = bare === '' ? digits : bare;
  const words = toWords(keys.split('').join(' '));
  const open = book.entries.filter(({ entry }) => entry.isFollowUp !== true);
  const pressed = (entries: readonly CompiledEntry[]): Match | null => {
    const entry = entries.find((candidate) => candidate.entry.digits === keys);
    return entry === undefined ? null : { entry, kind: 'keypad', slots: {} };
  };
  return (
    pressed(expected) ?? matchWhole(expected, [words]) ?? pressed(open) ?? matchWhole(open, [words])
  );
}

/** The digits mean something, and it is not to be expected that more of them follow. */
export function isWholeKeypadEntry(
  book: CompiledBook,
  digits: string,
  expected: readonly CompiledEntry[],
): boolean {
  const match = matchKeypad(book, digits, expected);
  if (match === null || digits.endsWith('#')) return match !== null;
  const open = book.entries.filter(({ entry }) => entry.isFollowUp !== true);
  const isLongerKey = ({ entry }: CompiledEntry): boolean =>
    entry.digits !== undefined && entry.digits !== digits && entry.digits.startsWith(digits);
  if ([...expected, ...open].some(isLongerKey)) return false;
  const isExpected = expected.includes(match.entry);
  if (match.kind === 'keypad' && isExpected) return true;
  // Half of a code that was asked for is no key of a menu.
  const longer = Array.from({ length: KEYS_MAX - digits.length }, (_, count) =>
    toWords(
      digits
        .padEnd(digits.length + count + 1, '0')
        .split('')
        .join(' '),
    ),
  );
  const others = isExpected || match.kind === 'keypad' ? expected : [...expected, ...open];
  return matchWhole(others, longer) === null;
}

/** The entry that says every one of the words, best the one that says most of them itself. */
function matchWhole(
  entries: readonly CompiledEntry[],
  readings: readonly (readonly string[])[],
): Match | null {
  for (const words of readings) {
    if (words.length === 0) continue;
    for (const entry of entries) {
      for (const { parts } of entry.variants) {
        const found = matchAt(parts, words, 0, true);
        if (found !== null) return { entry, kind: 'whole', slots: found.slots };
      }
    }
  }
  return null;
}

function matchWholeStripped(
  groups: readonly (readonly CompiledEntry[])[],
  words: readonly string[],
): Match | null {
  for (const reading of strippedReadings(words)) {
    for (const group of groups) {
      const match = matchWhole(group, [reading]);
      if (match !== null) return match;
    }
  }
  return null;
}

/** The words without the courtesies around them: each end is peeled, step by step. */
function strippedReadings(words: readonly string[]): (readonly string[])[] {
  const heads: (readonly string[])[] = [words];
  for (let round = 0; round < STRIP_ROUNDS_MAX; round += 1) {
    const shorter = withoutPrefix(heads.at(-1) ?? []);
    if (shorter === null) break;
    heads.push(shorter);
  }
  const readings: (readonly string[])[] = [];
  for (const head of heads) {
    let reading: readonly string[] | null = head;
    for (let round = 0; reading !== null && round < STRIP_ROUNDS_MAX; round += 1) {
      if (reading.length > 0) readings.push(reading);
      reading = withoutSuffix(reading);
    }
  }
  return readings.sort((a, b) => b.length - a.length);
}

function withoutPrefix(words: readonly string[]): readonly string[] | null {
  const prefix = PREFIXES.find((phrase) => phrase.every((word, at) => words[at] === word));
  return prefix === undefined ? null : words.slice(prefix.length);
}

function withoutSuffix(words: readonly string[]): readonly string[] | null {
  const suffix = SUFFIXES.find((phrase) =>
    phrase.every((word, at) => words[words.length - phrase.length + at] === word),
  );
  return suffix === undefined ? null : words.slice(0, words.length - suffix.length);
}

/** `I do not want a joke` is not a wish for one. */
function isRefusal(words: readonly string[]): boolean {
  const text = words.join(' ');
  return /\b(?:do|did|does|would|will) not (?:want|need|like|tell|give|have)\b/.test(text);
}

/** A pattern said somewhere inside: the longest that is telling enough. */
function matchPart(entries: readonly CompiledEntry[], words: readonly string[]): Match | null {
  let best: Match | null = null;
  let bestLength = 0;
  for (const entry of entries) {
    for (const variant of entry.variants) {
      if (variant.parts.length > words.length) continue;
      const found = matchInside(variant.parts, words);
      if (found === null) continue;
      const length = found.end - found.start;
      if (length <= bestLength || !isTelling(variant, length, length / words.length)) continue;
      bestLength = length;
      best = { entry, kind: 'inside', slots: found.slots };
    }
  }
  return best;
}

function isTelling(variant: CompiledVariant, length: number, coverage: number): boolean {
  if (variant.parts.every((part) => part.type === 'assent')) return false;
  if (variant.stems.length >= 2) return true;
  if (variant.stems.length === 1 && length >= PHRASE_WORDS_MIN) return true;
  if (variant.stems.length === 1) return coverage >= COVERAGE_MIN;
  return coverage >= (variant.hasSlot ? 0.2 : 0.6);
}

function matchAssent(entries: readonly CompiledEntry[], words: readonly string[]): Match | null {
  const assent = leadingAssent(words);
  if (assent === null) return null;
  const entry = entries.find(({ variants }) =>
    variants.some(({ parts }) => {
      const [only] = parts;
      return parts.length === 1 && only?.type === 'assent' && only.assent === assent;
    }),
  );
  return entry === undefined ? null : { entry, kind: 'assent', slots: {} };
}

/** The entry whose important words agree best with the important words said. */
function matchSimilar(
  book: CompiledBook,
  entries: readonly CompiledEntry[],
  words: readonly string[],
): Match | null {
  const said = new Set(words.filter(isContentWord).map(stem));
  if (said.size === 0) return null;
  const weigh = (stems: Iterable<string>): number => {
    let sum = 0;
    for (const word of stems) sum += book.weights.get(word) ?? UNKNOWN_WEIGHT;
    return sum;
  };
  const saidWeight = weigh(said);
  let best: Match | null = null;
  let bestScore = SIMILARITY_MIN;
  for (const entry of entries) {
    for (const { stems, hasSlot } of entry.variants) {
      if (stems.length === 0 || hasSlot) continue;
      const common = weigh(stems.filter((word) => said.has(word)));
      const score = (2 * common) / (saidWeight + weigh(stems));
      if (score <= bestScore) continue;
      bestScore = score;
      best = { entry, kind: 'similar', slots: {} };
    }
  }
  return best;
}
