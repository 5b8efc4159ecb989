import type { AudioFrame, EncodedClip } from '../model/audio.ts';
import { type AudioEncoder, FRAME_MS, FRAMES_PER_SECOND } from './codec/audio-codec.ts';
import { Resampler } from './resampler.ts';

/** Encodes a whole piece of audio at once; its last frame is padded with silence. */
export function encodeClip(encoder: AudioEncoder, frame: AudioFrame): EncodedClip {
  const samples = converted(frame, encoder.sampleRateHz);
  const frameSamples = encoder.sampleRateHz / FRAMES_PER_SECOND;
  const frames: Uint8Array[] = [];
  for (let at = 0; at < samples.length; at += frameSamples) {
    let pcm = samples.subarray(at, at + frameSamples);
    if (pcm.length < frameSamples) {
      pcm = new Int16Array(frameSamples);
      pcm.set(samples.subarray(at));
    }
    frames.push(encoder.encode(pcm, at === 0));
  }
  return { durationMs: frames.length * FRAME_MS, frames, format: encoder.format };
}

function converted(frame: AudioFrame, rateHz: number): Int16Array {
  if (frame.sampleRateHz === rateHz) return frame.samples;
  const resampler = new Resampler(frame.sampleRateHz, rateHz);
  const padded = new Int16Array(frame.samples.length + resampler.delaySamples);
  padded.set(frame.samples);
  return resampler.process(padded);
}
