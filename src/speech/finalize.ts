import type { Clock } from './clock.ts';
import type { Listening } from './listening.ts';
import type { Transcript } from './provider.ts';
import { toSpeechError } from './speech-error.ts';
import { RetryBudget } from './voice.ts';

/** The words of the utterance that was committed last. Throws a `SpeechError`. */
export async function finalize(
  listening: Listening,
  clock: Clock,
  signal: AbortSignal,
): Promise<Transcript> {
  const budget = new RetryBudget();
  for (;;) {
    try {
      return await listening.finalize();
    } catch (err) {
      const error = toSpeechError(err, 'SPEECH_ENGINE_FAILED', 'hearing failed');
      const mayRetry = await budget.mayRetry(error, clock, signal);
      if (!mayRetry || listening.isOpen) throw error;
    }
  }
}
