import { MediaError } from './media-error.ts';

/** Zero crossings of the sinc on each side, at the lower of both rates. */
const ZERO_CROSSINGS = 16;
/** Where the passband ends, as a part of the lower Nyquist frequency. */
const CUTOFF = 0.95;
/** Kaiser window: about 65 dB of stopband. */
const KAISER_BETA = 6.5;
/** The largest polyphase table we would build (44.1 kHz to 48 kHz has 160 phases). */
const PHASES_MAX = 640;
const BLOCK_SAMPLES = 1024;

interface FilterBank {
  readonly up: number;
  readonly down: number;
  readonly taps: number;
  /** `up` phases of `taps` coefficients each, in the order of the input. */
  readonly coefficients: Float64Array;
}

const banks = new Map<string, FilterBank>();

/**
 * Streaming FIR resampler between any two whole rates whose ratio is small enough
 * (8, 16, 22.05, 24, 44.1, 48 kHz in any pair). Delay: half the filter, 1 to 2 ms.
 * Does not allocate per call once it has seen the longest input.
 */
export class Resampler {
  readonly #bank: FilterBank;
  readonly #input: Float64Array;
  #filled: number;
  /** Position of the next output in the input buffer: whole samples, and phase in 1/up. */
  #index = 0;
  #phase = 0;
  #output = new Int16Array(0);

  constructor(fromHz: number, toHz: number) {
    this.#bank = filterBank(fromHz, toHz);
    this.#input = new Float64Array(BLOCK_SAMPLES + this.#bank.taps);
    this.#filled = this.#bank.taps - 1;
  }

  /** Input samples that are still inside the filter: feed that many zeros to get the tail out. */
  get delaySamples(): number {
    return this.#bank.taps >> 1;
  }

  /** Converts the next stretch. The result is a view that the next call overwrites. */
  process(samples: Int16Array): Int16Array {
    const { up, down } = this.#bank;
    const most = Math.ceil((samples.length * up) / down) + 2;
    if (this.#output.length < most) this.#output = new Int16Array(most);
    let written = 0;
    for (let at = 0; at < samples.length; at += BLOCK_SAMPLES) {
      written = this.#block(samples, at, Math.min(at + BLOCK_SAMPLES, samples.length), written);
    }
    return this.#output.subarray(0, written);
  }

  /** Forgets the past, for a new utterance. */
  reset(): void {
    this.#input.fill(0);
    this.#filled = this.#bank.taps - 1;
    this.#index = 0;
    this.#phase = 0;
  }

  #block(samples: Int16Array, from: number, to: number, start: number): number {
    const { up, down, taps, coefficients } = this.#bank;
    const input = this.#input;
    const output = this.#output;
    let filled = this.#filled;
    for (let at = from; at < to; at += 1) {
      input[filled] = samples[at]!;
      filled += 1;
    }

    let index = this.#index;
    let phase = this.#phase;
    let written = start;
    const last = filled - taps;
    while (index <= last) {
      const sum = dot(coefficients, phase * taps, input, index, taps);
      output[written] = sum > 32767 ? 32767 : sum < -32768 ? -32768 : Math.round(sum);
      written += 1;
      phase += down;
      // At most a few rounds: down / up is 6 at worst.
      while (phase >= up) {
        phase -= up;
        index += 1;
      }
    }

    input.copyWithin(0, index, filled);
    this.#filled = filled - index;
    this.#index = 0;
    this.#phase = phase;
    return written;
  }
}

/** Four sums at a time; `taps` is a multiple of four. */
function dot(a: Float64Array, aStart: number, b: Float64Array, bStart: number, taps: number) {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  for (let tap = 0; tap < taps; tap += 4) {
    const i = aStart + tap;
    const j = bStart + tap;
    sum0 += a[i]! * b[j]!;
    sum1 += a[i + 1]! * b[j + 1]!;
    sum2 += a[i + 2]! * b[j + 2]!;
    sum3 += a[i + 3]! * b[j + 3]!;
  }
  return sum0 + sum1 + sum2 + sum3;
}

function filterBank(fromHz: number, toHz: number): FilterBank {
  const key = `${fromHz}/${toHz}`;
  const known = banks.get(key);
  if (known !== undefined) return known;
  if (!isRate(fromHz) || !isRate(toHz)) {
    throw new MediaError('MEDIA_RATE_UNSUPPORTED', `cannot convert ${fromHz} Hz to ${toHz} Hz`);
  }
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const up = toHz / divisor;
  const down = fromHz / divisor;
  if (up > PHASES_MAX || down > PHASES_MAX) {
    throw new MediaError('MEDIA_RATE_UNSUPPORTED', `cannot convert ${fromHz} Hz to ${toHz} Hz`);
  }
  const bank = designFilterBank(up, down);
  banks.set(key, bank);
  return bank;
}

/** A windowed sinc, cut into `up` phases, each normalised so that a constant stays constant. */
function designFilterBank(up: number, down: number): FilterBank {
  const scale = Math.min(1, up / down);
  const half = ZERO_CROSSINGS / scale;
  const taps = Math.ceil((2 * half) / 4) * 4;
  const coefficients = new Float64Array(up * taps);
  const cutoff = scale * CUTOFF;
  for (let phase = 0; phase < up; phase += 1) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const x = tap - (taps / 2 - 1) - phase / up;
      const value = cutoff * sinc(cutoff * x) * kaiser(x / (taps / 2));
      coefficients[phase * taps + tap] = value;
      sum += value;
    }
    for (let tap = 0; tap < taps; tap += 1) {
      coefficients[phase * taps + tap] = coefficients[phase * taps + tap]! / sum;
    }
  }
  return { up, down, taps, coefficients };
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(x: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA);
}

/** Modified Bessel function of the first kind, order zero. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function isRate(hz: number): boolean {
  return Number.isInteger(hz) && hz >= 8000 && hz <= 48000;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
