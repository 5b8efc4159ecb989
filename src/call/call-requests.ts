import type { AgentSnapshot } from '../model/agent.ts';
import type { CallDoor, CallRecord } from '../model/call.ts';
import type { MachineDetection } from '../model/machine-detection.ts';
import type { AgentId, CallId, WorkspaceId } from '../model/ids.ts';
import type { Binding } from '../signaling/registrar.ts';
import type { SipSignaling } from '../signaling/sip-engine-client.ts';
import type { SipInvite } from '../signaling/sip-leg.ts';
import type { TrunkDialErrorCode } from '../signaling/trunk/trunk-dialer.ts';
import type { Refusal } from './admission.ts';
import type { GateRefusal } from './call-gate.ts';
import type { WebAnswer } from './web-party.ts';

/** What may be asked of `CallService`, and what it answers. */

/** An owner who wants an agent to call somebody. */
export interface DialCallRequest {
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId;
  /** With `+`, or as the trunk's country writes it; `sip:anna` is a browser of the workspace. */
  readonly toNumber: string;
  /** null: the trunk's own. */
  readonly fromNumber: string | null;
  readonly variables: Readonly<Record<string, string>>;
  /** Who asked for it. */
  readonly door: Extract<CallDoor, 'api' | 'click-to-call'>;
  /** Whether to tell a person from an answering machine first. */
  readonly machineDetection?: MachineDetection | null;
}

export type DialCallReply =
  | { readonly accepted: true; readonly record: CallRecord }
  | {
      readonly accepted: false;
      readonly reason:
        | 'agent-not-found'
        | 'callee-not-registered'
        | 'call-window-restricted'
        | Refusal['reason']
        | GateRefusal['reason']
        | 'internal-error'
        | TrunkDialErrorCode;
    };

/** Whom a call would reach, and as whom; or why there would be none. */
export type DialPreviewReply =
  | { readonly accepted: true; readonly from: string; readonly to: string }
  | { readonly accepted: false; readonly reason: TrunkDialErrorCode };

/** A browser that wants to speak to an agent. */
export interface WebCallRequest {
  readonly agent: AgentSnapshot;
  readonly door: CallDoor;
  readonly offerSdp: string;
  /** The two have met. At most once. */
  readonly onAnswered: () => void;
  /** The call is over, or there will be none. Exactly once. */
  readonly onOver: () => void;
}

/** The browser of a live call offers again, e.g. since its network changed. */
export interface WebResumption {
  /** null: whoever has the token may resume it. */
  readonly agentId: AgentId | null;
  readonly resumeToken: string;
  readonly offerSdp: string;
}

export type WebCallReply =
  | (Extract<WebAnswer, { accepted: true }> & { readonly callId: CallId })
  | Extract<WebAnswer, { accepted: false }>;

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

/** Browsers that are signed in by SIP over WebSocket. */
export interface BrowserLines {
  /** What the caller of an INVITE may; null: nothing. */
  take(invite: SipInvite): SignedInCall | null;
  /** Where somebody of a workspace can be called now. */
  bindingsOf(workspaceId: WorkspaceId, user: string): readonly Binding[];
  readonly dial: SipSignaling['dial'];
}
