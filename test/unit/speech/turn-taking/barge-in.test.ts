import assert from 'node:assert/strict';
import { decideBargeIn } from '../../../../src/speech/turn-taking/barge-in.ts';

describe('barge-in', () => {
  const decide = (voicedMs: number, silenceMs: number, text = '', isAnswer = false) =>
    decideBargeIn({ voicedMs, silenceMs, text, isAnswer });

  it('holds on while it may still be a click', () => {
    assert.equal(decide(100, 0), 'hold');
    assert.equal(decide(100, 220), 'hold');
  });

  it('goes on after a click', () => assert.equal(decide(100, 240), 'resume'));
  it('commits at 200 ms of voice', () => assert.equal(decide(200, 0), 'commit'));

  for (const text of ['mhm', 'yeah', 'uh-huh', 'okay right', 'I see', 'Yeah.']) {
    it(`lets the caller say "${text}"`, () => {
      assert.equal(decide(400, 0, text), 'hold');
      assert.equal(decide(400, 240, text), 'resume');
    });
  }

  it('takes a long "yeah" for more than that', () =>
    assert.equal(decide(700, 0, 'yeah'), 'commit'));
  it('takes a "yes" at the end of a question for an answer, and waits for its words', () => {
    assert.equal(decide(180, 0, 'yes', true), 'commit');
    assert.equal(decide(180, 300, '', true), 'hold');
    assert.equal(decide(180, 900, '', true), 'resume');
    assert.equal(decide(100, 240, '', true), 'resume');
  });
  it('commits at a word', () => assert.equal(decide(180, 0, 'where'), 'commit'));
  it('commits at a stop word', () => assert.equal(decide(160, 0, 'okay stop'), 'commit'));
  it('does not trust words found in a click', () => {
    assert.equal(decide(80, 0, 'stop'), 'hold');
    assert.equal(decide(80, 240, 'where'), 'resume');
  });
});
