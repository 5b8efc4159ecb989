import assert from 'node:assert/strict';
import { WaveformConcealment } from '../../../../src/media/codec/waveform-concealment.ts';
import { amplitudeAt, concat, rms, tone } from '../../../support/audio.ts';

const RATE = 8000;

/** A 125 Hz tone in 20 ms frames, as a voice's pitch. */
function frames(count: number): Int16Array[] {
  return Array.from({ length: count }, (_, n) => tone(125, RATE, 20, 8000, n * 160));
}

function primed(): WaveformConcealment {
  const concealment = new WaveformConcealment(RATE);
  for (const frame of frames(5)) concealment.onGoodFrame(frame);
  return concealment;
}

describe('waveform concealment (G.711 Appendix I)', () => {
  it('goes on with the pitch of what was heard', () => {
    const made = primed().conceal();
    assert.ok(amplitudeAt(125, made, RATE) > 6500, `${amplitudeAt(125, made, RATE)}`);
  });

  it('continues without a click', () => {
    const concealment = primed();
    const last = tone(125, RATE, 20, 8000, 4 * 160).at(-1) ?? 0;
    const made = concealment.conceal();
    assert.ok(Math.abs(made[0]! - last) < 1600, `from ${last} to ${made[0]}`);
  });

  it('fades to silence within 60 ms', () => {
    const concealment = primed();
    const levels = [1, 2, 3, 4].map(() => rms(concealment.conceal()));
    assert.ok(levels[0]! > levels[1]! && levels[1]! > levels[2]!, levels.join(' '));
    assert.equal(levels[3], 0);
  });

  it('blends into the next good frame and leaves the one after alone', () => {
    const concealment = primed();
    concealment.conceal();
    const good = new Int16Array(160).fill(1000);
    concealment.onGoodFrame(good);
    assert.notEqual(good[0], 1000);
    assert.equal(good[159], 1000);
    const next = new Int16Array(160).fill(1000);
    concealment.onGoodFrame(next);
    assert.ok(next.every((sample) => sample === 1000));
  });

  it('makes silence of silence', () => {
    const concealment = new WaveformConcealment(RATE);
    assert.equal(rms(concat([concealment.conceal(), concealment.conceal()])), 0);
  });
});
