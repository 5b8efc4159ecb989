import type { Clock } from './clock.ts';
import type { Listening } from './listening.ts';
import type { Transcript } from './provider.ts';
import { type SpeechError, toSpeechError } from './speech-error.ts';
import { RetryBudget } from './voice.ts';

/** The words of the utterance that was committed last; an engine that fails is asked again. */
export async function wordsOf(
  listening: Listening,
  clock: Clock,
  signal: AbortSignal,
): Promise<Transcript> {
  const budget = new RetryBudget();
  let failure: SpeechError | null = null;
  for (;;) {
    let transcript: Transcript;
    try {
      transcript = await listening.finalize();
    } catch (err) {
      failure = toSpeechError(err, 'SPEECH_ENGINE_FAILED', 'hearing failed');
      const mayRetry = await budget.mayRetry(failure, clock, signal);
      if (!mayRetry || listening.isOpen) throw failure;
      continue;
    }
    // An engine that kept no audio has nothing to try again: the words are lost, not absent.
    if (failure !== null && transcript.text === '') throw failure;
    return transcript;
  }
}
