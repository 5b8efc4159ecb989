import type { EndReason } from './end-reason.ts';
import type { AgentId, CallId, WorkspaceId } from './ids.ts';
import type { LegReport } from './media.ts';

/** Seen from us. */
export type CallDirection = 'inbound' | 'outbound';

/** By which door the call came. */
export type CallDoor =
  | 'trunk'
  | 'sip-websocket'
  | 'web-offer'
  | 'instant-link'
  | 'click-to-call'
  | 'api';

/** A call as it stands in storage. Times are Unix milliseconds. */
export interface CallRecord {
  readonly id: CallId;
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId | null;
  readonly direction: CallDirection;
  readonly door: CallDoor;
  readonly status: 'initiated' | 'ringing' | 'in-progress' | 'completed' | 'failed';
  readonly fromNumber: string;
  readonly toNumber: string;
  readonly sipCallId: string | null;
  readonly startedAtMs: number;
  readonly answeredAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly endReason: EndReason | null;
  /** Final SIP status of a call that was refused or failed. */
  readonly sipStatus: number | null;
  readonly report: LegReport | null;
}
