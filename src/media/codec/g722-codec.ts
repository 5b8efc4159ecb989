import { type AudioDecoder, type AudioEncoder, FRAMES_PER_SECOND } from './audio-codec.ts';
import { G722_SAMPLES_MAX, G722_SILENCE, G722Coder, G722Reader } from './g722.ts';
import { WaveformConcealment } from './waveform-concealment.ts';

const SAMPLE_RATE_HZ = 16_000;
const FRAME_SAMPLES = SAMPLE_RATE_HZ / FRAMES_PER_SECOND;
const SAMPLES_PER_BYTE = 2;
const FRAME_BYTES = FRAME_SAMPLES / SAMPLES_PER_BYTE;
/**
 * ITU-T G.722, the wideband voice of desk telephones. Its RTP clock says 8000 though it samples
 * at 16 kHz: an old mistake that RFC 3551 §4.5.2 keeps.
 */
export class G722Decoder implements AudioDecoder {
  readonly sampleRateHz = SAMPLE_RATE_HZ;
  readonly #reader = new G722Reader();
  readonly #concealment = new WaveformConcealment(SAMPLE_RATE_HZ);
  readonly #pcm = new Int16Array(G722_SAMPLES_MAX);
  readonly #frame = this.#pcm.subarray(0, FRAME_SAMPLES);

  decode(packet: Buffer, start: number, end: number): Int16Array | null {
    const samples = (end - start) * SAMPLES_PER_BYTE;
    if (samples <= 0 || samples > G722_SAMPLES_MAX) return null;
    const pcm = samples === FRAME_SAMPLES ? this.#frame : this.#pcm.subarray(0, samples);
    this.#reader.decode(packet, start, end, pcm);
    this.#concealment.onGoodFrame(pcm);
    return pcm;
  }

  /** The predictors wait meanwhile: they forget what they missed within some milliseconds. */
  conceal(): Int16Array {
    return this.#concealment.conceal();
  }

  close(): void {}
}

export class G722Encoder implements AudioEncoder {
  readonly sampleRateHz = SAMPLE_RATE_HZ;
  readonly format = 'G722/8000';
  readonly isCheap = false;
  readonly silence = Buffer.alloc(FRAME_BYTES, G722_SILENCE);
  readonly #coder = new G722Coder();

  /** An utterance follows frames of silence, which brought the far side's predictors to rest. */
  encode(pcm: Int16Array, isFirst: boolean): Uint8Array {
    if (isFirst) this.#coder.reset();
    const out = Buffer.allocUnsafe(pcm.length / SAMPLES_PER_BYTE);
    this.#coder.encode(pcm, out);
    return out;
  }

  setComplexity(): void {}

  close(): void {}
}
