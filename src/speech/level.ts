/** Quieter than anything a 16-bit sample can hold. */
export const SILENCE_DBFS = -100;

/** Mean power of the samples in dB below full scale. */
export function levelDbfs(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  if (sum === 0 || samples.length === 0) return SILENCE_DBFS;
  return 10 * Math.log10(sum / samples.length / (32_768 * 32_768));
}

/** Per 20 ms: 3 dB a second, and 25 when it is known that nobody speaks. */
const RISE_DB = 0.06;
const FAST_RISE_DB = 0.5;

/** Follows the noise of a line: down at once, up slowly. One call per 20 ms. */
export class NoiseFloor {
  #dbfs = -60;

  /** `isNoise`: what is heard is no voice for certain. */
  update(dbfs: number, isNoise: boolean): number {
    const bounded = Math.max(dbfs, -75);
    const rise = isNoise ? FAST_RISE_DB : RISE_DB;
    this.#dbfs = bounded < this.#dbfs ? bounded : Math.min(bounded, this.#dbfs + rise);
    return this.#dbfs;
  }
}
