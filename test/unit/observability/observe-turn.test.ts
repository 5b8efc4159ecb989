import assert from 'node:assert/strict';
import { createMetrics } from '../../../src/observability/metrics.ts';
import { observeTurn } from '../../../src/observability/observe-turn.ts';
import { newTurn } from '../../support/storage.ts';

const NEVER = newTurn(0).stamps;

describe('the delays of a finished turn', () => {
  const figures = async (name: string, ...turns: Parameters<typeof observeTurn>[0][]) => {
    const metrics = createMetrics();
    for (const turn of turns) observeTurn(turn, 1_000, metrics);
    const lines = (await metrics.text()).split('\n');
    return lines.filter((line) => line.startsWith(`${name}_sum`) || line.startsWith(`${name} `));
  };

  it('count a greeting from the answer', async () => {
    const stamps = { ...NEVER, speechEndedAtMs: null, playoutStartedAtMs: 1_015 };
    const greeting = newTurn(0, { role: 'agent', stamps });
    assert.deepEqual(await figures('trunkline_greeting_latency_seconds', greeting), [
      'trunkline_greeting_latency_seconds_sum 0.015',
    ]);
    assert.deepEqual(await figures('trunkline_reply_latency_seconds', greeting), [
      'trunkline_reply_latency_seconds_sum 0',
    ]);
  });

  it('count a reply from the end of the speech it answers', async () => {
    const stamps = { ...NEVER, speechEndedAtMs: 5_000, playoutStartedAtMs: 5_250 };
    const reply = newTurn(2, { role: 'agent', stamps });
    assert.deepEqual(await figures('trunkline_reply_latency_seconds', reply), [
      'trunkline_reply_latency_seconds_sum 0.25',
    ]);
  });

  it('count an interruption, and nothing of what the caller said', async () => {
    const stamps = { ...NEVER, speechEndedAtMs: null, playoutStartedAtMs: null };
    const cut = newTurn(1, { role: 'agent', isInterrupted: true, stamps });
    const said = newTurn(2, { role: 'user', isInterrupted: false, stamps });
    assert.deepEqual(await figures('trunkline_agent_interruptions_total', cut, said), [
      'trunkline_agent_interruptions_total 1',
    ]);
  });
});
