import { type Static, Type } from 'typebox';
import { assertNever } from '../../lib/assert-never.ts';
import type { CallProgress } from '../../model/call-progress.ts';
import type { CallRecord } from '../../model/call.ts';
import { blameOf } from '../../model/end-reason.ts';
import type { CallId } from '../../model/ids.ts';
import type { Caption, TranscriptTurn } from '../../model/turn.ts';
import { nullable, oneOf, Time, toTime } from '../shapes.ts';
import {
  AnsweredByShape,
  BLAMES,
  REASONS,
  toTransfer,
  toTurn,
  Transfer,
  Turn,
} from './call-shapes.ts';

const COMMON = { call_id: Type.String(), at: Time };
const sipStatus = Type.Integer();

const Ended = Type.Object(
  {
    type: Type.Literal('ended'),
    ...COMMON,
    end_reason: oneOf(REASONS),
    blame: oneOf(BLAMES),
    sip_status: nullable(sipStatus),
    detail: nullable(Type.String()),
  },
  { title: 'CallEnded' },
);

/** The data of each event of `GET /v1/calls/{call_id}/events`. */
export const CallEvent = Type.Union(
  [
    Type.Object({ type: oneOf(['initiated', 'answered']), ...COMMON }),
    Type.Object({
      type: Type.Literal('dialing'),
      ...COMMON,
      trunk: Type.String(),
      attempt: Type.Integer({ description: 'From 1; another trunk or host may follow.' }),
    }),
    Type.Object({ type: oneOf(['ringing', 'early-media']), ...COMMON, sip_status: sipStatus }),
    Type.Object({ type: Type.Literal('answered-by'), ...COMMON, answered_by: AnsweredByShape }),
    Type.Object({
      type: Type.Literal('activity'),
      ...COMMON,
      activity: oneOf(['listening', 'thinking', 'speaking']),
    }),
    Type.Object({ type: Type.Literal('turn'), ...COMMON, turn: Turn }),
    Type.Object({
      type: Type.Literal('tool'),
      ...COMMON,
      tool: Type.Object(
        {
          name: Type.String(),
          arguments: Type.Record(Type.String(), Type.Unknown()),
          are_arguments_left_out: Type.Boolean({ description: 'They were too long.' }),
        },
        { title: 'ToolUse' },
      ),
    }),
    Type.Object({
      type: Type.Literal('idle-prompt'),
      ...COMMON,
      number: Type.Integer({ description: 'From 1, since the caller was last heard.' }),
      text: Type.String(),
    }),
    Type.Object({
      type: Type.Literal('quality-degraded'),
      ...COMMON,
      fraction_lost: Type.Number({
        description: 'Of what came in five seconds, lost or too late to be played, 0 to 1.',
      }),
      remote_fraction_lost: nullable(
        Type.Number({ description: 'Of ours, as the far side said.' }),
      ),
      jitter_ms: Type.Number(),
      round_trip_ms: nullable(Type.Number()),
    }),
    Type.Object({ type: Type.Literal('transfer'), ...COMMON, transfer: Transfer }),
    Ended,
  ],
  { title: 'CallEvent' },
);

/** The data of each event of `GET /v1/calls/{call_id}/transcript/stream`. */
export const TranscriptFrame = Type.Union(
  [
    Type.Object(
      {
        role: oneOf(['user', 'agent']),
        text: Type.String(),
        is_final: Type.Boolean(),
        turn_id: Type.String(),
        ts: Time,
      },
      { title: 'Caption' },
    ),
    Ended,
  ],
  { title: 'TranscriptFrame' },
);

export function toCallEvent(
  callId: CallId,
  atMs: number,
  progress: CallProgress,
): Static<typeof CallEvent> {
  const common = { call_id: callId, at: toTime(atMs) };
  switch (progress.type) {
    case 'initiated':
    case 'answered':
      return { type: progress.type, ...common };
    case 'dialing':
      return { type: 'dialing', ...common, trunk: progress.trunk, attempt: progress.attempt };
    case 'ringing':
    case 'early-media':
      return { type: progress.type, ...common, sip_status: progress.sipStatus };
    case 'answered-by':
      return { type: 'answered-by', ...common, answered_by: progress.answeredBy };
    case 'activity':
      return { type: 'activity', ...common, activity: progress.activity };
    case 'turn':
      return { type: 'turn', ...common, turn: toTurn(progress.turn) };
    case 'tool': {
      const { name, arguments: given, areArgumentsLeftOut } = progress.tool;
      const tool = { name, arguments: { ...given }, are_arguments_left_out: areArgumentsLeftOut };
      return { type: 'tool', ...common, tool };
    }
    case 'idle-prompt':
      return { type: 'idle-prompt', ...common, number: progress.number, text: progress.text };
    case 'quality-degraded':
      return {
        type: 'quality-degraded',
        ...common,
        fraction_lost: progress.fractionLost,
        remote_fraction_lost: progress.remoteFractionLost,
        jitter_ms: progress.jitterMs,
        round_trip_ms: progress.roundTripMs,
      };
    case 'transfer':
      return { type: 'transfer', ...common, transfer: toTransfer(progress.transfer) };
    case 'ended':
      return {
        type: 'ended',
        ...common,
        end_reason: progress.reason,
        blame: progress.blame,
        sip_status: progress.sipStatus,
        detail: progress.detail,
      };
    default:
      return assertNever(progress);
  }
}

/** The end as it is stored; null: the call is live. */
export function endOf(call: CallRecord): Static<typeof Ended> | null {
  const { endedAtMs, endReason } = call;
  if (endedAtMs === null || endReason === null) return null;
  return {
    type: 'ended',
    call_id: call.id,
    at: toTime(endedAtMs),
    end_reason: endReason,
    blame: blameOf(endReason),
    sip_status: call.sipStatus,
    detail: null,
  };
}

export function toTurnFrame({ id, role, text, endedAtMs }: TranscriptTurn) {
  return { role, text, is_final: true, turn_id: id, ts: toTime(endedAtMs) };
}

export function toCaptionFrame({ turnId, role, text }: Caption, nowMs: number) {
  return { role, text, is_final: false, turn_id: turnId, ts: toTime(nowMs) };
}
