import assert from 'node:assert/strict';
import {
  LOOKING_UP,
  THINKING,
  ThinkingStatus,
  WORKING,
} from '../../../src/chat/thinking-status.ts';

/** Every label with the time it is shown from, asking whenever something is due. */
function shown(status: ThinkingStatus, fromMs: number, untilMs: number) {
  const labels: [number, string][] = [];
  let nowMs = fromMs;
  while (nowMs <= untilMs) {
    const label = status.take(nowMs);
    if (label !== null) labels.push([nowMs, label]);
    nowMs = Math.max(nowMs + 1, status.dueAtMs());
  }
  return labels;
}

describe('the thinking status', () => {
  it('SEED-139: shows at once what the agent does, each label for half a second at least', () => {
    const status = new ThinkingStatus(0);
    status.note(THINKING, 0);
    assert.deepEqual(shown(status, 0, 100), [[0, THINKING]]);
    status.note(LOOKING_UP, 100);
    assert.deepEqual(shown(status, 100, 5000), [[500, LOOKING_UP]]);
  });

  it('SEED-158: leaves out what was over before it could be shown', () => {
    const status = new ThinkingStatus(0);
    status.note(THINKING, 0);
    shown(status, 0, 10);
    status.note(LOOKING_UP, 100);
    status.note(THINKING, 200);
    assert.deepEqual(shown(status, 200, 5000), []);
  });

  it('SEED-158: says that it is working after ten seconds without anything new, once', () => {
    const status = new ThinkingStatus(0);
    status.note(THINKING, 0);
    assert.deepEqual(shown(status, 0, 60_000), [
      [0, THINKING],
      [10_000, WORKING],
    ]);
  });

  it('is silent once words come, and speaks again when they stop', () => {
    const status = new ThinkingStatus(0);
    status.note(THINKING, 0);
    shown(status, 0, 10);
    status.note(LOOKING_UP, 20);
    status.spoke(30);
    assert.deepEqual(shown(status, 30, 10_020), []);
    assert.deepEqual(shown(status, 10_020, 60_000), [[10_030, WORKING]]);
  });
});
