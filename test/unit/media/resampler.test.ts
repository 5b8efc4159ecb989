import assert from 'node:assert/strict';
import { MediaError } from '../../../src/media/media-error.ts';
import { Resampler } from '../../../src/media/resampler.ts';
import { amplitudeAt, concat, rms, tone, toneSnrDb } from '../../support/audio.ts';
import { seededRandom } from '../../support/random.ts';

const RATES = [8000, 16000, 22050, 24000, 44100, 48000];

describe('the resampler', () => {
  for (const from of RATES) {
    for (const to of RATES) {
      if (from === to) continue;
      it(`keeps a tone of 1 kHz from ${from} to ${to} Hz, and its length`, () => {
        const out = new Resampler(from, to).process(tone(1000, from, 500));
        assert.ok(Math.abs(out.length - to / 2) <= to / 400, `${out.length} samples`);
        const steady = out.subarray(Math.floor(to / 50), Math.floor(to * 0.48));
        assert.ok(Math.abs(amplitudeAt(1000, steady, to) - 8000) < 80);
        assert.ok(toneSnrDb(1000, steady, to) > 55, `${toneSnrDb(1000, steady, to)} dB`);
      });
    }
  }

  it('takes away what the lower rate cannot hold, by 60 dB', () => {
    for (const frequency of [4700, 6000, 9000]) {
      const out = new Resampler(24000, 8000).process(tone(frequency, 24000, 500));
      assert.ok(
        rms(out.subarray(200, 3800)) < 8,
        `${frequency} Hz: ${rms(out.subarray(200, 3800))}`,
      );
    }
  });

  it('is flat over the telephone band: within 0.1 dB to 3.2 kHz, 0.5 dB at 3.4 kHz', () => {
    for (const frequency of [300, 1000, 2000, 3000, 3200, 3400]) {
      const out = new Resampler(16000, 8000).process(tone(frequency, 16000, 500));
      const gain = amplitudeAt(frequency, out.subarray(400, 3600), 8000) / 8000;
      assert.ok(
        Math.abs(20 * Math.log10(gain)) < (frequency === 3400 ? 0.5 : 0.1),
        `${frequency} Hz: ${gain}`,
      );
    }
  });

  it('gives the same samples however its input is cut (seeded)', () => {
    const random = seededRandom(5);
    for (const [from, to] of [
      [22050, 8000],
      [8000, 16000],
      [24000, 16000],
      [44100, 24000],
    ] as const) {
      const input = tone(700, from, 400);
      const whole = new Resampler(from, to).process(input).slice();
      const resampler = new Resampler(from, to);
      const parts: Int16Array[] = [];
      for (let at = 0; at < input.length; ) {
        const next = at + Math.floor(random() * 700);
        parts.push(resampler.process(input.subarray(at, next)).slice());
        at = next;
      }
      assert.deepEqual(concat(parts), whole);
    }
  });

  it('clips instead of going round', () => {
    const loud = new Int16Array(1600).map((_, n) => (n % 40 < 20 ? 32767 : -32768));
    const out = new Resampler(8000, 16000).process(loud);
    for (let n = 400; n < 2800; n += 1) {
      assert.ok(Math.abs(out[n]! - out[n - 1]!) < 60_000, `jump at ${n}`);
    }
  });

  it('forgets the past on reset', () => {
    const resampler = new Resampler(16000, 8000);
    resampler.process(tone(500, 16000, 100));
    resampler.reset();
    assert.equal(rms(resampler.process(new Int16Array(640))), 0);
  });

  it('refuses rates that are none', () => {
    for (const [from, to] of [
      [0, 8000],
      [8000, 96000],
      [8000.5, 16000],
      [8001, 47999],
    ] as const) {
      assert.throws(
        () => new Resampler(from, to),
        (error) => error instanceof MediaError && error.code === 'MEDIA_RATE_UNSUPPORTED',
      );
    }
  });
});
