import type { AnswerKind } from '../../model/agent.ts';

/** How finished an utterance sounds by its words. */
export type Completeness = 'nothing' | 'unfinished' | 'open' | 'closed-answer' | 'complete';

export interface Said {
  readonly text: string;
  /** The brain knows this as a whole thing to say. */
  readonly isKnown: boolean;
  readonly expects: AnswerKind;
}

/** Words that nobody ends a sentence with. */
const LEADING_ON = new Set(
  'a an the and or but so because if to of for with at in on from by about as than that my your his her our their is are was were am be i we they can could would will should do does did have has my like want need between through until'.split(
    ' ',
  ),
);
const HESITATION = /(?:^|\s)(?:um+|uh+|er+m?|hmm+|well|let me see|let's see)$/;
const CLOSED = new Set(
  'yes no yeah yep nope sure okay ok right correct exactly absolutely definitely none nothing thanks goodbye bye hello hi'.split(
    ' ',
  ),
);
const DIGIT_WORDS = new Set(
  'oh zero one two three four five six seven eight nine double triple'.split(' '),
);
/** Sentences that end with a leading-on word all the same. */
const WHOLE_ENDINGS =
  /\b(?:i do|i am|i have|i did|i can|i will|i would|you are|they are|come in|log in|go on|hold on|yes i was)$/;
const CLOSED_WORDS_MAX = 3;

export function completenessOf({ text, isKnown, expects }: Said): Completeness {
  const trimmed = text.trim().toLowerCase();
  const words = trimmed
    .replace(/[^\p{L}\p{N}' ]+/gu, ' ')
    .split(/\s+/)
    .filter(Boolean);
  const last = words.at(-1);
  if (last === undefined) return 'nothing';
  const bare = words.join(' ');
  const isQuestion = trimmed.endsWith('?');
  if (trimmed.endsWith('...') || trimmed.endsWith('…') || HESITATION.test(bare))
    return 'unfinished';
  // Somebody who reads out digits pauses between groups, whatever the grammar makes of it.
  if (expects === 'digits' && isDigit(last)) return isKnown ? 'open' : 'unfinished';
  if (isKnown) return 'complete';
  if (!isQuestion && LEADING_ON.has(last) && !WHOLE_ENDINGS.test(bare)) return 'unfinished';
  if (words.length <= CLOSED_WORDS_MAX && words.some((word) => CLOSED.has(word))) {
    return 'closed-answer';
  }
  if (isDigit(last)) return 'open';
  if (isQuestion || /[.!]$/.test(trimmed)) return 'complete';
  return 'open';
}

function isDigit(word: string): boolean {
  return DIGIT_WORDS.has(word) || /^\d+$/.test(word);
}
