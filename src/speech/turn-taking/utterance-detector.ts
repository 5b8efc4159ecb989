/** What a frame did to the utterance. */
export type SpeechEvent = 'none' | 'onset' | 'voice' | 'pause';

const START_PROBABILITY = 0.6;
const STAY_PROBABILITY = 0.4;
/** A first frame as sure as this will hardly stay alone. */
const SURE_PROBABILITY = 0.8;
/** Voiced frames in a row that make an onset: 40 ms. */
const ONSET_FRAMES = 2;

/**
 * Turns voice probabilities, one per 20 ms, into utterances. It owns no clock; times are the
 * leg's media time at the end of a frame. An utterance goes on through pauses until `end`.
 */
export class UtteranceDetector {
  readonly #frameMs: number;
  #run = 0;
  #isOpen = false;
  #startedAtMs = 0;
  #voicedUntilMs = 0;
  #voicedMs = 0;
  #isSure = false;

  constructor(frameMs = 20) {
    this.#frameMs = frameMs;
  }

  /** An utterance has begun and was not ended. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** One frame was voiced for certain: most likely the next will make it an onset. */
  get isBeginning(): boolean {
    return !this.#isOpen && this.#run > 0 && this.#isSure;
  }

  /** Media time at which its first voiced frame began. */
  get startedAtMs(): number {
    return this.#startedAtMs;
  }

  /** Media time at which its last voiced frame ended. */
  get voicedUntilMs(): number {
    return this.#voicedUntilMs;
  }

  /** Voice in it, without pauses. */
  get voicedMs(): number {
    return this.#voicedMs;
  }

  /** `threshold` is added to both limits, e.g. by the echo guard. */
  update(probability: number, mediaTimeMs: number, threshold = 0): SpeechEvent {
    const limit = (this.#isOpen ? STAY_PROBABILITY : START_PROBABILITY) + threshold;
    if (probability < limit) {
      this.#run = 0;
      return this.#isOpen ? 'pause' : 'none';
    }
    this.#run += 1;
    this.#isSure = probability >= SURE_PROBABILITY + threshold;
    // A single voiced frame within a pause is a click, not the caller going on.
    if (this.#run < ONSET_FRAMES) return this.#isOpen ? 'pause' : 'none';
    if (this.#isOpen) return this.#voice(mediaTimeMs, this.#run === ONSET_FRAMES);
    this.#isOpen = true;
    this.#startedAtMs = mediaTimeMs - ONSET_FRAMES * this.#frameMs;
    this.#voicedMs = ONSET_FRAMES * this.#frameMs;
    this.#voicedUntilMs = mediaTimeMs;
    return 'onset';
  }

  end(): void {
    this.#isOpen = false;
    this.#voicedMs = 0;
    this.#run = 0;
  }

  #voice(mediaTimeMs: number, isFirst: boolean): SpeechEvent {
    this.#voicedMs += isFirst ? ONSET_FRAMES * this.#frameMs : this.#frameMs;
    this.#voicedUntilMs = mediaTimeMs;
    return 'voice';
  }
}
