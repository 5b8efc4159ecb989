// oxlint-disable no-underscore-dangle -- The names are Emscripten's.
import createFvad from '@echogarden/fvad-wasm';
import createRnnoise from '@echogarden/rnnoise-wasm';
import type { AudioFrame } from '../../model/audio.ts';
import { levelDbfs, NoiseFloor } from '../level.ts';
import type { VoiceActivityDetector } from '../provider.ts';
import { isTone } from './embedded/tonality.ts';

const RNNOISE_RATE_HZ = 48_000;
const RNNOISE_SAMPLES = 480;
const TONE_RATE_HZ = 8000;
/** 3 is the one that says "speech" least. */
const FVAD_MODE = 3;
/** Below this nobody is understood. */
const AUDIBLE_DBFS = -55;
/** Over the noise of the line: for the costly look, and with a hint of the cheap detector. */
const ABOVE_NOISE_DB = 6;
const HINTED_ABOVE_NOISE_DB = 3;
/** Frames of the past that warm the network up before a look after none. */
const WARM_UP_FRAMES = 3;
/** After a gap within a voice one is enough: the network remembers the rest. */
const REFRESH_FRAMES = 1;
/** Frames that are looked at after the last that was worth it. */
const STAY_OPEN_FRAMES = 4;
/** Frames in a row that the network is sure of, before the cheap detector is believed. */
const SURE_FRAMES = 3;
const SURE_PROBABILITY = 0.8;
/** A voice that pauses no longer than this needs one such frame only. */
const SAME_VOICE_FRAMES = 25;
/** Then it is believed for this long, while the voice stays this loud. */
const BELIEVED_FRAMES = 8;
const BELIEVED_BELOW_VOICE_DB = 10;
/** After so many looks in vain at something this steady, it is the line's noise. */
const NOISE_LOOKS = 15;
const STEADY_DB = 3;
const NOISE_PROBABILITY = 0.3;
/** A tone that lasts is not looked at any more. */
const TONE_FRAMES = 50;

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
 * RNNoise's voice probability. A look costs 1.6 % of a core while it lasts, so it is taken only
 * when it can tell something: while the line is louder than its noise, and in a voice only now
 * and then, as long as the WebRTC detector (0.02 %) hears it go on as loud as before.
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
  readonly #toneStep: number;
  readonly #floor = new NoiseFloor();
  readonly #recent: Int16Array[] = [];
  /** Frames since the last look. */
  #unseenFrames = WARM_UP_FRAMES;
  #openFrames = 0;
  #sureFrames = 0;
  #sameVoiceFrames = 0;
  #believedFrames = 0;
  #toneFrames = 0;
  /** Looks in a row that saw no voice at all. */
  #noiseLooks = 0;
  #noiseDbfs = 0;
  /** Loudness of the voice lately. */
  #voiceDbfs = 0;
  #lastSample = 0;
  #isClosed = false;

  constructor(rnnoise: Rnnoise, fvad: Fvad, sampleRateHz: number) {
    this.#rnnoise = rnnoise;
    this.#fvad = fvad;
    this.#upsampling = RNNOISE_RATE_HZ / sampleRateHz;
    if (!Number.isInteger(this.#upsampling)) throw new TypeError(`rate of ${sampleRateHz} Hz`);
    this.#toneStep = Math.max(1, Math.floor(sampleRateHz / TONE_RATE_HZ));
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
    const isNoise = this.#isNoise(dbfs);
    this.#sameVoiceFrames = Math.max(0, this.#sameVoiceFrames - 1);
    const aboveNoiseDb = dbfs - this.#floor.update(dbfs, isNoise);
    this.#fvad.HEAP16.set(samples, this.#hintIn >> 1);
    const isHinted = this.#fvad._fvad_process(this.#hint, this.#hintIn, samples.length) === 1;
    const probability = this.#probability(samples, dbfs, aboveNoiseDb, isHinted);
    if (this.#unseenFrames > 0) this.#remember(samples);
    return probability;
  }

  /** Loudness that stays, and was looked at in vain. */
  #isNoise(dbfs: number): boolean {
    const isSteady = Math.abs(dbfs - this.#noiseDbfs) < STEADY_DB;
    this.#noiseDbfs = isSteady ? this.#noiseDbfs + (dbfs - this.#noiseDbfs) / 8 : dbfs;
    if (!isSteady) this.#noiseLooks = 0;
    return this.#noiseLooks >= NOISE_LOOKS;
  }

  #probability(samples: Int16Array, dbfs: number, aboveNoiseDb: number, isHinted: boolean): number {
    // The hint comes a frame late at times, so loudness alone opens the gate too.
    const isWorthALook =
      aboveNoiseDb > ABOVE_NOISE_DB || (isHinted && aboveNoiseDb > HINTED_ABOVE_NOISE_DB);
    this.#openFrames = isWorthALook ? STAY_OPEN_FRAMES : Math.max(0, this.#openFrames - 1);
    if (dbfs <= AUDIBLE_DBFS || this.#openFrames === 0) return this.#unseen();
    this.#toneFrames = isTone(samples, this.#toneStep) ? this.#toneFrames + 1 : 0;
    if (this.#toneFrames > TONE_FRAMES) return this.#unseen();
    const isAsLoud = dbfs > this.#voiceDbfs - BELIEVED_BELOW_VOICE_DB;
    if (isHinted && isAsLoud && this.#believedFrames > 0 && this.#toneFrames === 0) {
      this.#believedFrames -= 1;
      this.#unseenFrames += 1;
      return SURE_PROBABILITY;
    }
    return this.#looked(samples, dbfs);
  }

  /** Nothing to look at: whatever was believed of the voice is over. */
  #unseen(): number {
    this.#unseenFrames += 1;
    this.#sureFrames = 0;
    this.#believedFrames = 0;
    return 0;
  }

  #looked(samples: Int16Array, dbfs: number): number {
    const isSameVoice = this.#sameVoiceFrames > 0;
    const wanted = isSameVoice ? REFRESH_FRAMES : WARM_UP_FRAMES;
    const earlier = Math.min(wanted, this.#unseenFrames, this.#recent.length);
    for (const frame of this.#recent.slice(this.#recent.length - earlier)) this.#look(frame);
    this.#recent.length = 0;
    this.#unseenFrames = 0;
    const seen = this.#look(samples);
    const probability = this.#toneFrames > 0 ? 0 : seen;
    if (probability >= NOISE_PROBABILITY) this.#noiseLooks = 0;
    else this.#noiseLooks += 1;
    const isSure = probability >= SURE_PROBABILITY;
    if (isSure) this.#voiceDbfs = this.#sureFrames === 0 ? dbfs : (this.#voiceDbfs + dbfs) / 2;
    this.#sureFrames = isSure ? this.#sureFrames + 1 : 0;
    const isEnough = this.#sureFrames >= (isSameVoice ? 1 : SURE_FRAMES);
    if (isEnough) this.#sameVoiceFrames = SAME_VOICE_FRAMES;
    this.#believedFrames = isEnough ? BELIEVED_FRAMES : 0;
    return probability;
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
