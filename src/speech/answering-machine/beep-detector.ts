const FRAME_MS = 20;
/** The beeps of answering machines. */
const FREQUENCY_MIN_HZ = 400;
const FREQUENCY_MAX_HZ = 2100;
const COARSE_STEP_HZ = 40;
const FINE_STEP_HZ = 10;
/** A tone keeps its pitch; a voice never does for so long. */
const DRIFT_MAX_HZ = 30;
/** Part of the frame's power that one frequency must have. */
const PURITY_MIN = 0.8;
const RMS_MIN = 150;
const BEEP_MS_MIN = 140;
const BEEP_MS_MAX = 1500;

/**
 * Hears the beep after which an answering machine records: one pure tone of 400 to 2,100 Hz for
 * 150 ms to 1.5 s. A voice has overtones, a keypad digit two tones. Owns no clock: one call per
 * 20 ms.
 */
export class BeepDetector {
  #runFrames = 0;
  #runFrequencyHz = 0;

  /** The present frame is part of a tone. */
  get isTone(): boolean {
    return this.#runFrames > 0;
  }

  /** True once when a beep has ended. */
  hear(samples: Int16Array, sampleRateHz: number): boolean {
    const frequencyHz = pureFrequency(samples, sampleRateHz);
    const isSame = Math.abs(frequencyHz - this.#runFrequencyHz) <= DRIFT_MAX_HZ;
    if (frequencyHz > 0 && this.#runFrames > 0 && isSame) {
      this.#runFrames += 1;
      return false;
    }
    const lastedMs = this.#runFrames * FRAME_MS;
    this.#runFrames = frequencyHz > 0 ? 1 : 0;
    this.#runFrequencyHz = frequencyHz;
    return lastedMs >= BEEP_MS_MIN && lastedMs <= BEEP_MS_MAX;
  }
}

/** The frequency that has nearly all the power; 0 when none has. */
function pureFrequency(samples: Int16Array, sampleRateHz: number): number {
  let energy = 0;
  for (let at = 0; at < samples.length; at += 1) energy += samples[at]! * samples[at]!;
  if (energy < RMS_MIN * RMS_MIN * samples.length) return 0;
  const coarse = strongest(
    samples,
    sampleRateHz,
    FREQUENCY_MIN_HZ,
    FREQUENCY_MAX_HZ,
    COARSE_STEP_HZ,
  );
  const fine = strongest(
    samples,
    sampleRateHz,
    coarse - COARSE_STEP_HZ / 2,
    coarse + COARSE_STEP_HZ / 2,
    FINE_STEP_HZ,
  );
  const purity = (2 * power(samples, sampleRateHz, fine)) / (samples.length * energy);
  return purity >= PURITY_MIN ? fine : 0;
}

function strongest(
  samples: Int16Array,
  sampleRateHz: number,
  fromHz: number,
  toHz: number,
  stepHz: number,
): number {
  let [bestHz, bestPower] = [fromHz, -1];
  for (let frequencyHz = fromHz; frequencyHz <= toHz; frequencyHz += stepHz) {
    const found = power(samples, sampleRateHz, frequencyHz);
    if (found > bestPower) [bestHz, bestPower] = [frequencyHz, found];
  }
  return bestHz;
}

/** Squared magnitude of one frequency (Goertzel). */
function power(samples: Int16Array, sampleRateHz: number, frequencyHz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * frequencyHz) / sampleRateHz);
  let before = 0;
  let last = 0;
  for (let at = 0; at < samples.length; at += 1) {
    const next = samples[at]! + coefficient * last - before;
    before = last;
    last = next;
  }
  return last * last + before * before - coefficient * last * before;
}
