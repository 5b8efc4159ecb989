import { PHONES } from './pronunciation.ts';

/** What the phrasebook lets a caller say: JSGF whose public rule is `<utterance>`. */
export interface SpokenGrammar {
  readonly jsgf: string;
  readonly words: readonly string[];
}

/** Small noises of agreement and calls to stop, which barge-in must tell apart. */
const ASIDES = [
  'yeah',
  'yes',
  'okay',
  'right',
  'mhm',
  'uh-huh',
  'wait',
  'stop',
  'hold on',
  'hello',
];

/** Begins the name of each word that stands for one phone of unknown speech. */
const PHONE_PREFIX = 'zz';

/**
 * Cost of hearing something that is not in the grammar: once, and again for each phone.
 * Chosen on 69 phrases within and 30 outside of a grammar, three voices, telephone band:
 * 64 of 69 kept, 29 of 30 refused. (1e-20 and 1: 64 and 26; 1e-12 and 0.3: 55 and 30.)
 */
const GARBAGE_WEIGHT = '1e-12';
const GARBAGE_PHONE_WEIGHT = '0.001';

/** The words that the garbage branch needs in the dictionary, with their phones. */
export const GARBAGE_WORDS = PHONES.map(
  (phone) => [`${PHONE_PREFIX}${phone.toLowerCase()}`, phone] as const,
);

/** All words that the recognizer must know to hear the grammar. */
export function wordsOf(grammar: SpokenGrammar): string[] {
  return [...new Set([...grammar.words, ...ASIDES.flatMap((aside) => aside.split(' '))])];
}

/**
 * Adds asides, and a loop of phones for everything else: without it any noise is forced onto
 * the nearest phrase.
 */
export function withGarbage({ jsgf }: SpokenGrammar): string {
  const phones = GARBAGE_WORDS.map(([word]) => word).join(' | ');
  const heard = `/1/ <utterance> | /1/ ( ${ASIDES.join(' | ')} )`;
  return [
    jsgf.replace(/public\s+<utterance>/, '<utterance>').trimEnd(),
    `public <heard> = ( ${heard} | /${GARBAGE_WEIGHT}/ <garbage> );`,
    `<garbage> = ( /1/ <phone> | /${GARBAGE_PHONE_WEIGHT}/ <phone> <garbage> );`,
    `<phone> = ${phones};`,
    '',
  ].join('\n');
}

/** The words of a hypothesis; empty when it went by the garbage branch. */
export function spokenText(hypothesis: string): string {
  const words = hypothesis.split(' ').filter((word) => word !== '' && !/^[<[]/.test(word));
  return words.some((word) => word.startsWith(PHONE_PREFIX)) ? '' : words.join(' ');
}
