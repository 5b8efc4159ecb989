import { assertNever } from '../../lib/assert-never.ts';
import { ASSENT_PHRASES } from './assent.ts';
import { readDigits, readNumber, type Reading } from './numbers.ts';
import type { Part, Variant } from './pattern.ts';

/** Slot values by name. Digits are spaced, so that a voice reads them one by one. */
export type Slots = Readonly<Record<string, string>>;

/** A variant found in a text: the words from `start` up to `end` are said by it. */
export interface Found {
  readonly start: number;
  readonly end: number;
  readonly slots: Slots;
}

interface PartReading extends Reading {
  readonly name: string | null;
}

function startsWith(words: readonly string[], at: number, phrase: readonly string[]): boolean {
  return phrase.every((word, index) => words[at + index] === word);
}

/** Every way to read one part from `at`, the longest first. */
function readPart(part: Part, words: readonly string[], at: number): PartReading[] {
  switch (part.type) {
    case 'word':
      return words[at] === part.word ? [{ name: null, value: part.word, end: at + 1 }] : [];
    case 'digits':
      return readDigits(words, at, part).map(({ value, end }) => ({
        name: part.name,
        value: value.split('').join(' '),
        end,
      }));
    case 'number': {
      const reading = readNumber(words, at, part);
      return reading === null ? [] : [{ name: part.name, ...reading }];
    }
    case 'list':
      return part.phrases
        .filter((phrase) => startsWith(words, at, phrase.words))
        .sort((a, b) => b.words.length - a.words.length)
        .map((phrase) => ({ name: part.name, value: phrase.text, end: at + phrase.words.length }));
    case 'assent':
      return ASSENT_PHRASES[part.assent]
        .filter((phrase) => startsWith(words, at, phrase))
        .map((phrase) => ({ name: null, value: part.assent, end: at + phrase.length }));
    default:
      return assertNever(part);
  }
}

/** Reads the variant from `at`; with `isWhole` it must end where the words end. */
export function matchAt(
  variant: Variant,
  words: readonly string[],
  at: number,
  isWhole: boolean,
): Found | null {
  const found = matchFrom(variant, words, at, isWhole, 0);
  return found === null ? null : { ...found, start: at };
}

function matchFrom(
  variant: Variant,
  words: readonly string[],
  from: number,
  isWhole: boolean,
  fromIndex: number,
): Found | null {
  let at = from;
  let index = fromIndex;
  let part = variant[index];
  // Nearly all variants fail at a plain word: no allocation until then.
  for (; part?.type === 'word'; part = variant[index]) {
    if (words[at] !== part.word) return null;
    at += 1;
    index += 1;
  }
  if (part === undefined) {
    return isWhole && at !== words.length ? null : { start: from, end: at, slots: {} };
  }
  for (const reading of readPart(part, words, at)) {
    const rest = matchFrom(variant, words, reading.end, isWhole, index + 1);
    if (rest === null) continue;
    const slots =
      reading.name === null ? rest.slots : { [reading.name]: reading.value, ...rest.slots };
    return { start: from, end: rest.end, slots };
  }
  return null;
}

/** The first place where the variant is said inside the words. */
export function matchInside(variant: Variant, words: readonly string[]): Found | null {
  for (let at = 0; at < words.length; at += 1) {
    const found = matchAt(variant, words, at, false);
    if (found !== null) return found;
  }
  return null;
}
