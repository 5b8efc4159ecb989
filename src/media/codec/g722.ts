import { G722Band, HIGH_BAND, LOW_BAND } from './g722-band.ts';

/**
 * ITU-T G.722 at 64 kbit/s: 16 kHz audio in two bands of 8 kHz, the lower one in 6 bits and the
 * upper one in 2. A byte holds two samples of audio.
 *
 *     7   6   5   4   3   2   1   0
 *   +---+---+---+---+---+---+---+---+
 *   | upper |        lower          |
 *   +---+---+---+---+---+---+---+---+
 */

/** The byte that means no change in either band: repeated, it lets both come to rest at zero. */
export const G722_SILENCE = 0xfc;

/** The quadrature mirror filter's 24 taps are these, and these backwards. */
const QMF = Int16Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);
const TAPS = 24;
/** Samples before a pair that the filter still sees. */
const PAST = TAPS - 2;
/** Longest piece in one go: 120 ms. */
export const G722_SAMPLES_MAX = 1920;

/** Decision levels of the lower band's quantizer (table 14: Q6). */
const Q6 = Int16Array.from(
  (
    '0 35 72 110 150 190 233 276 323 370 422 473 530 587 650 714 786 858 940 1023 1121 1219 ' +
    '1339 1458 1612 1765 1980 2195 2557 2919'
  )
    .split(' ')
    .map(Number),
);
/** Its codes for a difference below zero, and from zero on, by interval. */
const CODES_NEGATIVE = Uint8Array.of(0, 63, 62, ...Array.from({ length: 28 }, (_, i) => 31 - i));
const CODES_POSITIVE = Uint8Array.of(0, ...Array.from({ length: 30 }, (_, i) => 61 - i));
const UPPER_DECISION = 564;

/** Output levels of the inverse quantizers: 4 bits for the predictor, 6 for the listener. */
const QM4 = Int16Array.from(
  '0 -20456 -12896 -8968 -6288 -4240 -2584 -1200 20456 12896 8968 6288 4240 2584 1200 0'
    .split(' ')
    .map(Number),
);
const QM6 = Int16Array.from(
  (
    '-136 -136 -136 -136 -24808 -21904 -19008 -16704 -14984 -13512 -12280 -11192 -10232 ' +
    '-9360 -8576 -7856 -7192 -6576 -6000 -5456 -4944 -4464 -4008 -3576 -3168 -2776 -2400 ' +
    '-2032 -1688 -1360 -1040 -728 24808 21904 19008 16704 14984 13512 12280 11192 10232 ' +
    '9360 8576 7856 7192 6576 6000 5456 4944 4464 4008 3576 3168 2776 2400 2032 1688 1360 ' +
    '1040 728 432 136 -432 -136'
  )
    .split(' ')
    .map(Number),
);
const QM2 = Int16Array.of(-7408, -1616, 7408, 1616);

/** What a code adds to the logarithm of the step: WL by RL42, and WH by RH2. */
const LOG_LOW = Int16Array.from(
  '-60 3042 1198 538 334 172 58 -30 3042 1198 538 334 172 58 -30 -60'.split(' ').map(Number),
);
const LOG_HIGH = Int16Array.of(798, -214, 798, -214);

const MAX = 32767;
const MIN = -32768;
const BAND_MAX = 16383;
const BAND_MIN = -16384;

/** The encoder's state for one stream. */
export class G722Coder {
  readonly #low = new G722Band(LOW_BAND);
  readonly #high = new G722Band(HIGH_BAND);
  /** The filter's past, and the piece at hand behind it. */
  readonly #line = new Int32Array(PAST + G722_SAMPLES_MAX);

  /** As a long silence leaves it. */
  reset(): void {
    this.#low.reset();
    this.#high.reset();
    this.#line.fill(0, 0, PAST);
  }

  /** `pcm` has an even number of samples; half as many bytes come out. */
  encode(pcm: Int16Array, out: Uint8Array): void {
    const line = this.#line;
    line.set(pcm, PAST);
    for (let at = 0; at < pcm.length; at += 2) {
      let even = 0;
      let odd = 0;
      for (let tap = 0; tap < 12; tap += 1) {
        even += line[at + 2 * tap]! * QMF[tap]!;
        odd += line[at + 2 * tap + 1]! * QMF[11 - tap]!;
      }
      const low = this.#encodeLow((even + odd) >> 14);
      out[at >> 1] = (this.#encodeHigh((odd - even) >> 14) << 6) | low;
    }
    line.copyWithin(0, pcm.length, pcm.length + PAST);
  }

  #encodeLow(sample: number): number {
    const band = this.#low;
    const difference = clamp(sample - band.estimate);
    const size = difference < 0 ? -(difference + 1) : difference;
    // The last decision level that is not above: they rise, so halve.
    let [from, to] = [1, Q6.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (size < (Q6[middle]! * band.step) >> 12) to = middle;
      else from = middle + 1;
    }
    const code = difference < 0 ? CODES_NEGATIVE[from]! : CODES_POSITIVE[from]!;
    const coarse = code >> 2;
    band.adapt((band.step * QM4[coarse]!) >> 15, LOG_LOW[coarse]!);
    return code;
  }

  #encodeHigh(sample: number): number {
    const band = this.#high;
    const difference = clamp(sample - band.estimate);
    const size = difference < 0 ? -(difference + 1) : difference;
    const isLarge = size >= (UPPER_DECISION * band.step) >> 12;
    const code = (difference < 0 ? 0 : 2) + (isLarge ? 0 : 1);
    band.adapt((band.step * QM2[code]!) >> 15, LOG_HIGH[code]!);
    return code;
  }
}

/** The decoder's state for one stream. */
export class G722Reader {
  readonly #low = new G722Band(LOW_BAND);
  readonly #high = new G722Band(HIGH_BAND);
  /** The filter's past, and the piece at hand behind it. */
  readonly #line = new Int32Array(PAST + G722_SAMPLES_MAX);

  /** Two samples for each byte of `bytes[start..end)`. */
  decode(bytes: Uint8Array, start: number, end: number, pcm: Int16Array): void {
    const line = this.#line;
    let at = 0;
    for (let index = start; index < end; index += 1) {
      const byte = bytes[index]!;
      const low = this.#decodeLow(byte & 0x3f);
      const high = this.#decodeHigh(byte >> 6);
      line[at + PAST] = low + high;
      line[at + PAST + 1] = low - high;
      let even = 0;
      let odd = 0;
      for (let tap = 0; tap < 12; tap += 1) {
        even += line[at + 2 * tap]! * QMF[tap]!;
        odd += line[at + 2 * tap + 1]! * QMF[11 - tap]!;
      }
      pcm[at] = clamp(odd >> 11);
      pcm[at + 1] = clamp(even >> 11);
      at += 2;
    }
    line.copyWithin(0, at, at + PAST);
  }

  #decodeLow(code: number): number {
    const band = this.#low;
    const sample = limit(band.estimate + ((band.step * QM6[code]!) >> 15));
    const coarse = code >> 2;
    band.adapt((band.step * QM4[coarse]!) >> 15, LOG_LOW[coarse]!);
    return sample;
  }

  #decodeHigh(code: number): number {
    const band = this.#high;
    const difference = (band.step * QM2[code]!) >> 15;
    const sample = limit(band.estimate + difference);
    band.adapt(difference, LOG_HIGH[code]!);
    return sample;
  }
}

function clamp(value: number): number {
  return value > MAX ? MAX : value < MIN ? MIN : value;
}

function limit(value: number): number {
  return value > BAND_MAX ? BAND_MAX : value < BAND_MIN ? BAND_MIN : value;
}
