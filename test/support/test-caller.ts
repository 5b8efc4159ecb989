import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FLITE = '/usr/bin/flite';

/** The Debian package `flite`; without it there is nobody to call. */
export const hasTestCaller = existsSync(FLITE);

export type CallerVoice = 'rms' | 'slt' | 'awb';

const spoken = new Map<string, Int16Array>();

/** A sentence as a telephone line carries it: 8 kHz, 300 to 3400 Hz, through G.711 µ-law. */
export function callerSays(text: string, voice: CallerVoice = 'rms'): Int16Array {
  const key = `${voice} ${text}`;
  const known = spoken.get(key);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'caller-'));
  try {
    const file = join(folder, 'speech.wav');
    execFileSync(FLITE, ['-voice', voice, '-t', text, '-o', file], { stdio: 'ignore' });
    const line = telephone(readWav(file));
    spoken.set(key, line);
    return line;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Silence of a line that is not quite silent: noise at about -75 dBFS. */
export function lineSilence(ms: number): Int16Array {
  let seed = 12_345;
  return Int16Array.from({ length: ms * 8 }, () => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return (seed % 17) - 8;
  });
}

/** One after the other. */
export function joined(...parts: readonly Int16Array[]): Int16Array {
  const all = new Int16Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Where the voice really begins and ends, by loudness, in milliseconds. */
export function voiceSpan(samples: Int16Array): { startMs: number; endMs: number } {
  let [first, last] = [-1, 0];
  for (let at = 0; at + 80 <= samples.length; at += 80) {
    let sum = 0;
    for (const sample of samples.subarray(at, at + 80)) sum += sample * sample;
    if (Math.sqrt(sum / 80) < 150) continue;
    if (first < 0) first = at;
    last = at + 80;
  }
  return { startMs: Math.max(first, 0) / 8, endMs: last / 8 };
}

function readWav(file: string): { samples: Int16Array; rateHz: number } {
  const wav = readFileSync(file);
  const samples = new Int16Array((wav.length - 44) >> 1);
  for (let i = 0; i < samples.length; i += 1) samples[i] = wav.readInt16LE(44 + 2 * i);
  return { samples, rateHz: wav.readUInt32LE(24) };
}

function telephone({ samples, rateHz }: { samples: Int16Array; rateHz: number }): Int16Array {
  const taps = 127;
  const center = (taps - 1) / 2;
  const sinc = (cutoffHz: number, x: number): number => {
    const f = (2 * cutoffHz) / rateHz;
    return x === 0 ? f : Math.sin(Math.PI * f * x) / (Math.PI * x);
  };
  const kernel = Array.from({ length: taps }, (_, i) => {
    const window = 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (taps - 1));
    return (sinc(3400, i - center) - sinc(300, i - center)) * window;
  });
  const step = rateHz / 8000;
  const out = new Int16Array(Math.floor(samples.length / step));
  for (let n = 0; n < out.length; n += 1) {
    let sum = 0;
    for (let i = 0; i < taps; i += 1)
      sum += (kernel[i] ?? 0) * (samples[n * step + i - center] ?? 0);
    out[n] = throughMuLaw(Math.max(-32_000, Math.min(32_000, sum)));
  }
  return out;
}

/** G.711 µ-law, there and back (ITU-T G.711: 8 segments of 16 steps). */
function throughMuLaw(sample: number): number {
  const magnitude = Math.min(Math.abs(Math.round(sample)), 32_635) + 132;
  const exponent = Math.floor(Math.log2(magnitude)) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  const decoded = (((mantissa << 3) + 132) << exponent) - 132;
  return sample < 0 ? -decoded : decoded;
}
