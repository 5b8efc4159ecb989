import assert from 'node:assert/strict';
import { UtteranceDetector } from '../../../../src/speech/turn-taking/utterance-detector.ts';

/** Each digit is a tenth of the probability of one frame. */
function run(frames: string, detector = new UtteranceDetector()): string[] {
  return Array.from(frames, (digit, index) =>
    detector.update(Number(digit) / 10, (index + 1) * 20),
  );
}

describe('the utterance detector', () => {
  it('takes two voiced frames for an onset, and one for a click', () => {
    assert.deepEqual(run('0900990'), ['none', 'none', 'none', 'none', 'none', 'onset', 'pause']);
  });

  it('dates the begin to the first voiced frame', () => {
    const detector = new UtteranceDetector();
    run('00099', detector);
    assert.equal(detector.startedAtMs, 60);
    assert.equal(detector.voicedUntilMs, 100);
  });

  it('goes on through a pause, and does not take a click for going on', () => {
    const detector = new UtteranceDetector();
    assert.deepEqual(run('99000900', detector).slice(2), Array(6).fill('pause'));
    assert.equal(detector.voicedUntilMs, 40);
    assert.equal(detector.voicedMs, 40);
    assert.equal(detector.isOpen, true);
  });

  it('stays in an utterance at a lower probability than begins one', () => {
    assert.equal(run('9955').at(-1), 'voice');
    assert.equal(run('5555').at(-1), 'none');
  });

  it('is more careful with a threshold', () => {
    const detector = new UtteranceDetector();
    for (let at = 20; at < 200; at += 20) assert.equal(detector.update(0.9, at, 0.35), 'none');
  });

  it('tells of a first frame that is voiced for certain, until it is an onset or was none', () => {
    const detector = new UtteranceDetector();
    const after = (probability: number, time: number): boolean => {
      detector.update(probability, time);
      return detector.isBeginning;
    };
    assert.deepEqual(
      [0.7, 0, 0.9, 0, 0.9, 0.9].map((probability, at) => after(probability, at * 20)),
      [false, false, true, false, true, false],
    );
  });

  it('begins anew after the end', () => {
    const detector = new UtteranceDetector();
    run('99999', detector);
    detector.end();
    assert.equal(detector.isOpen, false);
    assert.deepEqual(run('99', detector), ['none', 'onset']);
  });
});
