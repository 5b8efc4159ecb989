import { type AudioDecoder, type AudioEncoder, FRAMES_PER_SECOND } from './audio-codec.ts';
import {
  ALAW_SILENCE,
  ALAW_TO_LINEAR,
  LINEAR_TO_ALAW,
  LINEAR_TO_MULAW,
  MULAW_SILENCE,
  MULAW_TO_LINEAR,
} from './g711.ts';
import { WaveformConcealment } from './waveform-concealment.ts';

const SAMPLE_RATE_HZ = 8000;
const FRAME_SAMPLES = SAMPLE_RATE_HZ / FRAMES_PER_SECOND;
/** Longest packet we take: 120 ms. */
const PACKET_SAMPLES_MAX = 960;

export type G711Law = 'pcmu' | 'pcma';

export class G711Decoder implements AudioDecoder {
  readonly sampleRateHz = SAMPLE_RATE_HZ;
  readonly #table: Int16Array;
  readonly #concealment = new WaveformConcealment(SAMPLE_RATE_HZ);
  readonly #pcm = new Int16Array(PACKET_SAMPLES_MAX);
  readonly #frame = this.#pcm.subarray(0, FRAME_SAMPLES);

  constructor(law: G711Law) {
    this.#table = law === 'pcmu' ? MULAW_TO_LINEAR : ALAW_TO_LINEAR;
  }

  decode(packet: Buffer, start: number, end: number): Int16Array | null {
    const length = end - start;
    if (length <= 0 || length > PACKET_SAMPLES_MAX) return null;
    const table = this.#table;
    const pcm = length === FRAME_SAMPLES ? this.#frame : this.#pcm.subarray(0, length);
    for (let index = 0; index < length; index += 1) pcm[index] = table[packet[start + index]!]!;
    this.#concealment.onGoodFrame(pcm);
    return pcm;
  }

  conceal(): Int16Array {
    return this.#concealment.conceal();
  }

  close(): void {}
}

export class G711Encoder implements AudioEncoder {
  readonly sampleRateHz = SAMPLE_RATE_HZ;
  readonly format: string;
  readonly isCheap = true;
  readonly silence: Uint8Array;
  readonly #table: Uint8Array;

  constructor(law: G711Law) {
    this.format = law === 'pcmu' ? 'PCMU/8000' : 'PCMA/8000';
    this.#table = law === 'pcmu' ? LINEAR_TO_MULAW : LINEAR_TO_ALAW;
    this.silence = Buffer.alloc(FRAME_SAMPLES, law === 'pcmu' ? MULAW_SILENCE : ALAW_SILENCE);
  }

  encode(pcm: Int16Array): Uint8Array {
    const table = this.#table;
    const out = Buffer.allocUnsafe(pcm.length);
    for (let index = 0; index < pcm.length; index += 1) out[index] = table[pcm[index]! & 0xffff]!;
    return out;
  }

  setComplexity(): void {}

  close(): void {}
}
