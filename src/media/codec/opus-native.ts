import type { OpusEncoder as NativeOpus } from '@discordjs/opus';
import { type AudioDecoder, type AudioEncoder, FRAMES_PER_SECOND } from './audio-codec.ts';
import {
  OPUS_APPLICATION_LOWDELAY,
  OPUS_BITS_PER_SECOND,
  OPUS_COMPLEXITY_DEFAULT,
  OPUS_DECODE_RATE_HZ,
  OPUS_FORMAT,
  OPUS_SET,
  OPUS_SILENCE,
  type OpusCodec,
  type OpusEncodeRateHz,
  opusPacketMs,
} from './opus-codec.ts';

type OpusConstructor = typeof NativeOpus;

/** 20 ms, wideband, CELT: what is concealed when nothing was ever received. */
const FIRST_TOC = 0xb8;

/** The addon, guarded: what it does with arguments it dislikes is to end the process. */
export function nativeOpus(Opus: OpusConstructor): OpusCodec {
  return {
    name: 'native',
    createEncoder: async (sampleRateHz) => new NativeOpusEncoder(Opus, sampleRateHz),
    createDecoder: async () => new NativeOpusDecoder(Opus),
  };
}

class NativeOpusEncoder implements AudioEncoder {
  readonly sampleRateHz: OpusEncodeRateHz;
  readonly format = OPUS_FORMAT;
  readonly isCheap = false;
  readonly silence = OPUS_SILENCE;
  readonly #opus: NativeOpus;
  readonly #input: Int16Array;
  readonly #inputBytes: Buffer;
  #complexity = OPUS_COMPLEXITY_DEFAULT;
  #isPredictionDisabled = false;

  constructor(Opus: OpusConstructor, sampleRateHz: OpusEncodeRateHz) {
    this.sampleRateHz = sampleRateHz;
    this.#opus = new Opus(sampleRateHz, 1);
    // The application can only be chosen before the first frame.
    this.#opus.applyEncoderCTL(OPUS_SET.application, OPUS_APPLICATION_LOWDELAY);
    this.#opus.applyEncoderCTL(OPUS_SET.bitrate, OPUS_BITS_PER_SECOND[sampleRateHz]);
    this.#opus.applyEncoderCTL(OPUS_SET.complexity, this.#complexity);
    this.#input = new Int16Array(sampleRateHz / FRAMES_PER_SECOND);
    this.#inputBytes = Buffer.from(this.#input.buffer);
  }

  /** A frame of any other length throws here, as the addon would abort the process. */
  encode(pcm: Int16Array, isFirst: boolean): Uint8Array {
    if (pcm.length !== this.#input.length) {
      throw new RangeError(`an Opus frame has ${this.#input.length} samples, not ${pcm.length}`);
    }
    if (isFirst !== this.#isPredictionDisabled) {
      this.#opus.applyEncoderCTL(OPUS_SET.predictionDisabled, isFirst ? 1 : 0);
      this.#isPredictionDisabled = isFirst;
    }
    // Always the same buffer of the right length: nothing else ever reaches the addon.
    this.#input.set(pcm);
    return this.#opus.encode(this.#inputBytes);
  }

  setComplexity(complexity: number): void {
    if (complexity === this.#complexity) return;
    this.#complexity = complexity;
    this.#opus.applyEncoderCTL(OPUS_SET.complexity, complexity);
  }

  /** Its memory is freed with the object. */
  close(): void {}
}

class NativeOpusDecoder implements AudioDecoder {
  readonly sampleRateHz = OPUS_DECODE_RATE_HZ;
  readonly #opus: NativeOpus;
  /** A lone TOC byte makes the decoder conceal exactly the frame it names; empty, it makes 120 ms. */
  readonly #lostFrame = Buffer.from([FIRST_TOC]);

  constructor(Opus: OpusConstructor) {
    this.#opus = new Opus(OPUS_DECODE_RATE_HZ, 1);
  }

  decode(packet: Buffer, start: number, end: number): Int16Array | null {
    if (opusPacketMs(packet, start, end) === 0) return null;
    const pcm = this.#run(packet.subarray(start, end));
    // One frame per packet, whatever the packet said.
    if (pcm !== null) this.#lostFrame[0] = packet[start]! & 0xfc;
    return pcm;
  }

  conceal(): Int16Array {
    const frameSamples = OPUS_DECODE_RATE_HZ / FRAMES_PER_SECOND;
    return this.#run(this.#lostFrame) ?? new Int16Array(frameSamples);
  }

  #run(packet: Buffer): Int16Array | null {
    try {
      const pcm = this.#opus.decode(packet);
      return new Int16Array(pcm.buffer, pcm.byteOffset, pcm.byteLength >> 1);
    } catch {
      return null;
    }
  }

  close(): void {}
}
