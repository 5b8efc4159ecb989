import { Agent } from 'undici';
import { phrasebookGrammar } from '../dialogue/brain.ts';
import { assertNever } from '../lib/assert-never.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import { ClipCache } from './clip-cache.ts';
import type { SpeechToText, TextToSpeech, VoiceActivityDetector } from './provider.ts';
import {
  createEmbeddedSpeechToText,
  RecognizerEngine,
} from './providers/embedded-speech-to-text.ts';
import {
  createEmbeddedTextToSpeech,
  SynthesizerEngine,
} from './providers/embedded-text-to-speech.ts';
import { loadEmbeddedVoiceActivity } from './providers/embedded-voice-activity.ts';
import { createOpenAiSpeechToText } from './providers/openai-speech-to-text.ts';
import { createOpenAiTextToSpeech } from './providers/openai-text-to-speech.ts';

/** To one provider from one worker; more requests wait their turn. */
const CONNECTIONS_MAX = 256;

/** What all conversations of one voice worker share: engines, their threads, and the clips. */
export class SpeechEngines {
  readonly clips = new ClipCache();
  readonly #recognizer = new RecognizerEngine();
  readonly #synthesizer = new SynthesizerEngine();
  readonly #makeDetector: (sampleRateHz: number) => VoiceActivityDetector;
  readonly #embeddedTts: TextToSpeech;
  /** Connections to providers, reused from call to call. */
  readonly #dispatcher = new Agent({ connections: CONNECTIONS_MAX, keepAliveTimeout: 30_000 });

  private constructor(makeDetector: (sampleRateHz: number) => VoiceActivityDetector) {
    this.#makeDetector = makeDetector;
    this.#embeddedTts = createEmbeddedTextToSpeech(this.#synthesizer);
  }

  /** Loads the voice detector; the threads start when they are first needed, or by `warmUp`. */
  static async load(): Promise<SpeechEngines> {
    return new SpeechEngines(await loadEmbeddedVoiceActivity());
  }

  /** Starts the synthesizer ahead of the first call. Never throws. */
  warmUp(signal: AbortSignal): Promise<void> {
    return this.#embeddedTts.prewarm(signal);
  }

  detector(sampleRateHz: number): VoiceActivityDetector {
    return this.#makeDetector(sampleRateHz);
  }

  /** Throws `PHRASEBOOK_INVALID` when the embedded recognizer is to hear a broken one. */
  speechToText(agent: AgentSnapshot): SpeechToText {
    switch (agent.stt.provider) {
      case 'embedded': {
        const book = agent.phrasebook ?? { entries: [], fallbacks: [] };
        return createEmbeddedSpeechToText(this.#recognizer, phrasebookGrammar(book));
      }
      case 'openai':
        return createOpenAiSpeechToText(agent.stt, this.#dispatcher);
      default:
        return assertNever(agent.stt);
    }
  }

  textToSpeech(agent: AgentSnapshot): TextToSpeech {
    switch (agent.tts.provider) {
      case 'embedded':
        return this.#embeddedTts;
      case 'openai':
        return createOpenAiTextToSpeech(agent.tts, this.#dispatcher);
      default:
        return assertNever(agent.tts);
    }
  }

  /** The voice that speaks when the agent's own cannot. */
  get fallbackTts(): TextToSpeech {
    return this.#embeddedTts;
  }

  /**
   * Resolves when the embedded engines have done all they were asked so far, so that a test
   * with hand-made time gives them no time at all.
   */
  async settled(): Promise<void> {
    do {
      await this.#recognizer.settled();
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#synthesizer.waitingCount > 0);
  }

  async close(): Promise<void> {
    await Promise.all([
      this.#recognizer.close(),
      this.#synthesizer.close(),
      this.#dispatcher.destroy(),
    ]);
  }
}
