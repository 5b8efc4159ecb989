import assert from 'node:assert/strict';
import { EchoGuard } from '../../../../src/speech/turn-taking/echo-guard.ts';

/** A loudness curve like speech: syllables of changing height. */
const speech = (frame: number): number =>
  -25 + 12 * Math.sin(frame * 0.9) * Math.sin(frame * 0.23 + 1);
const otherSpeech = (frame: number): number =>
  -22 + 11 * Math.sin(frame * 0.61 + 2) * Math.cos(frame * 0.37);

describe('the echo guard', () => {
  it('knows the agent that comes back 120 ms later and quieter', () => {
    const guard = new EchoGuard();
    let echoes = 0;
    for (let frame = 0; frame < 200; frame += 1) {
      if (guard.update(speech(frame), speech(frame - 6) - 15)) echoes += 1;
    }
    assert.ok(echoes > 150, `${echoes} of 200`);
  });

  it('does not take another voice for an echo', () => {
    const guard = new EchoGuard();
    let echoes = 0;
    for (let frame = 0; frame < 200; frame += 1) {
      if (guard.update(speech(frame), otherSpeech(frame))) echoes += 1;
    }
    assert.ok(echoes < 10, `${echoes} of 200`);
  });

  it('lets through a caller who speaks as loud as the agent', () => {
    const guard = new EchoGuard();
    for (let frame = 0; frame < 200; frame += 1) {
      assert.equal(guard.update(speech(frame), speech(frame)), false);
    }
  });

  it('says nothing about silence', () => {
    const guard = new EchoGuard();
    for (let frame = 0; frame < 100; frame += 1)
      assert.equal(guard.update(speech(frame), -80), false);
  });
});
