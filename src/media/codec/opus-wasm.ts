import type { OpusDecoderHandle, OpusEncoderHandle } from 'libopus-wasm';
import { type AudioDecoder, type AudioEncoder, FRAMES_PER_SECOND } from './audio-codec.ts';
import {
  OPUS_APPLICATION_LOWDELAY,
  OPUS_BITS_PER_SECOND,
  OPUS_COMPLEXITY_DEFAULT,
  OPUS_DECODE_RATE_HZ,
  OPUS_FORMAT,
  OPUS_PACKET_MS_MAX,
  OPUS_SET,
  OPUS_SILENCE,
  type OpusCodec,
  opusPacketMs,
} from './opus-codec.ts';

type LibopusWasm = typeof import('libopus-wasm');

const FRAME_SAMPLES = OPUS_DECODE_RATE_HZ / FRAMES_PER_SECOND;

/** libopus as WebAssembly: half as fast as the addon, needs no compiler, and can use in-band FEC. */
export function wasmOpus(libopus: LibopusWasm): OpusCodec {
  return {
    name: 'wasm',
    createEncoder: async (sampleRateHz) =>
      new WasmOpusEncoder(
        await libopus.createEncoder({
          sampleRate: sampleRateHz,
          channels: 1,
          application: OPUS_APPLICATION_LOWDELAY,
          bitrate: OPUS_BITS_PER_SECOND[sampleRateHz],
          complexity: OPUS_COMPLEXITY_DEFAULT,
          frameSize: sampleRateHz / FRAMES_PER_SECOND,
        }),
      ),
    createDecoder: async () =>
      new WasmOpusDecoder(
        await libopus.createDecoder({
          sampleRate: OPUS_DECODE_RATE_HZ,
          channels: 1,
          maxFrameSize: (OPUS_DECODE_RATE_HZ * OPUS_PACKET_MS_MAX) / 1000,
        }),
      ),
  };
}

class WasmOpusEncoder implements AudioEncoder {
  readonly sampleRateHz: number;
  readonly format = OPUS_FORMAT;
  readonly isCheap = false;
  readonly silence = OPUS_SILENCE;
  readonly #opus: OpusEncoderHandle;
  #complexity = OPUS_COMPLEXITY_DEFAULT;
  #isPredictionDisabled = false;

  constructor(opus: OpusEncoderHandle) {
    this.#opus = opus;
    this.sampleRateHz = opus.sampleRate;
  }

  encode(pcm: Int16Array, isFirst: boolean): Uint8Array {
    if (isFirst !== this.#isPredictionDisabled) {
      this.#opus.encoderCtl(OPUS_SET.predictionDisabled, isFirst ? 1 : 0);
      this.#isPredictionDisabled = isFirst;
    }
    return this.#opus.encode(pcm);
  }

  setComplexity(complexity: number): void {
    if (complexity === this.#complexity) return;
    this.#complexity = complexity;
    this.#opus.setComplexity(complexity);
  }

  close(): void {
    this.#opus.free();
  }
}

class WasmOpusDecoder implements AudioDecoder {
  readonly sampleRateHz = OPUS_DECODE_RATE_HZ;
  readonly #opus: OpusDecoderHandle;

  constructor(opus: OpusDecoderHandle) {
    this.#opus = opus;
  }

  decode(packet: Buffer, start: number, end: number): Int16Array | null {
    if (opusPacketMs(packet, start, end) === 0) return null;
    try {
      return this.#opus.decode(packet.subarray(start, end));
    } catch {
      return null;
    }
  }

  conceal(next: Buffer | null, nextStart: number, nextEnd: number): Int16Array {
    try {
      if (next !== null && opusPacketMs(next, nextStart, nextEnd) > 0) {
        const options = { decodeFec: true, frameSize: FRAME_SAMPLES };
        return this.#opus.decode(next.subarray(nextStart, nextEnd), options);
      }
      return this.#opus.decodePacketLoss(FRAME_SAMPLES);
    } catch {
      return new Int16Array(FRAME_SAMPLES);
    }
  }

  close(): void {
    this.#opus.free();
  }
}
