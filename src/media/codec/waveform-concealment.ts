import { FRAMES_PER_SECOND } from './audio-codec.ts';

/** Longest and shortest pitch period looked for: 66 to 200 Hz, as in G.711 Appendix I. */
const PITCH_MAX_MS = 15;
const PITCH_MIN_MS = 5;
const CORRELATION_MS = 20;
/** Full volume for the first 10 ms, then 20 % less every 10 ms, silent after 60. */
const FADE_AFTER_MS = 10;
const FADE_END_MS = 60;
/** The seam between made-up and real sound: 4 ms, and 4 more for each further 10 ms lost. */
const SEAM_MS = 4;
const SEAM_MAX_MS = 10;

/**
 * Fills lost frames by repeating the last pitch period while fading out, and blends into the
 * first good frame (in the spirit of ITU-T G.711 Appendix I). No allocation after construction.
 */
export class WaveformConcealment {
  readonly #rate: number;
  readonly #history: Float32Array;
  readonly #period: Float32Array;
  readonly #frame: Int16Array;
  #periodLength = 0;
  #position = 0;
  /** Samples made up since the last good frame. */
  #madeUp = 0;

  constructor(sampleRateHz: number) {
    this.#rate = sampleRateHz;
    this.#history = new Float32Array(this.#samples(PITCH_MAX_MS + CORRELATION_MS));
    this.#period = new Float32Array(this.#samples(PITCH_MAX_MS));
    this.#frame = new Int16Array(sampleRateHz / FRAMES_PER_SECOND);
  }

  /** Must see every good frame. Changes its beginning when it follows a loss. */
  onGoodFrame(pcm: Int16Array): void {
    if (this.#madeUp > 0) this.#blendInto(pcm);
    this.#madeUp = 0;
    const history = this.#history;
    if (pcm.length >= history.length) {
      history.set(pcm.subarray(pcm.length - history.length));
    } else {
      history.copyWithin(0, pcm.length);
      history.set(pcm, history.length - pcm.length);
    }
  }

  /** One made-up frame of 20 ms; the view is overwritten by the next call. */
  conceal(): Int16Array {
    if (this.#madeUp === 0) this.#findPeriod();
    const frame = this.#frame;
    for (let index = 0; index < frame.length; index += 1) frame[index] = this.#next();
    return frame;
  }

  #samples(ms: number): number {
    return Math.round((ms * this.#rate) / 1000);
  }

  #next(): number {
    const gain = this.#gain();
    this.#madeUp += 1;
    if (gain <= 0) return 0;
    const value = this.#period[this.#position]! * gain;
    this.#position = this.#position + 1 === this.#periodLength ? 0 : this.#position + 1;
    return value;
  }

  #gain(): number {
    const ms = (this.#madeUp / this.#rate) * 1000;
    if (ms <= FADE_AFTER_MS) return 1;
    return 1 - (ms - FADE_AFTER_MS) / (FADE_END_MS - FADE_AFTER_MS);
  }

  /** The lag whose past looks most like the last 20 ms, by normalised correlation. */
  #findPeriod(): void {
    const history = this.#history;
    const window = this.#samples(CORRELATION_MS);
    const start = history.length - window;
    let bestLag = this.#samples(PITCH_MIN_MS);
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let lag = this.#samples(PITCH_MIN_MS); lag <= this.#samples(PITCH_MAX_MS); lag += 1) {
      let product = 0;
      let energy = 1;
      for (let index = start; index < history.length; index += 1) {
        const past = history[index - lag]!;
        product += history[index]! * past;
        energy += past * past;
      }
      const score = product / Math.sqrt(energy);
      if (score > bestScore) {
        bestScore = score;
        bestLag = lag;
      }
    }
    this.#takePeriod(bestLag);
  }

  /** Copies the period; its last quarter leans towards what came before it, so it loops smoothly. */
  #takePeriod(lag: number): void {
    const history = this.#history;
    const start = history.length - lag;
    const overlap = lag >> 2;
    for (let index = 0; index < lag; index += 1) {
      const fromEnd = lag - index;
      let value = history[start + index]!;
      if (fromEnd <= overlap) {
        const weight = (overlap - fromEnd + 1) / (overlap + 1);
        value = value * (1 - weight) + history[start + index - lag]! * weight;
      }
      this.#period[index] = value;
    }
    this.#periodLength = lag;
    this.#position = 0;
  }

  #blendInto(pcm: Int16Array): void {
    const lostMs = (this.#madeUp / this.#rate) * 1000;
    const seamMs = Math.min(SEAM_MAX_MS, SEAM_MS + Math.max(0, (lostMs - 10) / 10) * SEAM_MS);
    const seam = Math.min(pcm.length, this.#samples(seamMs));
    for (let index = 0; index < seam; index += 1) {
      const weight = (index + 1) / (seam + 1);
      pcm[index] = pcm[index]! * weight + this.#next() * (1 - weight);
    }
  }
}
