import { isBackchannel } from './barge-in.ts';

/** Voice without any understood word that is shorter than this was a cough, not a turn. */
const NOISE_VOICED_MAX_MS = 300;
/** The same for one that cut the agent off: then it goes on with what was not heard. */
const CUT_VOICED_MAX_MS = 600;

export interface Sound {
  readonly text: string;
  readonly voicedMs: number;
  /** The agent was cut off by it. */
  readonly hasInterrupted: boolean;
  /** What it cut off was the end of a question that "yes" answers. */
  readonly isAnswer: boolean;
}

/** A cough, or what people say while they go on listening: nothing to be answered. */
export function isNoise({ text, voicedMs, hasInterrupted, isAnswer }: Sound): boolean {
  if (text === '') return voicedMs < (hasInterrupted ? CUT_VOICED_MAX_MS : NOISE_VOICED_MAX_MS);
  return hasInterrupted && !isAnswer && voicedMs < CUT_VOICED_MAX_MS && isBackchannel(text);
}
