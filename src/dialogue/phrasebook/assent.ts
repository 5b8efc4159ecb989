import { toWords } from './words.ts';

const YES = [
  'yes',
  'yeah',
  'yes please',
  'yeah sure',
  'sure',
  'sure thing',
  'of course',
  'okay',
  'all right',
  'correct',
  'that is correct',
  'that is right',
  'right',
  'exactly',
  'absolutely',
  'definitely',
  'certainly',
  'i do',
  'i can',
  'i will',
  'i am',
  'it is',
  'i would',
  'go ahead',
  'sounds good',
  'that is fine',
  'fine',
  'perfect',
  'great',
  'why not',
  'please do',
  'yes it is',
  'yes i do',
  'yes i am',
  'yes i can',
  'yes i will',
  'yes i would',
  'yes that is right',
  'yes that is correct',
  'i think so',
  'uh huh',
];
const NO = [
  'no',
  'no thanks',
  'no thank you',
  'not really',
  'not now',
  'not yet',
  'not at all',
  'no way',
  'never',
  'i do not',
  'i can not',
  'i will not',
  'i am not',
  'it is not',
  'i would not',
  'i do not think so',
  'that is wrong',
  'wrong',
  'incorrect',
  'that is not right',
  'that is not correct',
  'absolutely not',
  'definitely not',
  'of course not',
  'no it is not',
  'no i do not',
  'no i am not',
  'no i can not',
  'no that is wrong',
  'negative',
  'neither',
];

/** Every phrase that `<yes>` and `<no>` stand for, longest first. */
export const ASSENT_PHRASES: Readonly<Record<'yes' | 'no', readonly (readonly string[])[]>> = {
  yes: YES.map(toWords).sort((a, b) => b.length - a.length),
  no: NO.map(toWords).sort((a, b) => b.length - a.length),
};

const FIRST_YES = new Set([
  'yes',
  'yeah',
  'sure',
  'okay',
  'correct',
  'absolutely',
  'definitely',
  'certainly',
  'exactly',
]);
const FIRST_NO = new Set(['no', 'never', 'not']);

/** Whether an answer of any length begins with a plain yes or no. `not sure` is neither. */
export function leadingAssent(words: readonly string[]): 'yes' | 'no' | null {
  const first = words[0] ?? '';
  if (first === 'not' && words[1] === 'sure') return null;
  if (first === 'no' && words[1] === 'problem') return 'yes';
  if (FIRST_YES.has(first)) return 'yes';
  return FIRST_NO.has(first) ? 'no' : null;
}
