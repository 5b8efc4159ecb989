import { greeting } from '../dialogue/prompt.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import { splitClauses } from './clauses.ts';
import { FIXED_PHRASES } from './fixed-phrases.ts';
import type { SpeechEngines } from './speech-engines.ts';
import { type ClipEncoder, type Voice, warmClips } from './voice.ts';

/** The provider has this long to render everything; calls meanwhile wait for nothing. */
const WARM_TIMEOUT_MS = 30_000;

/**
 * Makes ready what every call of the agent needs: connections, the recognizer's grammar, and
 * the audio of greeting, idle prompts and fixed phrases, in each codec. A greeting with
 * variables that only a call knows is rendered again by that call.
 *
 * Rejects with the first failure; whatever was rendered until then is kept.
 */
export async function warmAgent(
  agent: AgentSnapshot,
  engines: SpeechEngines,
  encoders: readonly ClipEncoder[],
): Promise<void> {
  const signal = AbortSignal.timeout(WARM_TIMEOUT_MS);
  const tts = engines.textToSpeech(agent);
  await Promise.all([engines.speechToText(agent).prewarm(signal), tts.prewarm(signal)]);
  const voice: Voice = {
    tts,
    fallbackTts: engines.fallbackTts,
    clips: engines.clips,
    name: agent.voice,
    language: agent.language,
  };
  const texts = [
    greeting(agent, {}, Date.now()),
    ...agent.idle.prompts,
    ...Object.values(FIXED_PHRASES),
  ];
  // Greetings first, in every codec: the first caller waits for nothing else.
  for (const text of texts) {
    for (const clause of splitClauses(text)) await warmClips(voice, clause, encoders, signal);
  }
}
