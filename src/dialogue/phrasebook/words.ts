/** Longest text that is matched, in words; what follows is not read. */
export const WORDS_MAX = 80;

const CONTRACTIONS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "what's": 'what is',
    "where's": 'where is',
    "when's": 'when is',
    "who's": 'who is',
    "how's": 'how is',
    "that's": 'that is',
    "there's": 'there is',
    "it's": 'it is',
    "here's": 'here is',
    "let's": 'let us',
    "i'm": 'i am',
    "you're": 'you are',
    "we're": 'we are',
    "they're": 'they are',
    "i've": 'i have',
    "you've": 'you have',
    "we've": 'we have',
    "i'd": 'i would',
    "you'd": 'you would',
    "we'd": 'we would',
    "i'll": 'i will',
    "you'll": 'you will',
    "we'll": 'we will',
    "that'll": 'that will',
    "it'll": 'it will',
    "don't": 'do not',
    "doesn't": 'does not',
    "didn't": 'did not',
    "isn't": 'is not',
    "aren't": 'are not',
    "wasn't": 'was not',
    "can't": 'can not',
    "couldn't": 'could not',
    "won't": 'will not',
    "wouldn't": 'would not',
    "haven't": 'have not',
    "hasn't": 'has not',
    "shouldn't": 'should not',
    cannot: 'can not',
    gonna: 'going to',
    wanna: 'want to',
    gotta: 'got to',
    gimme: 'give me',
    ok: 'okay',
    'o.k': 'okay',
    alright: 'all right',
    goodbye: 'good bye',
    bye: 'bye',
    yep: 'yeah',
    yup: 'yeah',
    ya: 'yeah',
    nope: 'no',
    nah: 'no',
    hiya: 'hi',
  }),
);

/** Typed without the apostrophe. `were`, `well`, `ill`, `id` and the like are words of their own. */
const BARE: ReadonlyMap<string, string> = new Map(
  [...CONTRACTIONS]
    .filter(([short]) => short.includes("'"))
    .map(([short, long]): [string, string] => [short.replace("'", ''), long])
    .filter(
      ([bare]) =>
        !['were', 'well', 'ill', 'id', 'its', 'wed', 'lets', 'wont', 'heres'].includes(bare),
    ),
);

/** The spoken contraction of two words, if there is one: for the recogniser's grammar. */
export const CONTRACTED: ReadonlyMap<string, string> = new Map(
  [...CONTRACTIONS].filter(([short]) => short.includes("'")).map(([short, long]) => [long, short]),
);

const HESITATIONS = new Set([
  'um',
  'uh',
  'umm',
  'uhm',
  'erm',
  'er',
  'ah',
  'eh',
  'hmm',
  'hm',
  'mm',
  'mhm',
]);
const UNITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

/**
 * What was said or typed as bare lower-case words: contractions opened, hesitations and
 * punctuation gone, single digits spelled. Longer numerals stay numerals.
 */
export function toWords(text: string): string[] {
  const words: string[] = [];
  const plain = text
    .slice(0, WORDS_MAX * 40)
    .toLowerCase()
    .normalize('NFKD');
  const cleaned = plain
    .replace(/\p{M}+/gu, '')
    .replace(/[\u2018\u2019\u02bc`]/g, "'")
    .replace(/(\d)[,.](?=\d{3}\b)/g, '$1');
  for (const [raw] of cleaned.matchAll(/[\p{L}\p{N}]+(?:['.][\p{L}\p{N}]+)*/gu)) {
    if (words.length >= WORDS_MAX) break;
    words.push(...openWord(raw));
  }
  return words;
}

function openWord(raw: string): string[] {
  const opened = CONTRACTIONS.get(raw) ?? BARE.get(raw);
  if (opened !== undefined) return opened.split(' ');
  if (HESITATIONS.has(raw)) return [];
  const unit = /^\d$/.test(raw) ? UNITS[Number(raw)] : undefined;
  if (unit !== undefined) return [unit];
  if (raw.endsWith("'s")) return [raw];
  return raw.split('.').filter((part) => part !== '');
}

/** Words that carry too little to recognise an entry by. */
const STOP_WORDS = new Set(
  (
    'a an the this that these those it its is are am was were be been do does did have has had ' +
    'i you me my your we our us he she they them to of in on at for with from by and or but if so ' +
    'as can could would will shall should may might not no yes yeah okay please thanks thank just ' +
    'what which who when where how why there here some any about tell give get got let know want ' +
    'need like go going want say well oh now then really very much too also right all up out hi hello hey'
  ).split(' '),
);

/** Whether a word says what something is about. */
export function isContentWord(word: string): boolean {
  return !STOP_WORDS.has(word);
}

/** Enough of English morphology to make `opening` and `open`, `hours` and `hour` the same. */
export function stem(word: string): string {
  if (word.length <= 3) return word;
  let bare = word.replace(/'s$/, '');
  if (bare.length > 5 && bare.endsWith('ing')) bare = bare.slice(0, -3);
  else if (bare.length > 4 && bare.endsWith('ied')) bare = `${bare.slice(0, -3)}y`;
  else if (bare.length > 4 && bare.endsWith('ed')) bare = bare.slice(0, -2);
  else if (bare.length > 4 && bare.endsWith('ies')) bare = `${bare.slice(0, -3)}y`;
  else if (bare.length > 4 && /(?:ss|sh|ch|x|z)es$/.test(bare)) bare = bare.slice(0, -2);
  else if (bare.endsWith('s') && !bare.endsWith('ss')) bare = bare.slice(0, -1);
  // `rating` and `rate`, `cancelled` and `cancel`.
  if (bare.length > 3 && bare.endsWith('e')) bare = bare.slice(0, -1);
  if (bare.length > 4 && /([bdglmnprt])\1$/.test(bare)) bare = bare.slice(0, -1);
  return bare;
}
