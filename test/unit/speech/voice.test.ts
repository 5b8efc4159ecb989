import assert from 'node:assert/strict';
import { ClipCache } from '../../../src/speech/clip-cache.ts';
import type { TextToSpeech } from '../../../src/speech/provider.ts';
import { SpeechError } from '../../../src/speech/speech-error.ts';
import { fixedClip, type Voice, warmClips } from '../../../src/speech/voice.ts';
import { HandMadeLeg } from '../../support/hand-made-leg.ts';

class CountingTts implements TextToSpeech {
  readonly name: string;
  readonly isBroken: boolean;
  spoken = 0;

  constructor(name: string, isBroken = false) {
    this.name = name;
    this.isBroken = isBroken;
  }

  async *synthesize() {
    this.spoken += 1;
    if (this.isBroken) throw new SpeechError('SPEECH_PROVIDER_UNREACHABLE', 'gone');
    yield { samples: new Int16Array(2400).fill(1000), sampleRateHz: 24_000 };
  }

  async prewarm(): Promise<void> {}
}

describe('phrases that are rendered ahead', () => {
  const encoders = [new HandMadeLeg(8000), new HandMadeLeg(16_000), new HandMadeLeg(24_000)];
  const signal = new AbortController().signal;
  const voiceOf = (tts: TextToSpeech, fallbackTts: TextToSpeech = tts): Voice => ({
    tts,
    fallbackTts,
    clips: new ClipCache(),
    name: 'slt',
    language: 'en',
  });

  it('are spoken once, whatever the number of formats', async () => {
    const tts = new CountingTts('own');
    const voice = voiceOf(tts);
    await warmClips(voice, 'Hello.', encoders, signal);
    assert.equal(tts.spoken, 1);
    for (const encoder of encoders) {
      const clip = await fixedClip(voice, 'Hello.', encoder, signal);
      assert.equal(clip?.encoded.format, encoder.format);
      assert.equal(clip.encoded.durationMs, 100);
    }
    await warmClips(voice, 'Hello.', encoders, signal);
    assert.equal(tts.spoken, 1);
  });

  it('are spoken by the fallback voice when the own one fails', async () => {
    const fallback = new CountingTts('fallback');
    const voice = voiceOf(new CountingTts('own', true), fallback);
    await warmClips(voice, 'Hello.', encoders, signal);
    assert.equal(fallback.spoken, 1);
    assert.notEqual(
      await fixedClip(voice, 'Hello.', encoders[0] ?? new HandMadeLeg(), signal),
      null,
    );
    assert.equal(fallback.spoken, 1);
  });
});
