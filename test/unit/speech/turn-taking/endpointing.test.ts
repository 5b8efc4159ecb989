import assert from 'node:assert/strict';
import {
  Endpointing,
  type EndpointingDecision,
} from '../../../../src/speech/turn-taking/endpointing.ts';
import type { Said } from '../../../../src/speech/turn-taking/completeness.ts';

/** Voice for one second, then silence; gives when each decision first came. */
function decide(said: Partial<Said>, endpointing = new Endpointing(), startMs = 0) {
  speak(endpointing, startMs, startMs + 1000);
  endpointing.heard({ text: '', isKnown: false, expects: 'open', ...said });
  const first = new Map<EndpointingDecision, number>();
  for (let at = startMs + 1020; at < startMs + 4000; at += 20) {
    const decision = endpointing.decide(at);
    if (!first.has(decision)) first.set(decision, at - startMs - 1000);
    if (decision === 'commit') break;
  }
  return { commitMs: first.get('commit'), speculateMs: first.get('speculate') };
}

function speak(endpointing: Endpointing, fromMs: number, toMs: number, isOnset = true): void {
  for (let at = fromMs + 20; at <= toMs; at += 20)
    endpointing.voiced(at, isOnset && at === fromMs + 20);
}

describe('endpointing', () => {
  it('takes a sentence that the brain knows after 160 ms, and prepares a reply at 60', () => {
    assert.deepEqual(decide({ text: 'when are you open', isKnown: true }), {
      commitMs: 160,
      speculateMs: 60,
    });
  });

  it('takes a question and a full stop as an end', () => {
    assert.equal(decide({ text: 'When do you close on Fridays?' }).commitMs, 160);
    assert.equal(decide({ text: 'I would like two tickets.' }).commitMs, 160);
  });

  it('takes a short answer after 220 ms', () => {
    assert.equal(decide({ text: 'yes', expects: 'yes-no' }).commitMs, 220);
  });

  for (const text of ['i would like to', 'my number is', 'it is about the', 'um', 'well', 'so…']) {
    it(`waits long after "${text}", and prepares nothing`, () => {
      const { commitMs, speculateMs } = decide({ text });
      assert.ok((commitMs ?? 0) >= 900);
      assert.equal(speculateMs, undefined);
    });
  }

  it('waits for more digits when digits were asked for', () => {
    assert.ok((decide({ text: 'four two', expects: 'digits' }).commitMs ?? 0) >= 900);
    const whole = decide({ text: 'four two seven one', expects: 'digits', isKnown: true });
    assert.ok((whole.commitMs ?? 0) < 500);
  });

  it('waits in between when it cannot tell', () => {
    const { commitMs } = decide({ text: 'the blue one over there' });
    assert.ok((commitMs ?? 0) > 300 && (commitMs ?? 0) < 600);
  });

  it('comes to an end though nothing was understood', () => {
    assert.ok((decide({}).commitMs ?? Number.POSITIVE_INFINITY) <= 500);
  });

  it('learns that a caller pauses long within sentences', () => {
    const endpointing = new Endpointing();
    speak(endpointing, 0, 500);
    for (let start = 1100; start < 5000; start += 1100) {
      speak(endpointing, start, start + 500, false);
    }
    const { commitMs } = decide({ text: 'the blue one over there' }, endpointing, 10_000);
    assert.ok((commitMs ?? 0) >= 600, `${commitMs}`);
  });

  it('waits longer after it has cut a caller short, and forgets that in time', () => {
    const endpointing = new Endpointing();
    const known = { text: 'when are you open', isKnown: true };
    decide(known, endpointing);
    endpointing.committed(1160);
    endpointing.resumedAfterCommit(1400);
    const after = decide(known, endpointing, 10_000).commitMs ?? 0;
    assert.ok(after >= 400, `${after}`);
    for (let count = 0; count < 8; count += 1) endpointing.replyHeard();
    assert.equal(decide(known, endpointing, 20_000).commitMs, 160);
  });

  it('ends an utterance that never ends', () => {
    const endpointing = new Endpointing();
    speak(endpointing, 0, 46_000);
    assert.equal(endpointing.decide(46_000), 'commit');
  });

  it('never waits longer than 1.6 s', () => {
    const endpointing = new Endpointing();
    speak(endpointing, 0, 200);
    for (let start = 1600; start < 30_000; start += 1600) {
      speak(endpointing, start, start + 200, false);
    }
    assert.ok((decide({ text: 'and' }, endpointing, 40_000).commitMs ?? 0) <= 1600);
  });
});
