/**
 * - `blind`: the far side is asked to call somebody itself (REFER).
 * - `attended`: we call them first, and bring the two together once they have answered.
 * - `bridge`: we call them and stay in the middle, passing the audio on.
 */
export type TransferMode = 'blind' | 'attended' | 'bridge';

/** Who wanted it; `caller`: the far side handed the agent over to somebody else. */
export type TransferBy = 'agent' | 'owner' | 'caller';

/** How it was done in the end; `takeover`: somebody else took the caller's place (RFC 3891). */
export type TransferWay = 'refer' | 'refer-replaces' | 'bridge' | 'call' | 'takeover';

export type TransferFailure =
  | 'busy'
  | 'no-answer'
  /** Whom we called, or asked to call, will not. */
  | 'refused'
  /** No trunk could take the call, or it had nothing in common with us. */
  | 'unavailable'
  /** The far side was asked to call and never said what became of it. */
  | 'no-news'
  /** What the workspace may still have is less than the call may take. */
  | 'spend-cap-reached'
  | 'quota-exceeded'
  | 'workspace-busy'
  /** The call ended first. */
  | 'abandoned';

/** `fell-back`: the far side does not take REFER, so that we stay in the middle. */
export type TransferStage =
  | 'started'
  | 'ringing'
  | 'fell-back'
  | 'bridged'
  | 'completed'
  | 'failed';

/** One transfer of a call, as it is written down. Times are Unix milliseconds. */
export interface TransferRecord {
  readonly by: TransferBy;
  readonly mode: TransferMode;
  /** Null until something was agreed on. */
  readonly way: TransferWay | null;
  /** In E.164 where it can be. */
  readonly toNumber: string;
  readonly stage: TransferStage;
  readonly failure: TransferFailure | null;
  /** What whom we called, or asked to call, said last. */
  readonly sipStatus: number | null;
  readonly startedAtMs: number;
  /** The caller was with whom it was put through to: bridged, or gone there. */
  readonly joinedAtMs: number | null;
  readonly endedAtMs: number | null;
}
