/** ITU-T G.711 by table. Sign, 3 bits of exponent, 4 of mantissa; A-law inverts even bits, µ-law all. */

const MULAW_BIAS = 0x84;
const MULAW_CLIP = 32635;

export const MULAW_TO_LINEAR = Int16Array.from({ length: 256 }, (_, code) => decodeMulaw(code));
export const ALAW_TO_LINEAR = Int16Array.from({ length: 256 }, (_, code) => decodeAlaw(code));
/** Indexed by the sample as an unsigned 16-bit number. */
export const LINEAR_TO_MULAW = Uint8Array.from({ length: 65536 }, (_, bits) =>
  encodeMulaw((bits << 16) >> 16),
);
export const LINEAR_TO_ALAW = Uint8Array.from({ length: 65536 }, (_, bits) =>
  encodeAlaw((bits << 16) >> 16),
);

export const MULAW_SILENCE = 0xff;
export const ALAW_SILENCE = 0xd5;

function decodeMulaw(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + MULAW_BIAS) << ((bits & 0x70) >> 4)) - MULAW_BIAS;
  return (bits & 0x80) !== 0 ? -magnitude : magnitude;
}

function encodeMulaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), MULAW_CLIP) + MULAW_BIAS;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

function decodeAlaw(code: number): number {
  const bits = code ^ 0x55;
  const exponent = (bits & 0x70) >> 4;
  const mantissa = (bits & 0x0f) << 4;
  const magnitude = exponent === 0 ? mantissa + 8 : (mantissa + 0x108) << (exponent - 1);
  return (bits & 0x80) !== 0 ? magnitude : -magnitude;
}

function encodeAlaw(sample: number): number {
  const isPositive = sample >= 0;
  // The 13-bit input of the recommendation: negative values are ones' complement.
  const magnitude = (isPositive ? sample : ~sample) >> 3;
  const exponent = magnitude < 32 ? 0 : 31 - Math.clz32(magnitude) - 4;
  const mantissa = (exponent === 0 ? magnitude >> 1 : magnitude >> exponent) & 0x0f;
  return ((exponent << 4) | mantissa | (isPositive ? 0x80 : 0)) ^ 0x55;
}
