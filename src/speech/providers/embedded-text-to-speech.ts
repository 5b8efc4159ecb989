import type { AudioFrame } from '../../model/audio.ts';
import type { SynthesisOptions, TextToSpeech } from '../provider.ts';
import { SpeechError } from '../speech-error.ts';
import { endingWith } from './ending-with.ts';
import { EngineThread } from './embedded/engine-thread.ts';
import type { FromSynthesizer, ToSynthesizer } from './embedded/thread-protocol.ts';

/** Texts waiting or being spoken at once, over all calls of one worker. */
const WAITING_MAX = 300;

type Settle = (result: AudioFrame | SpeechError | null) => void;

/** The synthesizer's thread, shared by all calls of one voice worker. */
export class SynthesizerEngine {
  readonly #thread: EngineThread<ToSynthesizer, FromSynthesizer>;
  readonly #waiting = new Map<number, Settle>();
  #nextId = 1;

  constructor() {
    this.#thread = new EngineThread({
      file: 'synthesizer-thread',
      onMessage: (message) => this.#receive(message),
      onLost: (error) => this.#lost(error),
    });
  }

  /** The audio of one clause, or null when `signal` aborted first. */
  speak(text: string, voice: string, signal: AbortSignal): Promise<AudioFrame | null> {
    if (signal.aborted) return Promise.resolve(null);
    if (this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(
        new SpeechError('SPEECH_ENGINE_BUSY', 'too many texts wait to be spoken', {
          retryable: true,
        }),
      );
    }
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#thread.post({ type: 'cancel', id });
        this.#waiting.get(id)?.(null);
      };
      this.#waiting.set(id, (result) => {
        this.#waiting.delete(id);
        signal.removeEventListener('abort', onAbort);
        if (result instanceof SpeechError) reject(result);
        else resolve(result);
      });
      signal.addEventListener('abort', onAbort, { once: true });
      this.#thread.post({ type: 'speak', id, text, voice });
    });
  }

  /** Texts that wait, or are being spoken. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  close(): Promise<void> {
    this.#lost(new SpeechError('SPEECH_ENGINE_FAILED', 'the engine was closed'));
    return this.#thread.close();
  }

  #receive(message: FromSynthesizer): void {
    const settle = this.#waiting.get(message.id);
    if (message.type === 'failed') {
      settle?.(new SpeechError('SPEECH_ENGINE_FAILED', message.message, { retryable: true }));
    } else {
      settle?.({ samples: message.samples, sampleRateHz: message.sampleRateHz });
    }
  }

  #lost(error: SpeechError): void {
    for (const settle of this.#waiting.values()) settle(error);
  }
}

/** Flite, one clause at a time: the next clause is asked for while the last one is taken. */
export function createEmbeddedTextToSpeech(engine: SynthesizerEngine): TextToSpeech {
  return {
    name: 'embedded',
    async *synthesize(text: AsyncIterable<string>, { signal, voice }: SynthesisOptions) {
      for await (const clause of endingWith(text, signal)) {
        if (!/[\p{L}\p{N}]/u.test(clause)) continue;
        const frame = await engine.speak(clause, voice, signal);
        if (frame === null) return;
        if (frame.samples.length > 0) yield frame;
      }
    },
    async prewarm(signal) {
      await engine.speak('Hello.', '', signal).catch(() => null);
    },
  };
}
