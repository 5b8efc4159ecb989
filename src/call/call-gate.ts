import type { CallDirection, CallDoor } from '../model/call.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { AgentId, CallId, WorkspaceId } from '../model/ids.ts';

/** A call that would begin now. */
export interface CallPlan {
  readonly id: CallId;
  readonly workspaceId: WorkspaceId;
  readonly direction: CallDirection;
  readonly door: CallDoor;
  readonly toNumber: string;
  readonly startedAtMs: number;
  /** The longest that its agent allows. */
  readonly timeLimitSeconds: number;
}

export interface CallPermit {
  readonly admitted: true;
  /** At most what was planned. */
  readonly timeLimitSeconds: number;
}

/** Why a workspace may not have one more call. */
export type GateRefusalReason = Extract<
  EndReason,
  'spend-cap-reached' | 'quota-exceeded' | 'workspace-busy'
>;

export interface GateRefusal {
  readonly admitted: false;
  readonly reason: GateRefusalReason;
}

/**
 * Whoever pays for calls: asked before each one, which begins only with a permit. What a permit
 * holds back is given back by the call's end in the journal. Rejects when storage fails.
 */
export interface CallGate {
  /** Whether the workspace may have that number called at all. */
  allowsDestination(workspaceId: WorkspaceId, toNumber: string): Promise<boolean>;
  admit(plan: CallPlan): Promise<CallPermit | GateRefusal>;
  /** Asked before a further leg is dialed. It gets all the time that its call has left, or none. */
  admitLeg(plan: LegPlan): Promise<MeteredLeg | GateRefusal>;
}

/** A further leg that would be dialed now for a live call. */
export interface LegPlan {
  readonly callId: CallId;
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId | null;
  readonly door: CallDoor;
  /** Tells the legs of a call apart; from 1. */
  readonly number: number;
  readonly toNumber: string;
  readonly startedAtMs: number;
  /** Until the time limit of its call. */
  readonly secondsLeft: number;
}

/** A leg that may be dialed. Both may be called at any time, and count once. */
export interface MeteredLeg {
  readonly admitted: true;
  answered(atMs: number): void;
  /** A leg that nobody says this of ends with its call. */
  ended(atMs: number): void;
}
