import type { AudioFrame } from '../model/audio.ts';
import type { BridgeEnd } from './bridge.ts';

/** Ringing tone of ITU-T E.180: one second of every five. */
const TONE_HZ = 425;
const ON_MS = 1_000;
const CYCLE_MS = 5_000;
const AMPLITUDE = 3_000;
const FRAME_MS = 20;

/** What a caller hears while the one that is called for them rings. */
export class Ringback {
  readonly #sink: BridgeEnd['sink'];
  #isOn = true;
  #atMs = 0;

  /** The caller's own frames are its clock. */
  constructor({ source, sink }: BridgeEnd) {
    this.#sink = sink;
    source.onFrame(() => this.#tick());
  }

  stop(): void {
    this.#isOn = false;
  }

  #tick(): void {
    if (!this.#isOn) return;
    if (this.#atMs % CYCLE_MS < ON_MS) this.#sink.write(this.#tone());
    this.#atMs += FRAME_MS;
  }

  #tone(): AudioFrame {
    const { preferredSampleRateHz: sampleRateHz } = this.#sink;
    const samples = new Int16Array((sampleRateHz * FRAME_MS) / 1000);
    const start = (this.#atMs * sampleRateHz) / 1000;
    for (let n = 0; n < samples.length; n += 1) {
      samples[n] = AMPLITUDE * Math.sin((2 * Math.PI * TONE_HZ * (start + n)) / sampleRateHz);
    }
    return { samples, sampleRateHz };
  }
}
