import type { AgentSnapshot } from '../model/agent.ts';

/** A call by SIP over WebSocket whose caller has proved who he is, and what he may. */
export interface SignedInCall {
  readonly agent: AgentSnapshot;
  /** Name of an owner's browser; empty for somebody of the public, of whom nothing is known. */
  readonly caller: string;
  readonly dialed: string;
  /** The two have met. At most once. */
  readonly onAnswered: () => void;
  /** The call is over, or there will be none. Exactly once. */
  readonly onOver: () => void;
}
