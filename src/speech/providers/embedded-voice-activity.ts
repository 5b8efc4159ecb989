// oxlint-disable no-underscore-dangle -- The names are Emscripten's.
import createFvad from '@echogarden/fvad-wasm';
import createRnnoise from '@echogarden/rnnoise-wasm';
import type { AudioFrame } from '../../model/audio.ts';
import { levelDbfs, NoiseFloor } from '../level.ts';
import type { VoiceActivityDetector } from '../provider.ts';

const RNNOISE_RATE_HZ = 48_000;
const RNNOISE_SAMPLES = 480;
/** 3 is the one that says "speech" least. */
const FVAD_MODE = 3;
/** Below this nobody is understood. */
const AUDIBLE_DBFS = -55;
/** Over the noise of the line, for the costly look. */
const ABOVE_NOISE_DB = 6;
/** Frames that warm the network up when its gate opens, and that it stays open. */
const WARM_UP_FRAMES = 3;
const STAY_OPEN_FRAMES = 15;

type Rnnoise = Awaited<ReturnType<typeof createRnnoise>>;
type Fvad = Awaited<ReturnType<typeof createFvad>>;

/** Loads both engines once per worker; the result makes one detector per leg. */
export async function loadEmbeddedVoiceActivity(): Promise<
  (sampleRateHz: number) => VoiceActivityDetector
> {
  const [rnnoise, fvad] = await Promise.all([createRnnoise(), createFvad()]);
  return (sampleRateHz) => new GatedRnnoise(rnnoise, fvad, sampleRateHz);
}

/**
 * RNNoise's voice probability, looked at only while the line is louder than its noise and
 * the WebRTC detector hears something: 1.6 % of a core while somebody speaks, 0.02 % else.
 */
class GatedRnnoise implements VoiceActivityDetector {
  readonly name = 'embedded';
  readonly #rnnoise: Rnnoise;
  readonly #fvad: Fvad;
  readonly #state: number;
  readonly #in: number;
  readonly #out: number;
  readonly #hint: number;
  readonly #hintIn: number;
  readonly #upsampling: number;
  readonly #floor = new NoiseFloor();
  readonly #recent: Int16Array[] = [];
  #openFrames = 0;
  #lastSample = 0;
  #isClosed = false;

  constructor(rnnoise: Rnnoise, fvad: Fvad, sampleRateHz: number) {
    this.#rnnoise = rnnoise;
    this.#fvad = fvad;
    this.#upsampling = RNNOISE_RATE_HZ / sampleRateHz;
    if (!Number.isInteger(this.#upsampling)) throw new TypeError(`rate of ${sampleRateHz} Hz`);
    this.#state = rnnoise._rnnoise_create(0);
    this.#in = rnnoise._malloc(RNNOISE_SAMPLES * 4);
    this.#out = rnnoise._malloc(RNNOISE_SAMPLES * 4);
    this.#hint = fvad._fvad_new();
    this.#hintIn = fvad._malloc((sampleRateHz / 50) * 2);
    fvad._fvad_set_mode(this.#hint, FVAD_MODE);
    fvad._fvad_set_sample_rate(this.#hint, sampleRateHz);
  }

  process({ samples }: AudioFrame): number {
    const dbfs = levelDbfs(samples);
    const isAudible = dbfs > AUDIBLE_DBFS && dbfs > this.#floor.update(dbfs) + ABOVE_NOISE_DB;
    this.#fvad.HEAP16.set(samples, this.#hintIn >> 1);
    const hint = this.#fvad._fvad_process(this.#hint, this.#hintIn, samples.length);
    const wasOpen = this.#openFrames > 0;
    // The hint comes a frame late at times, so loudness alone opens the gate too.
    if (isAudible || (hint === 1 && dbfs > AUDIBLE_DBFS)) this.#openFrames = STAY_OPEN_FRAMES;
    else this.#openFrames = Math.max(0, this.#openFrames - 1);
    if (this.#openFrames === 0) {
      this.#remember(samples);
      return 0;
    }
    if (!wasOpen) for (const earlier of this.#recent.splice(0)) this.#look(earlier);
    const probability = this.#look(samples);
    return dbfs > AUDIBLE_DBFS ? probability : 0;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#rnnoise._rnnoise_destroy(this.#state);
    this.#rnnoise._free(this.#in);
    this.#rnnoise._free(this.#out);
    this.#fvad._fvad_free(this.#hint);
    this.#fvad._free(this.#hintIn);
  }

  #remember(samples: Int16Array): void {
    const oldest = this.#recent.length < WARM_UP_FRAMES ? null : this.#recent.shift();
    const copy = oldest?.length === samples.length ? oldest : new Int16Array(samples.length);
    copy.set(samples);
    this.#recent.push(copy);
  }

  /** The higher of the probabilities of the frame's two halves. */
  #look(samples: Int16Array): number {
    const perHalf = RNNOISE_SAMPLES / this.#upsampling;
    let highest = 0;
    for (let start = 0; start + perHalf <= samples.length; start += perHalf) {
      this.#upsample(samples, start, perHalf);
      const probability = this.#rnnoise._rnnoise_process_frame(this.#state, this.#out, this.#in);
      highest = Math.max(highest, probability);
    }
    return highest;
  }

  /** Straight lines between the samples: what they add lies above the voice. */
  #upsample(samples: Int16Array, start: number, count: number): void {
    const heap = this.#rnnoise.HEAPF32;
    let at = this.#in >> 2;
    for (let i = start; i < start + count; i += 1) {
      const sample = samples[i] ?? 0;
      const step = (sample - this.#lastSample) / this.#upsampling;
      for (let k = 1; k <= this.#upsampling; k += 1) {
        heap[at] = this.#lastSample + step * k;
        at += 1;
      }
      this.#lastSample = sample;
    }
  }
}
