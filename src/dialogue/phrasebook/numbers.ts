const UNIT_WORDS =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen';
const UNIT_VALUES: ReadonlyMap<string, number> = new Map(
  UNIT_WORDS.split(' ').map((word, value) => [word, value]),
);
const TENS = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
const TENS_VALUES: ReadonlyMap<string, number> = new Map(
  TENS.map((word, index) => [word, (index + 2) * 10]),
);
const DIGIT_ALIASES: ReadonlyMap<string, string> = new Map([
  ['oh', '0'],
  ['o', '0'],
  ['nought', '0'],
]);

/** Largest number that can be said to a phrasebook. */
export const NUMBER_MAX = 9_999;

/** What a slot read: its value, and where the words after it begin. */
export interface Reading {
  readonly value: string;
  readonly end: number;
}

function unitValue(word: string | undefined): number | undefined {
  return word === undefined ? undefined : UNIT_VALUES.get(word);
}

function oneDigit(word: string | undefined): string | null {
  if (word === undefined) return null;
  const unit = UNIT_VALUES.get(word);
  if (unit !== undefined && unit < 10) return String(unit);
  return DIGIT_ALIASES.get(word) ?? null;
}

/** One group of spoken digits: `four`, `double five`, `forty two`, `seventeen`, `4271`. */
function readDigitGroup(words: readonly string[], at: number): Reading | null {
  const word = words[at];
  if (word === undefined) return null;
  if (/^\d+$/.test(word)) return { value: word, end: at + 1 };
  const times = word === 'double' ? 2 : word === 'triple' ? 3 : 1;
  const digit = oneDigit(times === 1 ? word : words[at + 1]);
  if (digit !== null) return { value: digit.repeat(times), end: at + (times === 1 ? 1 : 2) };
  const tens = TENS_VALUES.get(word);
  if (tens !== undefined) {
    const unit = unitValue(words[at + 1]) ?? 0;
    return unit > 0 && unit < 10
      ? { value: String(tens + unit), end: at + 2 }
      : { value: String(tens), end: at + 1 };
  }
  const teen = unitValue(word);
  return teen === undefined ? null : { value: String(teen), end: at + 1 };
}

/** Every way to read digits from `at`, the longest first, within `min`…`max` digits. */
export function readDigits(
  words: readonly string[],
  at: number,
  bounds: { readonly min: number; readonly max: number },
): Reading[] {
  const readings: Reading[] = [];
  let value = '';
  let end = at;
  while (value.length < bounds.max) {
    const group = readDigitGroup(words, end);
    if (group === null || value.length + group.value.length > bounds.max) break;
    value += group.value;
    end = group.end;
    if (value.length >= bounds.min) readings.unshift({ value, end });
  }
  return readings;
}

/** Below a hundred: `seven`, `seventeen`, `seventy`, `seventy seven`. */
function readBelowHundred(
  words: readonly string[],
  at: number,
): { value: number; end: number } | null {
  const word = words[at];
  if (word === undefined) return null;
  const unit = UNIT_VALUES.get(word);
  if (unit !== undefined) return { value: unit, end: at + 1 };
  const tens = TENS_VALUES.get(word);
  if (tens === undefined) return null;
  const next = unitValue(words[at + 1]);
  return next !== undefined && next > 0 && next < 10
    ? { value: tens + next, end: at + 2 }
    : { value: tens, end: at + 1 };
}

function readBelowThousand(
  words: readonly string[],
  at: number,
): { value: number; end: number } | null {
  const first =
    words[at] === 'a' && words[at + 1] === 'hundred'
      ? { value: 1, end: at + 1 }
      : readBelowHundred(words, at);
  if (first === null || words[first.end] !== 'hundred' || first.value === 0) return first;
  const restAt = words[first.end + 1] === 'and' ? first.end + 2 : first.end + 1;
  const rest = readBelowHundred(words, restAt);
  const hundreds = first.value * 100;
  return rest === null
    ? { value: hundreds, end: first.end + 1 }
    : { value: hundreds + rest.value, end: rest.end };
}

/** Reads `three`, `25`, `one hundred and five`, `two thousand` and the like. */
export function readNumber(
  words: readonly string[],
  at: number,
  bounds: { readonly min: number; readonly max: number },
): Reading | null {
  const word = words[at];
  let read: { value: number; end: number } | null =
    word !== undefined && /^\d{1,7}$/.test(word)
      ? { value: Number(word), end: at + 1 }
      : readBelowThousand(words, at);
  if (read !== null && words[read.end] === 'thousand' && read.value > 0) {
    const rest = readBelowThousand(words, read.end + 1);
    read =
      rest === null
        ? { value: read.value * 1000, end: read.end + 1 }
        : { value: read.value * 1000 + rest.value, end: rest.end };
  }
  if (read === null || read.value < bounds.min || read.value > bounds.max) return null;
  return { value: String(read.value), end: read.end };
}

/** How a number up to a hundred is said, for lists of a grammar. */
export function sayNumber(value: number): string {
  if (value < 20) return UNIT_WORDS.split(' ')[value] ?? '';
  if (value === 100) return 'one hundred';
  const tens = TENS[Math.floor(value / 10) - 2] ?? '';
  return value % 10 === 0 ? tens : `${tens} ${UNIT_WORDS.split(' ')[value % 10] ?? ''}`;
}
