/** Inverse of a power of two by 32 steps (ITU-T G.722 table 13: ILB). */
const ILB = Int16Array.from(
  (
    '2048 2093 2139 2186 2233 2282 2332 2383 2435 2489 2543 2599 2656 2714 2774 2834 2896 ' +
    '2960 3025 3091 3158 3228 3298 3371 3444 3520 3597 3676 3756 3838 3922 4008'
  )
    .split(' ')
    .map(Number),
);
const MAX = 32767;
const MIN = -32768;
const POLE_2_MAX = 12288;
const POLE_1_BASE = 15360;
/** 1 - 2^-7 and 1 - 2^-8 in 15 bits: what the predictor forgets. */
const LEAK_7 = 32512;
const LEAK_8 = 32640;

/** A pause after which the poles move no more, in samples of a band. */
const REST_SAMPLES = 4000;

/** How the step of one band adapts. */
export interface BandShape {
  readonly logMax: number;
  /** By how much the logarithm is shifted to give the step. */
  readonly shift: number;
  readonly firstStep: number;
}

export const LOW_BAND: BandShape = { logMax: 18432, shift: 8, firstStep: 32 };
export const HIGH_BAND: BandShape = { logMax: 22528, shift: 10, firstStep: 8 };

/**
 * The adaptive part of one band, the same in encoder and decoder (ITU-T G.722 §3.6, blocks 3L/3H
 * and 4L/4H): the quantizer's step and a predictor of two poles and six zeros. Whole numbers of
 * 16 bits throughout, as in the recommendation, so that both sides stay alike to the bit.
 */
export class G722Band {
  readonly #shape: BandShape;
  /** `nb`: logarithm of the step. */
  #log = 0;
  /** The last six quantized differences, newest first, and the weight of each. */
  readonly #d = new Int32Array(6);
  readonly #b = new Int32Array(6);
  #p1 = 0;
  #p2 = 0;
  #a1 = 0;
  #a2 = 0;
  #r1 = 0;
  #r2 = 0;
  #sz = 0;

  /** What the next sample is expected to be. */
  estimate = 0;
  /** Step of the quantizer. */
  step: number;

  constructor(shape: BandShape) {
    this.#shape = shape;
    this.step = shape.firstStep;
  }

  /** As a long silence leaves it. */
  reset(): void {
    this.#log = 0;
    this.#d.fill(0);
    this.#b.fill(0);
    this.#p1 = 0;
    this.#p2 = 0;
    this.#a1 = resting.#a1;
    this.#a2 = resting.#a2;
    this.#r1 = 0;
    this.#r2 = 0;
    this.#sz = 0;
    this.estimate = 0;
    this.step = this.#shape.firstStep;
  }

  /** `difference` is the quantized one, `logChange` what its size adds to the step's logarithm. */
  adapt(difference: number, logChange: number): void {
    this.#predict(difference);
    const { logMax, shift } = this.#shape;
    const log = ((this.#log * 127) >> 7) + logChange;
    this.#log = log < 0 ? 0 : log > logMax ? logMax : log;
    const mantissa = ILB[(this.#log >> 6) & 31]!;
    const places = shift - (this.#log >> 11);
    this.step = (places < 0 ? mantissa << -places : mantissa >> places) << 2;
  }

  #predict(difference: number): void {
    const reconstructed = clamp(this.estimate + difference);
    const partial = clamp(this.#sz + difference);
    this.#adaptPoles(partial);
    this.#adaptZeros(difference);

    this.#p2 = this.#p1;
    this.#p1 = partial;
    this.#r2 = this.#r1;
    this.#r1 = reconstructed;
    const one = (this.#a1 * clamp(2 * this.#r1)) >> 15;
    const two = (this.#a2 * clamp(2 * this.#r2)) >> 15;
    this.estimate = clamp(clamp(one + two) + this.#sz);
  }

  /** UPPOL1 and UPPOL2. */
  #adaptPoles(partial: number): void {
    const isLike1 = partial < 0 === this.#p1 < 0;
    const isLike2 = partial < 0 === this.#p2 < 0;
    const quadrupled = clamp(4 * this.#a1);
    const turned = isLike1 ? clamp(-quadrupled) : quadrupled;
    let a2 = (turned >> 7) + (isLike2 ? 128 : -128) + ((this.#a2 * LEAK_7) >> 15);
    a2 = a2 > POLE_2_MAX ? POLE_2_MAX : a2 < -POLE_2_MAX ? -POLE_2_MAX : a2;
    const a1 = clamp((isLike1 ? 192 : -192) + ((this.#a1 * LEAK_8) >> 15));
    const a1Max = clamp(POLE_1_BASE - a2);
    this.#a1 = a1 > a1Max ? a1Max : a1 < -a1Max ? -a1Max : a1;
    this.#a2 = a2;
  }

  /** UPZERO, DELAYA and FILTEZ in one go over the six taps, oldest first. */
  #adaptZeros(difference: number): void {
    const d = this.#d;
    const b = this.#b;
    const gain = difference === 0 ? 0 : 128;
    const isNegative = difference < 0;
    let sum = 0;
    for (let tap = 5; tap >= 0; tap -= 1) {
      const isLike = d[tap]! < 0 === isNegative;
      const weight = clamp((isLike ? gain : -gain) + ((b[tap]! * LEAK_8) >> 15));
      b[tap] = weight;
      const delayed = tap === 0 ? difference : d[tap - 1]!;
      d[tap] = delayed;
      sum += (weight * clamp(2 * delayed)) >> 15;
    }
    this.#sz = clamp(sum);
  }
}

/** The poles take nothing for something that goes on: silence drives them to a place of its own. */
const resting = new G722Band(LOW_BAND);
for (let sample = 0; sample < REST_SAMPLES; sample += 1) resting.adapt(0, 0);

function clamp(value: number): number {
  return value > MAX ? MAX : value < MIN ? MIN : value;
}
