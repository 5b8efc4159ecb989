import type { AudioDecoder, AudioEncoder } from './audio-codec.ts';

export const OPUS_FORMAT = 'opus/48000/2';
export const OPUS_CLOCK_RATE_HZ = 48000;
/** Speech is handed on at this rate, so the decoder resamples for us at no cost. */
export const OPUS_DECODE_RATE_HZ = 16000;
/** Longest packet (RFC 6716 §3.2.5): 120 ms. */
export const OPUS_PACKET_MS_MAX = 120;

export type OpusEncodeRateHz = 16000 | 24000 | 48000;
export type OpusEngineChoice = 'auto' | 'native' | 'wasm' | 'none';

/** A loaded libopus. Mono, 20 ms, restricted low delay (CELT): cheapest by far for speech from a TTS. */
export interface OpusCodec {
  readonly name: 'native' | 'wasm';
  createEncoder(sampleRateHz: OpusEncodeRateHz): Promise<AudioEncoder>;
  createDecoder(): Promise<AudioDecoder>;
}

/** Bit rates that keep a telephone voice clean in CELT. */
export const OPUS_BITS_PER_SECOND: Record<OpusEncodeRateHz, number> = {
  16000: 28_000,
  24000: 32_000,
  48000: 40_000,
};

export const OPUS_COMPLEXITY_DEFAULT = 3;

/** A CELT frame whose silence flag is set; TOC of wideband, 20 ms, mono (RFC 6716 §3.1, §4.3). */
export const OPUS_SILENCE: Uint8Array = Buffer.from([0xb8, 0xff, 0xfe]);

/** Every CTL we ever use. All of them set something: a GET would write to a wild pointer. */
export const OPUS_SET = {
  application: 4000,
  bitrate: 4002,
  complexity: 4010,
  predictionDisabled: 4042,
} as const;
export const OPUS_APPLICATION_LOWDELAY = 2051;

/**
 * Duration of a packet in milliseconds by its TOC and frame count (RFC 6716 §3.1, §3.2), or 0
 * when it is not a packet a decoder may see.
 *
 *     0 1 2 3 4 5 6 7
 *    +-+-+-+-+-+-+-+-+
 *    | config  |s| c |
 *    +-+-+-+-+-+-+-+-+
 */
export function opusPacketMs(packet: Uint8Array, start: number, end: number): number {
  if (end <= start) return 0;
  const toc = packet[start]!;
  const frames = opusFrameCount(packet, start, end);
  const total = frames * opusFrameMs(toc >> 3);
  return total <= OPUS_PACKET_MS_MAX ? total : 0;
}

function opusFrameCount(packet: Uint8Array, start: number, end: number): number {
  switch (packet[start]! & 3) {
    case 0:
      return 1;
    case 1:
    case 2:
      return 2;
    default:
      return end - start >= 2 ? packet[start + 1]! & 0x3f : 0;
  }
}

function opusFrameMs(config: number): number {
  if (config >= 16) return 2.5 * 2 ** (config & 3);
  if (config >= 12) return (config & 1) === 0 ? 10 : 20;
  return [10, 20, 40, 60][config & 3]!;
}
