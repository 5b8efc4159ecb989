import { CallError } from './call-error.ts';

/**
 * A call from the first INVITE to the last row written.
 *
 *   offered ──ring──▶ ringing ──answer──▶ active
 *      │  └────────answer──────────────────▲ │
 *      └────────────┬─────── hangup ─────────┘
 *                   ▼
 *                ending ──released──▶ ended
 */
export type CallState = 'offered' | 'ringing' | 'active' | 'ending' | 'ended';
export type CallEventType = 'ring' | 'answer' | 'hangup' | 'released';

/** The whole machine. `hangup` repeats on purpose: our BYE and theirs may cross on the wire. */
const TRANSITIONS: Record<CallState, Partial<Record<CallEventType, CallState>>> = {
  offered: { ring: 'ringing', answer: 'active', hangup: 'ending' },
  ringing: { ring: 'ringing', answer: 'active', hangup: 'ending' },
  active: { hangup: 'ending' },
  ending: { hangup: 'ending', released: 'ended' },
  ended: { hangup: 'ended' },
};

/** @throws CallError `CALL_EVENT_OUT_OF_ORDER` */
export function nextCallState(state: CallState, event: CallEventType): CallState {
  const next = TRANSITIONS[state][event];
  if (next === undefined) {
    const message = `"${event}" cannot happen to a call that is ${state}`;
    throw new CallError('CALL_EVENT_OUT_OF_ORDER', message, { facts: { state, event } });
  }
  return next;
}
