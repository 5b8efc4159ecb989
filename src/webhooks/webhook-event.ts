import type { CallEnding } from '../call/journal.ts';
import { assertNever } from '../lib/assert-never.ts';
import { randomId } from '../lib/random-id.ts';
import type { CapNotice, CountedCap } from '../model/billing.ts';
import type { CallProgress } from '../model/call-progress.ts';
import type { CallRecord } from '../model/call.ts';
import { blameOf } from '../model/end-reason.ts';
import type { TransferRecord } from '../model/transfer.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import type { NewEvent } from '../storage/webhook-repository.ts';

/** What owners' servers are told. */
export const EVENT_TYPES = [
  'call.initiated',
  'call.answered',
  'call.transcription',
  'call.agent_response',
  'call.barge_in',
  'call.idle_silence',
  'call.transfer',
  'tool.invocation',
  'call.quality',
  'call.quality_degraded',
  'call.completed',
  'workspace.spend_cap',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** As `PUT /v1/workspace/caps` names them. */
const CAP_NAMES: Readonly<Record<CountedCap, string>> = {
  minutesPerDay: 'minutes_per_day',
  minutesPerMonth: 'minutes_per_month',
  callsPerDay: 'calls_per_day',
  callsPerMonth: 'calls_per_month',
  microsPerDay: 'micros_per_day',
  microsPerMonth: 'micros_per_month',
};

/** Most turns that `call.completed` repeats; the whole transcript is the call's. */
const TURNS_MAX = 500;

/** What every event says of its call. */
type AboutCall = Pick<
  CallRecord,
  | 'id'
  | 'workspaceId'
  | 'agentId'
  | 'direction'
  | 'door'
  | 'fromNumber'
  | 'toNumber'
  | 'startedAtMs'
> & { readonly isTest?: boolean };

interface EventFacts {
  readonly eventId?: string;
  readonly eventType: EventType;
  readonly atMs: number;
  readonly payload?: Readonly<Record<string, unknown>>;
}

function eventOf(call: AboutCall, facts: EventFacts): NewEvent {
  const { eventId = randomId('evt'), eventType, atMs, payload = {} } = facts;
  const body = {
    event_id: eventId,
    event_type: eventType,
    created_at: time(atMs),
    payload: {
      call_id: call.id,
      agent_id: call.agentId,
      workspace_id: call.workspaceId,
      direction: call.direction,
      door: call.door,
      from_number: call.fromNumber,
      to_number: call.toNumber,
      started_at: time(call.startedAtMs),
      is_test: call.isTest ?? false,
      ...payload,
    },
  };
  const { id: callId, workspaceId, agentId } = call;
  return { eventId, eventType, workspaceId, agentId, callId, body: JSON.stringify(body), atMs };
}

/** A turn, and that it was cut short. */
export function turnEvents(call: AboutCall, turn: TranscriptTurn): readonly NewEvent[] {
  const isAgent = turn.role === 'agent';
  const atMs = turn.endedAtMs;
  const payload = { ...toTurn(turn), is_final: true };
  const eventType = isAgent ? 'call.agent_response' : 'call.transcription';
  const said = eventOf(call, { eventType, atMs, payload });
  if (!isAgent || !turn.isInterrupted) return [said];
  const cut = { turn_id: turn.id, heard_text: turn.text, generated_text: turn.generatedText };
  return [said, eventOf(call, { eventType: 'call.barge_in', atMs, payload: cut })];
}

/** What happens between the turns; null: nobody is told. */
export function progressEvent(
  call: AboutCall,
  progress: CallProgress,
  atMs: number,
): NewEvent | null {
  switch (progress.type) {
    case 'initiated':
      return eventOf(call, { eventType: 'call.initiated', atMs });
    case 'answered':
      return eventOf(call, { eventType: 'call.answered', atMs });
    case 'transfer':
      return transferEvent(call, progress.transfer, atMs);
    case 'tool': {
      const { name, arguments: given, areArgumentsLeftOut } = progress.tool;
      const told = { arguments: given, are_arguments_left_out: areArgumentsLeftOut };
      const payload = { tool_name: name, ...told };
      return eventOf(call, { eventType: 'tool.invocation', atMs, payload });
    }
    case 'idle-prompt':
      return idleEvent(call, progress, atMs);
    case 'quality-degraded': {
      const payload = {
        fraction_lost: progress.fractionLost,
        remote_fraction_lost: progress.remoteFractionLost,
        jitter_ms: progress.jitterMs,
        round_trip_ms: progress.roundTripMs,
      };
      return eventOf(call, { eventType: 'call.quality_degraded', atMs, payload });
    }
    case 'dialing':
    case 'ringing':
    case 'early-media':
    case 'answered-by':
    case 'activity':
    // Told by `turnEvents` and `completedEvent`.
    case 'turn':
    case 'ended':
      return null;
    default:
      return assertNever(progress);
  }
}

function transferEvent(call: AboutCall, transfer: TransferRecord, atMs: number): NewEvent {
  const { by, mode, way, toNumber, stage, failure, sipStatus } = transfer;
  const { startedAtMs, joinedAtMs, endedAtMs } = transfer;
  const payload = {
    transfer_stage: stage,
    transfer_to: toNumber,
    transfer_by: by,
    mode,
    way,
    failure,
    sip_status: sipStatus,
    transfer_started_at: time(startedAtMs),
    joined_at: joinedAtMs === null ? null : time(joinedAtMs),
    transfer_ended_at: endedAtMs === null ? null : time(endedAtMs),
  };
  return eventOf(call, { eventType: 'call.transfer', atMs, payload });
}

/** A silent caller is asked whether he is there; null: the call ends, for he never said. */
function idleEvent(
  call: AboutCall,
  prompt: { readonly number: number; readonly text: string } | null,
  atMs: number,
): NewEvent {
  const asked = { prompt_number: prompt?.number ?? null, prompt: prompt?.text ?? null };
  const payload = { ...asked, ends_call: prompt === null };
  return eventOf(call, { eventType: 'call.idle_silence', atMs, payload });
}

/** To the workspace's address, whichever agent it was that spent. */
export function capEvent(notice: CapNotice, atMs: number): NewEvent {
  const { workspaceId, level, cap, period, used, limit } = notice;
  const eventId = randomId('evt');
  const eventType: EventType = 'workspace.spend_cap';
  const body = {
    event_id: eventId,
    event_type: eventType,
    created_at: time(atMs),
    payload: {
      workspace_id: workspaceId,
      level: level === 'near' ? 'warning' : 'reached',
      cap: CAP_NAMES[cap],
      period,
      used,
      limit,
    },
  };
  const about = { agentId: null, callId: null };
  return { eventId, eventType, workspaceId, ...about, body: JSON.stringify(body), atMs };
}

/** What precedes the last event of a call. */
export function closingEvents(call: AboutCall, ending: CallEnding): readonly NewEvent[] {
  const { endedAtMs: atMs, report, reason } = ending;
  const events: NewEvent[] = [];
  if (reason === 'caller-silent') events.push(idleEvent(call, null, atMs));
  if (report === null) return events;
  const payload = {
    codec: report.codec,
    packets_received: report.packetsReceived,
    packets_lost: report.packetsLost,
    frames_concealed: report.framesConcealed,
    jitter_ms: report.jitterMs,
    round_trip_ms: report.roundTripMs,
    remote_fraction_lost: report.remoteFractionLost,
  };
  return [...events, eventOf(call, { eventType: 'call.quality', atMs, payload })];
}

/** The last event of a call; the same id whoever tells it, so it is told once. */
export function completedEvent(
  call: AboutCall & Pick<CallRecord, 'answeredAtMs'>,
  ending: Pick<CallEnding, 'endedAtMs' | 'reason' | 'sipStatus'>,
  turns: readonly TranscriptTurn[],
): NewEvent {
  const { answeredAtMs } = call;
  const { endedAtMs: atMs, reason, sipStatus } = ending;
  const payload = {
    status: answeredAtMs === null ? 'failed' : 'completed',
    disposition: reason,
    blame: blameOf(reason),
    sip_status: sipStatus,
    answered_at: answeredAtMs === null ? null : time(answeredAtMs),
    ended_at: time(atMs),
    duration_seconds: answeredAtMs === null ? 0 : Math.round(atMs - answeredAtMs) / 1000,
    transcript: turns.slice(0, TURNS_MAX).map(toTurn),
    is_transcript_whole: turns.length <= TURNS_MAX,
    recording_url: null,
  };
  return eventOf(call, { eventId: `evt_${call.id}`, eventType: 'call.completed', atMs, payload });
}

function toTurn({ id, role, text, via, startedAtMs, isInterrupted }: TranscriptTurn) {
  return {
    turn_id: id,
    role,
    text,
    via,
    started_at: time(startedAtMs),
    is_interrupted: isInterrupted,
  };
}

function time(atMs: number): string {
  return new Date(atMs).toISOString();
}
