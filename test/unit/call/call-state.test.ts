import assert from 'node:assert/strict';
import { CallError } from '../../../src/call/call-error.ts';
import { type CallEventType, type CallState, nextCallState } from '../../../src/call/call-state.ts';

const STATES: readonly CallState[] = ['offered', 'ringing', 'active', 'ending', 'ended'];
const EVENTS: readonly CallEventType[] = ['ring', 'answer', 'hangup', 'released'];

describe('the call state table', () => {
  it('takes a call from offer to end', () => {
    const states = (['ring', 'answer', 'hangup', 'released'] as const).reduce<CallState[]>(
      (seen, event) => [...seen, nextCallState(seen.at(-1) ?? 'offered', event)],
      ['offered'],
    );
    assert.deepEqual(states, ['offered', 'ringing', 'active', 'ending', 'ended']);
  });

  it('lets both sides hang up at once', () => {
    assert.equal(nextCallState(nextCallState('active', 'hangup'), 'hangup'), 'ending');
    assert.equal(nextCallState('ended', 'hangup'), 'ended');
  });

  it('refuses every event that cannot happen, naming it', () => {
    const refused = STATES.flatMap((state) =>
      EVENTS.filter((event) => {
        try {
          nextCallState(state, event);
          return false;
        } catch (error) {
          assert.ok(error instanceof CallError);
          assert.equal(error.code, 'CALL_EVENT_OUT_OF_ORDER');
          assert.deepEqual(error.facts, { state, event });
          return true;
        }
      }).map((event) => `${state}/${event}`),
    );
    assert.deepEqual(refused, [
      'offered/released',
      'ringing/released',
      'active/ring',
      'active/answer',
      'active/released',
      'ending/ring',
      'ending/answer',
      'ended/ring',
      'ended/answer',
      'ended/released',
    ]);
  });
});
