/** Voice that takes the word from the agent, whatever is said. */
const COMMIT_VOICED_MS = 200;
/** Voice that is no mere "mhm" any more, though nothing else was understood. */
const BACKCHANNEL_VOICED_MAX_MS = 700;
/** Silence after which the agent goes on; longer when the words may still tell an answer. */
const RESUME_SILENCE_MS = 240;
const ANSWER_SILENCE_MS = 900;
/** Words found in less voice than this are a recognizer's guess about a click. */
const WORDS_VOICED_MIN_MS = 160;

const BACKCHANNELS = new Set(
  'mhm mm-hmm mmhmm mm hmm uh-huh uhhuh yeah yes yep okay ok right sure oh ah aha uh um er hmm i see'.split(
    ' ',
  ),
);
const STOP_WORDS = /\b(?:stop|wait|hold on|hang on|excuse me|no no|be quiet|shut up|listen)\b/;

/** What is known of the caller's utterance while the agent speaks. */
export interface Interjection {
  /** Voice in it so far. */
  readonly voicedMs: number;
  /** Silence since its last voiced frame. */
  readonly silenceMs: number;
  /** Words understood so far; empty when none. */
  readonly text: string;
  /** It began at the end of a question that "yes" answers. */
  readonly isAnswer: boolean;
}

/** `commit`: the agent is cut off. `resume`: it goes on where it was held. */
export type BargeInDecision = 'hold' | 'commit' | 'resume';

/** Only words that people say while they go on listening. */
export function isBackchannel(text: string): boolean {
  const words = wordsOf(text);
  return words.length > 0 && words.every((word) => BACKCHANNELS.has(word));
}

/**
 * Second stage of a barge-in; the first is to hold the agent's audio at the onset. Pure: asked
 * once per frame while the agent is held.
 */
export function decideBargeIn({
  voicedMs,
  silenceMs,
  text,
  isAnswer,
}: Interjection): BargeInDecision {
  const words = wordsOf(text);
  const isAside = isBackchannel(text);
  const isHeard = voicedMs >= WORDS_VOICED_MIN_MS;
  if (isHeard && STOP_WORDS.test(words.join(' '))) return 'commit';
  if (isHeard && words.length > 0 && (!isAside || isAnswer)) return 'commit';
  const limitMs = isAside ? BACKCHANNEL_VOICED_MAX_MS : COMMIT_VOICED_MS;
  if (voicedMs >= limitMs) return 'commit';
  const waitsForWords = isAnswer && isHeard && words.length === 0;
  const patienceMs = waitsForWords ? ANSWER_SILENCE_MS : RESUME_SILENCE_MS;
  return silenceMs >= patienceMs ? 'resume' : 'hold';
}

function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}' -]+/gu, ' ')
    .split(/\s+/)
    .filter(Boolean);
}
