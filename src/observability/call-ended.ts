import type { CallDirection, CallDoor } from '../model/call.ts';
import { blameOf, type EndReason } from '../model/end-reason.ts';
import type { AgentId, CallId, WorkspaceId } from '../model/ids.ts';
import type { LegReport } from '../model/media.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** Everything that the one line of a call's end says. Times are Unix milliseconds. */
export interface EndedCall {
  readonly callId: CallId;
  readonly workspaceId: WorkspaceId;
  readonly agentId: AgentId | null;
  readonly direction: CallDirection;
  readonly door: CallDoor;
  /** Hidden in the line but for their first and last digits. */
  readonly fromNumber: string;
  readonly toNumber: string;
  readonly startedAtMs: number;
  readonly answeredAtMs: number | null;
  readonly endedAtMs: number;
  readonly reason: EndReason;
  readonly sipStatus: number | null;
  /** A provider's or the remote side's own words for the end, if any. */
  readonly detail: string | null;
  readonly report: LegReport | null;
  /** Only their times are used, never their texts. */
  readonly turns: readonly TranscriptTurn[];
}

/** Delays of a call's replies, in milliseconds. */
export interface ReplyDelays {
  readonly count: number;
  readonly medianMs: number | null;
  readonly worstMs: number | null;
}

/** End of speech → first packet, of each reply that answered speech. */
export function replyDelaysMs(turns: readonly TranscriptTurn[]): readonly number[] {
  return turns.flatMap(({ role, stamps }) => {
    const { speechEndedAtMs: from, playoutStartedAtMs: to } = stamps;
    return role === 'agent' && from !== null && to !== null ? [to - from] : [];
  });
}

/** Writes the line, and counts the call in the metrics. Once per call. */
export function reportEndedCall(call: EndedCall, log: Logger, metrics: Metrics): void {
  const { startedAtMs, answeredAtMs, endedAtMs, report } = call;
  const delays = replyDelaysMs(call.turns);
  const setupMs = answeredAtMs === null ? null : answeredAtMs - startedAtMs;
  const talkMs = answeredAtMs === null ? null : endedAtMs - answeredAtMs;
  log.info(
    {
      callId: call.callId,
      workspaceId: call.workspaceId,
      agentId: call.agentId,
      direction: call.direction,
      door: call.door,
      from: call.fromNumber,
      to: call.toNumber,
      reason: call.reason,
      blame: blameOf(call.reason),
      sipStatus: call.sipStatus,
      detail: call.detail,
      setupMs,
      talkMs,
      turns: call.turns.length,
      interruptions: call.turns.filter(({ isInterrupted }) => isInterrupted).length,
      replies: summarize(delays),
      media: report,
    },
    'call ended',
  );
  metrics.callEnded({
    direction: call.direction,
    reason: call.reason,
    setupSeconds: setupMs === null ? null : setupMs / 1000,
    talkSeconds: talkMs === null ? null : talkMs / 1000,
    report,
  });
}

function summarize(delaysMs: readonly number[]): ReplyDelays {
  const sorted = delaysMs.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    medianMs: sorted[Math.floor(sorted.length / 2)] ?? null,
    worstMs: sorted.at(-1) ?? null,
  };
}
