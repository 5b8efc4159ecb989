const TAPS = 31;
const CENTER = (TAPS - 1) / 2;

/** Low-pass at 3.6 kHz for 16 kHz input: windowed sinc, gain 1. */
const KERNEL = makeKernel(3600 / 16_000);

function makeKernel(cutoff: number): Float32Array {
  const kernel = new Float32Array(TAPS);
  let sum = 0;
  for (let i = 0; i < TAPS; i += 1) {
    const x = i - CENTER;
    const sinc = x === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * x) / (Math.PI * x);
    const value = sinc * (0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (TAPS - 1)));
    kernel[i] = value;
    sum += value;
  }
  return kernel.map((value) => value / sum);
}

/**
 * Halves 16 kHz to 8 kHz, one stream, frame after frame (delay: 15 input samples).
 * The result is a fresh array of half the length; frames must be of even length.
 */
export class Halver {
  readonly #history = new Float32Array(TAPS - 1);

  process(samples: Int16Array): Int16Array {
    const history = this.#history;
    const joined = new Float32Array(history.length + samples.length);
    joined.set(history);
    joined.set(samples, history.length);
    const out = new Int16Array(samples.length >> 1);
    for (let n = 0; n < out.length; n += 1) {
      let sum = 0;
      for (let tap = 0; tap < TAPS; tap += 1) {
        sum += (KERNEL[tap] ?? 0) * (joined[2 * n + tap] ?? 0);
      }
      out[n] = Math.max(-32_768, Math.min(32_767, Math.round(sum)));
    }
    history.set(joined.subarray(joined.length - history.length));
    return out;
  }
}
