import { createDecoder, createEncoder } from 'libopus-wasm';
import { assertNever } from '../../src/lib/assert-never.ts';
import { G722Coder, G722Reader } from '../../src/media/codec/g722.ts';
import type { CodecName } from '../../src/model/media.ts';

/** A test telephone's codec, written apart from the gateway's own. 20 ms frames. */
export interface PhoneCodec {
  readonly name: CodecName;
  /** As in `a=rtpmap`. */
  readonly rtpmap: string;
  readonly payloadType: number;
  readonly sampleRateHz: number;
  /** RTP clock units in 20 ms. */
  readonly frameTicks: number;
  encode(frame: Int16Array): Uint8Array;
  decode(payload: Uint8Array): Int16Array;
  close(): void;
}

export async function openPhoneCodec(name: CodecName): Promise<PhoneCodec> {
  switch (name) {
    case 'pcmu':
      return g711('pcmu', 'PCMU/8000', 0, encodeMulaw, decodeMulaw);
    case 'pcma':
      return g711('pcma', 'PCMA/8000', 8, encodeAlaw, decodeAlaw);
    case 'opus':
      return openOpus();
    case 'g722':
      return g722();
    default:
      return assertNever(name);
  }
}

function g711(
  name: CodecName,
  rtpmap: string,
  payloadType: number,
  encode: (sample: number) => number,
  decode: (code: number) => number,
): PhoneCodec {
  return {
    name,
    rtpmap,
    payloadType,
    sampleRateHz: 8000,
    frameTicks: 160,
    encode: (frame) => Uint8Array.from(frame, encode),
    decode: (payload) => Int16Array.from(payload, decode),
    close: () => {},
  };
}

/** The gateway's own coder: that it gives the same bits as ffmpeg's has a test of its own. */
function g722(): PhoneCodec {
  const [coder, reader] = [new G722Coder(), new G722Reader()];
  return {
    name: 'g722',
    rtpmap: 'G722/8000',
    payloadType: 9,
    sampleRateHz: 16_000,
    frameTicks: 160,
    encode: (frame) => {
      const bytes = new Uint8Array(frame.length / 2);
      coder.encode(frame, bytes);
      return bytes;
    },
    decode: (payload) => {
      const samples = new Int16Array(payload.length * 2);
      reader.decode(payload, 0, payload.length, samples);
      return samples;
    },
    close: () => {},
  };
}

async function openOpus(): Promise<PhoneCodec> {
  const encoder = await createEncoder({
    sampleRate: 16000,
    channels: 1,
    application: 2048,
    bitrate: 32_000,
    complexity: 3,
    frameSize: 320,
    fec: true,
    packetLossPercent: 5,
  });
  const decoder = await createDecoder({ sampleRate: 16000, channels: 1 });
  return {
    name: 'opus',
    rtpmap: 'opus/48000/2',
    payloadType: 111,
    sampleRateHz: 16000,
    frameTicks: 960,
    encode: (frame) => encoder.encode(frame),
    decode: (payload) => decoder.decode(payload),
    close: () => {
      encoder.free();
      decoder.free();
    },
  };
}

/** G.711 on its 14-bit scale: magnitude plus 33 lies in segment s when it is 32 to 64 times 2^s. */
export function encodeMulaw(sample: number): number {
  const biased = Math.min(8158, Math.abs(sample) >> 2) + 33;
  const segment = Math.floor(Math.log2(biased / 32));
  const interval = Math.floor((biased - 32 * 2 ** segment) / (2 * 2 ** segment));
  return 0xff - ((sample < 0 ? 0x80 : 0) + segment * 16 + interval);
}

export function decodeMulaw(code: number): number {
  const bits = 0xff - code;
  const segment = (bits >> 4) & 7;
  const magnitude = ((2 * (bits & 15) + 33) * 2 ** segment - 33) * 4;
  return bits >= 0x80 ? -magnitude : magnitude;
}

/** A-law: the first 256 values in steps of 16, then each octave in 16 steps; even bits inverted. */
export function encodeAlaw(sample: number): number {
  const magnitude = sample < 0 ? -sample - 1 : sample;
  const segment = magnitude < 256 ? 0 : Math.floor(Math.log2(magnitude / 128));
  const start = segment === 0 ? 0 : 128 * 2 ** segment;
  const step = segment === 0 ? 16 : 8 * 2 ** segment;
  const code = segment * 16 + Math.floor((magnitude - start) / step);
  return (code + (sample < 0 ? 0 : 0x80)) ^ 0x55;
}

export function decodeAlaw(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits >> 4) & 7;
  const step = segment === 0 ? 16 : 8 * 2 ** segment;
  const start = segment === 0 ? 0 : 128 * 2 ** segment;
  const magnitude = start + ((bits & 15) + 0.5) * step;
  return bits >= 0x80 ? magnitude : -magnitude;
}
