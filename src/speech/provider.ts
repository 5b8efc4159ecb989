import type { AudioFrame } from '../model/audio.ts';

/** What was heard of one utterance so far. */
export interface Transcript {
  /** Empty when nothing was understood. */
  readonly text: string;
  readonly isFinal: boolean;
  /** 0 to 1: how unlikely it is that more audio changes these words. 1 when final. */
  readonly stability: number;
  /** How much audio of the utterance the text covers. */
  readonly audioMs: number;
}

export interface HearingOptions {
  readonly sampleRateHz: number;
  /** BCP 47, or `auto`. */
  readonly language: string;
  /** Aborting closes the hearing. */
  readonly signal: AbortSignal;
  /** Interim transcripts, in order. Never called after the utterance's final one. */
  readonly onInterim: (transcript: Transcript) => void;
}

/**
 * Hears one caller, utterance after utterance. The first `write` begins an utterance;
 * `finalize` or `abandon` ends it, and the next `write` begins another.
 *
 * - `write`, `pause` and `abandon` return at once and never throw; a failure shows at `finalize`.
 * - `finalize` resolves once with `isFinal`; with empty text when nothing was written,
 *   understood, or when the hearing was closed. It rejects with one `SpeechError`; the provider
 *   does not retry. Called again before the next `write`, it tries the same utterance again
 *   where the provider kept its audio, else it gives empty text.
 * - The next utterance may begin while the last one is still being finalized.
 * - An abandoned utterance gives no transcript any more.
 *
 * `test/support/speech-to-text-contract.ts` checks these lines against every provider.
 */
export interface Hearing {
  /** Takes a copy. `mediaTimeMs` is the leg's media clock at the frame's end. */
  write(frame: AudioFrame, mediaTimeMs: number): void;
  /**
   * The caller seems to have finished: transcribe what there is, as an interim. Writing on
   * makes what comes of it stale, and it is dropped.
   */
  pause(): void;
  finalize(): Promise<Transcript>;
  abandon(): void;
  close(): void;
}

export interface SpeechToText {
  readonly name: string;
  /** Interims come while the caller speaks, not only after `pause`. */
  readonly hasInterims: boolean;
  open(options: HearingOptions): Hearing;
  /** Connects or loads ahead of the first utterance, while the phone rings. Never throws. */
  prewarm(signal: AbortSignal): Promise<void>;
}

export interface SynthesisOptions {
  readonly signal: AbortSignal;
  /** Voice name; empty: the provider's default. */
  readonly voice: string;
  /** BCP 47, or `auto`. */
  readonly language: string;
}

/**
 * A provider is a promise about iterables.
 *
 * - Each piece of `text` is a clause of its own; audio comes in the order of the text.
 * - Output ends when input ends, or within 50 ms after `signal` aborts, without throwing.
 * - A failure throws one `SpeechError`; the provider does not retry. The caller owns the budget.
 * - Nothing is connected before the first `next()`, and everything is closed when iteration stops.
 * - Frames are not empty, and all have one rate.
 *
 * `test/support/text-to-speech-contract.ts` checks these lines against every provider.
 */
export interface TextToSpeech {
  readonly name: string;
  synthesize(text: AsyncIterable<string>, options: SynthesisOptions): AsyncIterable<AudioFrame>;
  /** Connects or loads ahead, while the phone rings. Never throws. */
  prewarm(signal: AbortSignal): Promise<void>;
}

/** Tells speech from the rest, one leg's frames in order. Synchronous: it runs on the ticker's thread. */
export interface VoiceActivityDetector {
  readonly name: string;
  /** Probability, 0 to 1, that this 20 ms frame holds a voice. */
  process(frame: AudioFrame): number;
  close(): void;
}
