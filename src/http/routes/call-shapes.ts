import { type Static, Type } from 'typebox';
import type { CallDoor, CallRecord } from '../../model/call.ts';
import { blameOf, END_REASONS, type EndReason } from '../../model/end-reason.ts';
import type { TransferRecord } from '../../model/transfer.ts';
import type { TranscriptTurn } from '../../model/turn.ts';
import { nullable, oneOf, Time, toNullableTime, toTime } from '../shapes.ts';

export const STATUSES = ['initiated', 'ringing', 'in-progress', 'completed', 'failed'] as const;
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are the union
export const REASONS = Object.keys(END_REASONS) as EndReason[];

export const BLAMES = ['caller', 'agent', 'operator', 'provider', 'gateway', 'none'] as const;
export const DOORS = [
  'trunk',
  'sip-websocket',
  'web-offer',
  'instant-link',
  'click-to-call',
  'api',
] as const satisfies readonly CallDoor[];
export const Direction = oneOf(['inbound', 'outbound']);
export const Door = oneOf(DOORS);

export const AnsweredByShape = oneOf(['human', 'machine', 'machine-beep', 'unknown']);
const CALL_FIELDS = {
  call_id: Type.String(),
  agent_id: nullable(Type.String()),
  status: oneOf(STATUSES),
  direction: Direction,
  door: Door,
  from_number: Type.String(),
  to_number: Type.String(),
  started_at: Time,
  answered_at: nullable(Time),
  ended_at: nullable(Time),
  duration_seconds: nullable(Type.Number({ description: 'Answer to end.' })),
  end_reason: nullable(oneOf(REASONS)),
  blame: nullable(oneOf(BLAMES)),
  sip_status: nullable(Type.Integer()),
  answered_by: nullable(AnsweredByShape),
  is_test: Type.Boolean({ description: 'Simulated, for a test key.' }),
};
export const CallSummary = Type.Object(CALL_FIELDS, { title: 'CallSummary' });

const stamp = nullable(Type.Number());
export const Turn = Type.Object(
  {
    turn_id: Type.String(),
    index: Type.Integer(),
    role: oneOf(['user', 'agent']),
    text: Type.String({ description: 'Of the agent: what was heard.' }),
    generated_text: nullable(Type.String({ description: 'Of a turn cut short: all of it.' })),
    is_interrupted: Type.Boolean(),
    via: nullable(oneOf(['speech', 'digits', 'text'])),
    started_at: Time,
    ended_at: Time,
    stamps: Type.Object(
      {
        speech_started_at_ms: stamp,
        speech_ended_at_ms: stamp,
        speculated_at_ms: stamp,
        transcript_final_at_ms: stamp,
        committed_at_ms: stamp,
        llm_requested_at_ms: stamp,
        llm_first_token_at_ms: stamp,
        tts_requested_at_ms: stamp,
        tts_first_audio_at_ms: stamp,
        playout_started_at_ms: stamp,
        playout_ended_at_ms: stamp,
      },
      { description: 'When each stage happened, in Unix milliseconds with fractions.' },
    ),
  },
  { title: 'Turn' },
);

const ENCRYPTIONS = [
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
  'AEAD_AES_128_GCM',
  'DTLS_SRTP',
] as const;
const count = Type.Integer();
const Media = Type.Object(
  {
    codec: nullable(oneOf(['pcmu', 'pcma', 'g722', 'opus'])),
    encryption: nullable(oneOf(ENCRYPTIONS)),
    packets_sent: count,
    packets_received: count,
    packets_lost: count,
    packets_late: count,
    packets_duplicate: count,
    packets_from_strangers: count,
    packets_malformed: count,
    packets_unauthenticated: count,
    packets_replayed: count,
    frames_concealed: count,
    jitter_ms: Type.Number(),
    round_trip_ms: nullable(Type.Number()),
    remote_fraction_lost: nullable(Type.Number()),
  },
  { title: 'Media' },
);

/** A transfer of a call; the same in the record and in the events. */
export const Transfer = Type.Object(
  {
    by: oneOf(['agent', 'owner', 'caller'], {
      description: 'Who wanted it; "caller": the far side handed the agent over.',
    }),
    mode: oneOf(['blind', 'attended', 'bridge']),
    way: nullable(oneOf(['refer', 'refer-replaces', 'bridge', 'call', 'takeover'])),
    to_number: Type.String(),
    stage: oneOf(['started', 'ringing', 'fell-back', 'bridged', 'completed', 'failed']),
    failure: nullable(
      oneOf([
        'busy',
        'no-answer',
        'refused',
        'unavailable',
        'no-news',
        'spend-cap-reached',
        'quota-exceeded',
        'workspace-busy',
        'abandoned',
      ]),
    ),
    sip_status: nullable(Type.Integer()),
    started_at: Time,
    joined_at: nullable(Time),
    ended_at: nullable(Time),
  },
  { title: 'Transfer' },
);

const NetworkFactsShape = Type.Object(
  {
    caller_name: nullable(Type.String()),
    is_private: Type.Boolean({ description: 'The caller hides the number.' }),
    diverted_from: nullable(Type.String({ description: 'Whom the caller had dialed first.' })),
    diversion_reason: nullable(Type.String()),
    reason: nullable(Type.String({ description: 'Reason header.' })),
    claimed_attestation: nullable(
      Type.String({ description: 'Of the Identity header; its signature is not checked.' }),
    ),
    headers: Type.Record(Type.String(), Type.String()),
  },
  { title: 'NetworkFacts', description: 'What the network said of an inbound call by a trunk.' },
);

export const Call = Type.Object(
  {
    ...CALL_FIELDS,
    transcript: Type.Array(Turn),
    media: nullable(Media),
    transfers: Type.Array(Transfer),
    network_facts: nullable(NetworkFactsShape),
  },
  { title: 'Call' },
);
export const CallPage = Type.Object(
  { calls: Type.Array(CallSummary), next_page_token: nullable(Type.String()) },
  { title: 'CallPage' },
);

export function toSummary(call: CallRecord): Static<typeof CallSummary> {
  const { answeredAtMs, endedAtMs, endReason } = call;
  const isTimed = answeredAtMs !== null && endedAtMs !== null;
  return {
    call_id: call.id,
    agent_id: call.agentId,
    status: call.status,
    direction: call.direction,
    door: call.door,
    from_number: call.fromNumber,
    to_number: call.toNumber,
    started_at: toTime(call.startedAtMs),
    answered_at: toNullableTime(answeredAtMs),
    ended_at: toNullableTime(endedAtMs),
    duration_seconds: isTimed ? (endedAtMs - answeredAtMs) / 1000 : null,
    end_reason: endReason,
    blame: endReason === null ? null : blameOf(endReason),
    sip_status: call.sipStatus,
    answered_by: call.report?.answeredBy ?? null,
    is_test: call.isTest ?? false,
  };
}

export function toTurn({ stamps, ...turn }: TranscriptTurn): Static<typeof Turn> {
  return {
    turn_id: turn.id,
    index: turn.index,
    role: turn.role,
    text: turn.text,
    generated_text: turn.generatedText,
    is_interrupted: turn.isInterrupted,
    via: turn.via,
    started_at: toTime(turn.startedAtMs),
    ended_at: toTime(turn.endedAtMs),
    stamps: {
      speech_started_at_ms: stamps.speechStartedAtMs,
      speech_ended_at_ms: stamps.speechEndedAtMs,
      speculated_at_ms: stamps.speculatedAtMs,
      transcript_final_at_ms: stamps.transcriptFinalAtMs,
      committed_at_ms: stamps.committedAtMs,
      llm_requested_at_ms: stamps.llmRequestedAtMs,
      llm_first_token_at_ms: stamps.llmFirstTokenAtMs,
      tts_requested_at_ms: stamps.ttsRequestedAtMs,
      tts_first_audio_at_ms: stamps.ttsFirstAudioAtMs,
      playout_started_at_ms: stamps.playoutStartedAtMs,
      playout_ended_at_ms: stamps.playoutEndedAtMs,
    },
  };
}

export function toTransfer(transfer: TransferRecord): Static<typeof Transfer> {
  const { toNumber, sipStatus, startedAtMs, joinedAtMs, endedAtMs, ...rest } = transfer;
  return {
    ...rest,
    to_number: toNumber,
    sip_status: sipStatus,
    started_at: toTime(startedAtMs),
    joined_at: toNullableTime(joinedAtMs),
    ended_at: toNullableTime(endedAtMs),
  };
}

export function toWholeCall(
  call: CallRecord,
  transcript: readonly TranscriptTurn[],
): Static<typeof Call> {
  return {
    ...toSummary(call),
    transcript: transcript.map(toTurn),
    media: toMedia(call),
    transfers: (call.transfers ?? []).map(toTransfer),
    network_facts: toNetworkFacts(call),
  };
}

function toNetworkFacts({ networkFacts }: CallRecord) {
  if (!networkFacts) return null;
  return {
    caller_name: networkFacts.callerName,
    is_private: networkFacts.isPrivate,
    diverted_from: networkFacts.divertedFrom,
    diversion_reason: networkFacts.diversionReason,
    reason: networkFacts.reason,
    claimed_attestation: networkFacts.claimedAttestation,
    headers: { ...networkFacts.headers },
  };
}

export function toMedia({ report }: CallRecord): Static<typeof Media> | null {
  if (report === null) return null;
  return {
    codec: report.codec,
    encryption: report.encryption,
    packets_sent: report.packetsSent,
    packets_received: report.packetsReceived,
    packets_lost: report.packetsLost,
    packets_late: report.packetsLate,
    packets_duplicate: report.packetsDuplicate,
    packets_from_strangers: report.packetsFromStrangers,
    packets_malformed: report.packetsMalformed,
    packets_unauthenticated: report.packetsUnauthenticated,
    packets_replayed: report.packetsReplayed,
    frames_concealed: report.framesConcealed,
    jitter_ms: report.jitterMs,
    round_trip_ms: report.roundTripMs,
    remote_fraction_lost: report.remoteFractionLost,
  };
}
