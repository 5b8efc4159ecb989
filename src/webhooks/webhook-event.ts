import type { CallEnding } from '../call/journal.ts';
import { randomId } from '../lib/random-id.ts';
import type { CallRecord } from '../model/call.ts';
import { blameOf } from '../model/end-reason.ts';
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
  'call.quality',
  'call.completed',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

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

export interface EventFacts {
  readonly eventId?: string;
  readonly eventType: EventType;
  readonly atMs: number;
  readonly payload?: Readonly<Record<string, unknown>>;
}

export function eventOf(call: AboutCall, facts: EventFacts): NewEvent {
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

/** What precedes the last event of a call. */
export function closingEvents(call: AboutCall, ending: CallEnding): readonly NewEvent[] {
  const { endedAtMs: atMs, report, reason } = ending;
  const events: NewEvent[] = [];
  if (reason === 'caller-silent')
    events.push(eventOf(call, { eventType: 'call.idle_silence', atMs }));
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
