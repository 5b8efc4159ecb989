import type { AudioFrame } from '../model/audio.ts';
import type { Hearing, SpeechToText, Transcript, VoiceActivityDetector } from './provider.ts';
import { type SpeechEvent, UtteranceDetector } from './turn-taking/utterance-detector.ts';

/** Audio from before the onset that the recognizer gets too: 240 ms. */
const PRE_ROLL_FRAMES = 12;

export interface EarOptions {
  readonly sampleRateHz: number;
  readonly language: string;
  readonly detector: VoiceActivityDetector;
  readonly stt: SpeechToText;
  readonly signal: AbortSignal;
  /** The words of the open utterance changed. */
  readonly onWords: (text: string) => void;
}

/** Hears one party: finds utterances and has them transcribed. */
export class Ear {
  readonly #options: EarOptions;
  readonly #hearing: Hearing;
  readonly #detector = new UtteranceDetector();
  readonly #preRoll: { samples: Int16Array; sampleRateHz: number; mediaTimeMs: number }[] = [];
  #text = '';
  #isPaused = false;
  #isClosed = false;

  constructor(options: EarOptions) {
    this.#options = options;
    const { sampleRateHz, language, signal } = options;
    this.#hearing = options.stt.open({
      sampleRateHz,
      language,
      signal,
      onInterim: (transcript) => this.#heard(transcript),
    });
  }

  /** The utterance going on; media times. */
  get utterance(): Readonly<
    Pick<UtteranceDetector, 'isOpen' | 'isBeginning' | 'startedAtMs' | 'voicedUntilMs' | 'voicedMs'>
  > {
    return this.#detector;
  }

  /** Words of the open utterance so far. */
  get text(): string {
    return this.#text;
  }

  /** One frame of 20 ms. `threshold` makes the detector more careful, against echo. */
  hear(frame: AudioFrame, mediaTimeMs: number, threshold: number): SpeechEvent {
    if (this.#isClosed) return 'none';
    const probability = this.#options.detector.process(frame);
    const event = this.#detector.update(probability, mediaTimeMs, threshold);
    if (event === 'onset') {
      this.#text = '';
      this.#writeRemembered();
    }
    if (event === 'voice') this.#goOn();
    // A provider that was asked for the words at the pause gets no silence after it.
    const isHeldBack = event === 'none' || (this.#isPaused && !this.#options.stt.hasInterims);
    if (isHeldBack) this.#remember(frame, mediaTimeMs);
    else this.#hearing.write(frame, mediaTimeMs);
    return event;
  }

  /** The caller seems to have finished: asks for the words, once per pause. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#hearing.pause();
  }

  /** The utterance is over; the next onset begins another. */
  endUtterance(): void {
    this.#detector.end();
    this.#isPaused = false;
    this.#text = '';
  }

  /** The words of the utterance that ended; after a failure it may be called again. */
  finalize(): Promise<Transcript> {
    return this.#hearing.finalize();
  }

  /** It was no utterance after all. */
  abandon(): void {
    this.endUtterance();
    this.#hearing.abandon();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.endUtterance();
    this.#hearing.close();
    this.#options.detector.close();
  }

  #heard({ text }: Pick<Transcript, 'text'>): void {
    if (this.#isClosed || !this.#detector.isOpen || text === this.#text) return;
    this.#text = text;
    this.#options.onWords(text);
  }

  #goOn(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#writeRemembered();
    // Words of an earlier pause say nothing about how finished it sounds after the next one.
    if (!this.#options.stt.hasInterims) this.#heard({ text: '' });
  }

  #writeRemembered(): void {
    for (const earlier of this.#preRoll.splice(0))
      this.#hearing.write(earlier, earlier.mediaTimeMs);
  }

  #remember(frame: AudioFrame, mediaTimeMs: number): void {
    const { samples, sampleRateHz } = frame;
    const oldest = this.#preRoll.length < PRE_ROLL_FRAMES ? null : this.#preRoll.shift();
    const copy = oldest?.samples.length === samples.length ? oldest.samples : samples.slice();
    copy.set(samples);
    this.#preRoll.push({ samples: copy, sampleRateHz, mediaTimeMs });
  }
}
