import assert from 'node:assert/strict';
import { isNoise } from '../../../../src/speech/turn-taking/noise.ts';

describe('what is no turn', () => {
  const judge = (text: string, voicedMs: number, hasInterrupted = false, isAnswer = false) =>
    isNoise({ text, voicedMs, hasInterrupted, isAnswer });

  it('is a short sound without words', () => {
    assert.equal(judge('', 280), true);
    assert.equal(judge('', 300), false);
  });
  it('is never a sound with words, in silence', () => assert.equal(judge('yes', 200), false));
  it('is a longer sound when it cut the agent off, and a "yeah" then', () => {
    assert.equal(judge('', 500, true), true);
    assert.equal(judge('yeah', 400, true), true);
    assert.equal(judge('yeah', 700, true), false);
    assert.equal(judge('where', 300, true), false);
  });
  it('is not a "yes" that cut off the end of its question, but a cough there', () => {
    assert.equal(judge('yes', 300, true, true), false);
    assert.equal(judge('', 300, true, true), true);
  });
});
