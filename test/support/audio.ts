import { readFileSync, writeFileSync } from 'node:fs';

export interface Pcm {
  readonly samples: Int16Array;
  readonly sampleRateHz: number;
}

/** Reads 16-bit PCM WAV; of several channels the first. */
export function readWav(path: string): Pcm {
  const file = readFileSync(path);
  if (file.toString('latin1', 0, 4) !== 'RIFF') throw new Error(`${path} is not a WAV file`);
  let sampleRateHz = 0;
  let channels = 1;
  for (let at = 12; at + 8 <= file.length; ) {
    const name = file.toString('latin1', at, at + 4);
    const size = file.readUInt32LE(at + 4);
    const body = at + 8;
    if (name === 'fmt ') {
      channels = file.readUInt16LE(body + 2);
      sampleRateHz = file.readUInt32LE(body + 4);
      if (file.readUInt16LE(body + 14) !== 16) throw new Error(`${path} is not 16-bit`);
    } else if (name === 'data') {
      const end = Math.min(file.length, body + size);
      const samples = new Int16Array(Math.floor((end - body) / 2 / channels));
      for (let index = 0; index < samples.length; index += 1) {
        samples[index] = file.readInt16LE(body + index * 2 * channels);
      }
      return { samples, sampleRateHz };
    }
    at = body + size + (size % 2);
  }
  throw new Error(`${path} has no audio`);
}

export function writeWav(path: string, { samples, sampleRateHz }: Pcm): void {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + samples.length * 2, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRateHz, 24);
  header.writeUInt32LE(sampleRateHz * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples.length * 2, 40);
  const body = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, index) => body.writeInt16LE(sample, index * 2));
  writeFileSync(path, Buffer.concat([header, body]));
}

/** A sine; `startSample` keeps the phase when it is made in pieces. */
export function tone(
  frequencyHz: number,
  sampleRateHz: number,
  ms: number,
  amplitude = 8000,
  startSample = 0,
): Int16Array {
  const step = (2 * Math.PI * frequencyHz) / sampleRateHz;
  return Int16Array.from({ length: Math.round((sampleRateHz * ms) / 1000) }, (_, index) =>
    Math.round(amplitude * Math.sin(step * (index + startSample))),
  );
}

export function rms(samples: Int16Array): number {
  let energy = 0;
  for (const sample of samples) energy += sample * sample;
  return samples.length === 0 ? 0 : Math.sqrt(energy / samples.length);
}

/** Amplitude of one frequency in the samples (Goertzel): a sine of 8000 gives about 8000. */
export function amplitudeAt(
  frequencyHz: number,
  samples: Int16Array,
  sampleRateHz: number,
): number {
  const angle = (2 * Math.PI * frequencyHz) / sampleRateHz;
  const coefficient = 2 * Math.cos(angle);
  let before = 0;
  let last = 0;
  for (const sample of samples) {
    const next = sample + coefficient * last - before;
    before = last;
    last = next;
  }
  const real = last - before * Math.cos(angle);
  const imaginary = before * Math.sin(angle);
  return samples.length === 0 ? 0 : (2 * Math.hypot(real, imaginary)) / samples.length;
}

/** Signal to noise in dB of `got` against a sine of unknown level and phase. */
export function toneSnrDb(frequencyHz: number, got: Int16Array, sampleRateHz: number): number {
  const signal = amplitudeAt(frequencyHz, got, sampleRateHz) ** 2 / 2;
  const noise = Math.max(1e-9, rms(got) ** 2 - signal);
  return 10 * Math.log10(signal / noise);
}

export function concat(parts: readonly Int16Array[]): Int16Array {
  const out = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
