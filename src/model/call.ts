import type { EndReason } from './end-reason.ts';
import type { AgentId, CallId, WorkspaceId } from './ids.ts';
import type { LegReport } from './media.ts';
import type { TransferRecord } from './transfer.ts';

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
  /** Simulated, for a `pk_test_` key: nobody was called and nobody pays. */
  readonly isTest?: boolean;
  /** Oldest first; left out: there was none. */
  readonly transfers?: readonly TransferRecord[];
  /** What the network said of an inbound call by SIP; left out: nothing. */
  readonly networkFacts?: NetworkFacts | null;
}

/** What an INVITE said of who calls and why, beside the numbers. */
export interface NetworkFacts {
  readonly callerName: string | null;
  /** The caller hides the number: no header that holds it is kept. */
  readonly isPrivate: boolean;
  /** Whom the caller had dialed first (Diversion, History-Info), in E.164 where it can be. */
  readonly divertedFrom: string | null;
  readonly diversionReason: string | null;
  /** Reason header (RFC 3326). */
  readonly reason: string | null;
  /** `A`, `B` or `C` as the Identity header claims (RFC 8588); its signature is not checked. */
  readonly claimedAttestation: string | null;
  /** As they came, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
}
