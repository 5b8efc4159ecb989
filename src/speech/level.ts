/** Quieter than anything a 16-bit sample can hold. */
export const SILENCE_DBFS = -100;

/** Mean power of the samples in dB below full scale. */
export function levelDbfs(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  if (sum === 0 || samples.length === 0) return SILENCE_DBFS;
  return 10 * Math.log10(sum / samples.length / (32_768 * 32_768));
}

/** Follows the noise of a line: down at once, up by 3 dB a second. One call per 20 ms. */
export class NoiseFloor {
  #dbfs = -60;

  update(dbfs: number): number {
    const bounded = Math.max(dbfs, -75);
    this.#dbfs = bounded < this.#dbfs ? bounded : Math.min(bounded, this.#dbfs + 0.06);
    return this.#dbfs;
  }
}
