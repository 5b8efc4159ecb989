import { readFile } from 'node:fs/promises';

/** A word and its phones, as the recognizer takes them; variants are `word(2)`, `word(3)`. */
export type DictionaryEntry = readonly [word: string, phones: string];

/** The model's phones (CMU set), without silence and noise. */
export const PHONES =
  'AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH'.split(
    ' ',
  );

/** Words that callers hum rather than say; the dictionary lacks them or has another sound. */
const EXTRA: Readonly<Record<string, string>> = {
  mhm: 'M HH AH M',
  'mm-hmm': 'M HH AH M',
  'uh-huh': 'AH HH AH',
};

/** Longest match first; good enough for names that no dictionary knows. */
const SPELLING: readonly (readonly [string, string])[] = [
  ['tion', 'SH AH N'], ['ough', 'OW'], ['igh', 'AY'], ['sch', 'S K'], ['tch', 'CH'],
  ['ch', 'CH'], ['sh', 'SH'], ['th', 'TH'], ['ph', 'F'], ['ng', 'NG'], ['ck', 'K'], ['qu', 'K W'],
  ['ee', 'IY'], ['ea', 'IY'], ['oo', 'UW'], ['ou', 'AW'], ['ow', 'OW'], ['ai', 'EY'], ['ay', 'EY'],
  ['oa', 'OW'], ['oi', 'OY'], ['oy', 'OY'], ['au', 'AO'], ['aw', 'AO'], ['ew', 'UW'], ['ie', 'IY'],
  ['ei', 'EY'], ['er', 'ER'], ['ir', 'ER'], ['ur', 'ER'], ['ar', 'AA R'], ['or', 'AO R'],
  ['bb', 'B'], ['cc', 'K'], ['dd', 'D'], ['ff', 'F'], ['gg', 'G'], ['ll', 'L'], ['mm', 'M'], ['nn', 'N'],
  ['pp', 'P'], ['rr', 'R'], ['ss', 'S'], ['tt', 'T'], ['zz', 'Z'],
  ['a', 'AE'], ['b', 'B'], ['c', 'K'], ['d', 'D'], ['e', 'EH'], ['f', 'F'], ['g', 'G'], ['h', 'HH'],
  ['i', 'IH'], ['j', 'JH'], ['k', 'K'], ['l', 'L'], ['m', 'M'], ['n', 'N'], ['o', 'AA'], ['p', 'P'],
  ['q', 'K'], ['r', 'R'], ['s', 'S'], ['t', 'T'], ['u', 'AH'], ['v', 'V'], ['w', 'W'], ['x', 'K S'],
  ['y', 'IY'], ['z', 'Z'],
]; // biome-ignore format: a table

/**
 * Pronunciations of just these words, from the model's dictionary (3 MB of text, read anew
 * each time: about 30 ms, once per phrasebook). A word it lacks is split into two that it has,
 * or spelled out by rule.
 */
export async function pronounce(
  words: readonly string[],
  dictionaryPath: string,
): Promise<DictionaryEntry[]> {
  const wanted = new Set(words);
  const known = await lookUp(dictionaryPath, withParts(wanted));
  const entries: DictionaryEntry[] = [];
  for (const word of wanted) {
    const variants = known.get(word) ?? [EXTRA[word] ?? joined(word, known) ?? bySpelling(word)];
    variants.forEach((phones, index) => {
      if (phones !== '') entries.push([index === 0 ? word : `${word}(${index + 1})`, phones]);
    });
  }
  return entries;
}

/** The words, and every way to cut one in two of at least three letters. */
function withParts(words: ReadonlySet<string>): Set<string> {
  const all = new Set(words);
  for (const word of words) {
    for (let at = 3; at <= word.length - 3; at += 1) {
      all.add(word.slice(0, at));
      all.add(word.slice(at));
    }
  }
  return all;
}

async function lookUp(path: string, words: ReadonlySet<string>): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    const space = line.indexOf(' ');
    if (space < 1) continue;
    const open = line.indexOf('(', 1);
    const word = line.slice(0, open > 0 && open < space ? open : space);
    if (!words.has(word)) continue;
    const variants = found.get(word) ?? [];
    variants.push(line.slice(space + 1).trim());
    found.set(word, variants);
  }
  return found;
}

function joined(word: string, known: ReadonlyMap<string, readonly string[]>): string | null {
  for (let at = 3; at <= word.length - 3; at += 1) {
    const [first, second] = [known.get(word.slice(0, at)), known.get(word.slice(at))];
    if (first?.[0] !== undefined && second?.[0] !== undefined) return `${first[0]} ${second[0]}`;
  }
  return null;
}

function bySpelling(word: string): string {
  const phones: string[] = [];
  let rest = word.toLowerCase().replace(/e$/, '');
  while (rest !== '') {
    const rule = SPELLING.find(([letters]) => rest.startsWith(letters));
    if (rule !== undefined) phones.push(rule[1]);
    rest = rest.slice(rule?.[0].length ?? 1);
  }
  return phones.join(' ');
}
