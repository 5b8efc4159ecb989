import type { AudioFrame } from '../model/audio.ts';
import { FRAME_MS } from './codec/audio-codec.ts';

/**
 * Audio that was written and not yet converted, in order. A clause comes in one piece, and
 * resampling and encoding 4 s of it at once takes 5 to 8 ms, for which every other leg of the
 * worker would wait; so it is taken out again in pieces of 20 ms.
 */
export class PcmBacklog {
  /** `end`: a flush, after which a partial frame is padded. */
  readonly #parts: (AudioFrame | 'end')[] = [];
  /** Samples of the first part that were taken already. */
  #taken = 0;

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  get milliseconds(): number {
    let sum = 0;
    for (const part of this.#parts) {
      if (part !== 'end') sum += (part.samples.length * 1000) / part.sampleRateHz;
    }
    const [first] = this.#parts;
    if (first === undefined || first === 'end') return sum;
    return sum - (this.#taken * 1000) / first.sampleRateHz;
  }

  /** Copies the samples: their producer may use the array again. */
  push({ samples, sampleRateHz }: AudioFrame): void {
    if (samples.length > 0) this.#parts.push({ samples: samples.slice(), sampleRateHz });
  }

  pushEnd(): void {
    if (this.#parts.at(-1) !== 'end') this.#parts.push('end');
  }

  /** The next 20 ms, or what is left of a part; a view. Null when nothing waits. */
  take(): AudioFrame | 'end' | null {
    const [first] = this.#parts;
    if (first === undefined) return null;
    if (first === 'end') {
      this.#parts.shift();
      return 'end';
    }
    const { samples, sampleRateHz } = first;
    const from = this.#taken;
    this.#taken += (sampleRateHz * FRAME_MS) / 1000;
    const piece = samples.subarray(from, this.#taken);
    if (this.#taken >= samples.length) {
      this.#parts.shift();
      this.#taken = 0;
    }
    return { samples: piece, sampleRateHz };
  }

  clear(): void {
    this.#parts.length = 0;
    this.#taken = 0;
  }
}
