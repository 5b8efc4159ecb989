import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { CallRecord } from '../../model/call.ts';
import { blameOf, END_REASONS, type EndReason } from '../../model/end-reason.ts';
import { asAgentId, asCallId, type CallId, type WorkspaceId } from '../../model/ids.ts';
import type { TranscriptTurn } from '../../model/turn.ts';
import type { CallFilter, CallRepository } from '../../storage/call-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { parsePageToken, toPageToken } from '../page-token.ts';
import {
  KEYED,
  nullable,
  oneOf,
  PAGE_QUERY,
  PAGE_SIZE,
  Time,
  toNullableTime,
  toTime,
  V1_ERRORS,
  V1Error,
} from '../shapes.ts';

/** What the routes need is passed in, so a test can register this plugin alone. */
export interface CallRoutesOptions {
  readonly auth: Auth;
  readonly calls: Pick<CallRepository, 'find' | 'list' | 'transcript'>;
  /** Ends a live call of the workspace; resolves once the hang-up is under way. */
  hangUp(workspaceId: WorkspaceId, id: CallId): Promise<void>;
}

const STATUSES = ['initiated', 'ringing', 'in-progress', 'completed', 'failed'] as const;
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are the union
const REASONS = Object.keys(END_REASONS) as EndReason[];

const CALL_FIELDS = {
  call_id: Type.String(),
  agent_id: nullable(Type.String()),
  status: oneOf(STATUSES),
  direction: oneOf(['inbound', 'outbound']),
  door: oneOf(['trunk', 'sip-websocket', 'web-offer', 'click-to-call', 'api']),
  from_number: Type.String(),
  to_number: Type.String(),
  started_at: Time,
  answered_at: nullable(Time),
  ended_at: nullable(Time),
  duration_seconds: nullable(Type.Number({ description: 'Answer to end.' })),
  end_reason: nullable(oneOf(REASONS)),
  blame: nullable(oneOf(['caller', 'agent', 'operator', 'provider', 'gateway', 'none'])),
  sip_status: nullable(Type.Integer()),
};
const CallSummary = Type.Object(CALL_FIELDS, { title: 'CallSummary' });

const stamp = nullable(Type.Number());
const Turn = Type.Object(
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

const count = Type.Integer();
const Media = Type.Object(
  {
    codec: nullable(oneOf(['pcmu', 'pcma', 'g722', 'opus'])),
    packets_sent: count,
    packets_received: count,
    packets_lost: count,
    packets_late: count,
    packets_duplicate: count,
    packets_from_strangers: count,
    packets_malformed: count,
    frames_concealed: count,
    jitter_ms: Type.Number(),
    round_trip_ms: nullable(Type.Number()),
    remote_fraction_lost: nullable(Type.Number()),
  },
  { title: 'Media' },
);

const Call = Type.Object(
  { ...CALL_FIELDS, transcript: Type.Array(Turn), media: nullable(Media) },
  { title: 'Call' },
);
const CallPage = Type.Object(
  { calls: Type.Array(CallSummary), next_page_token: nullable(Type.String()) },
  { title: 'CallPage' },
);

const ListQuery = Type.Object(
  {
    ...PAGE_QUERY,
    agent_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    status: Type.Optional(oneOf(STATUSES)),
    direction: Type.Optional(oneOf(['inbound', 'outbound'])),
    end_reason: Type.Optional(oneOf(REASONS)),
    started_from: Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601 time.' })),
    started_before: Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601 time.' })),
  },
  { additionalProperties: false },
);
const OneCall = Type.Object({ call_id: Type.String({ minLength: 1, maxLength: 100 }) });

export const callRoutes: FastifyPluginAsyncTypebox<CallRoutesOptions> = async (app, options) => {
  const { auth, calls, hangUp } = options;

  app.get(
    '/v1/calls',
    {
      onRequest: auth.needs('calls:read'),
      schema: {
        operationId: 'list_calls',
        summary: 'Calls, newest first',
        tags: ['Calls'],
        security: KEYED,
        querystring: ListQuery,
        response: { 200: CallPage, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { page_size: limit = PAGE_SIZE, page_token: token } = request.query;
      const { workspaceId } = auth.keyOf(request);
      const from = token === undefined ? undefined : parsePageToken(token);
      const after = from === undefined ? undefined : { startedAtMs: from.atMs, id: from.id };
      // One more than asked for tells whether there is a next page.
      const found = await calls.list(workspaceId, toFilter(request.query), limit + 1, after);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const hasMore = found.length > limit && last !== undefined;
      return {
        calls: page.map(toSummary),
        next_page_token: hasMore ? toPageToken({ atMs: last.startedAtMs, id: last.id }) : null,
      };
    },
  );

  app.get(
    '/v1/calls/:call_id',
    {
      onRequest: auth.needs('calls:read'),
      schema: {
        operationId: 'get_call',
        summary: 'One call with its transcript, timings and end',
        tags: ['Calls'],
        security: KEYED,
        params: OneCall,
        response: { 200: Call, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request) => {
      const call = await existing(auth.keyOf(request).workspaceId, request.params.call_id);
      const transcript = await calls.transcript(call.id);
      return { ...toSummary(call), transcript: transcript.map(toTurn), media: toMedia(call) };
    },
  );

  app.delete(
    '/v1/calls/:call_id',
    {
      onRequest: auth.needs('calls:write'),
      schema: {
        operationId: 'hang_up_call',
        summary: 'Hang up; a call that has ended stays as it is',
        tags: ['Calls'],
        security: KEYED,
        params: OneCall,
        response: { 204: Type.Null(), 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const { workspaceId } = auth.keyOf(request);
      const call = await existing(workspaceId, request.params.call_id);
      if (call.endedAtMs === null) await hangUp(workspaceId, call.id);
      return reply.code(204).send(null);
    },
  );

  async function existing(workspaceId: WorkspaceId, id: string): Promise<CallRecord> {
    const call = await calls.find(workspaceId, asCallId(id));
    if (call === null) throw new HttpError('NOT_FOUND', 'There is no such call.');
    return call;
  }
};

function toFilter(query: Static<typeof ListQuery>): CallFilter {
  return {
    agentId: query.agent_id === undefined ? undefined : asAgentId(query.agent_id),
    status: query.status,
    direction: query.direction,
    endReason: query.end_reason,
    startedFromMs: toMs('started_from', query.started_from),
    startedBeforeMs: toMs('started_before', query.started_before),
  };
}

function toMs(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const atMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw new HttpError('INVALID_ARGUMENT', `${name} is no ISO 8601 time.`);
  return atMs;
}

function toSummary(call: CallRecord): Static<typeof CallSummary> {
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
  };
}

function toTurn({ stamps, ...turn }: TranscriptTurn): Static<typeof Turn> {
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

function toMedia({ report }: CallRecord): Static<typeof Media> | null {
  if (report === null) return null;
  return {
    codec: report.codec,
    packets_sent: report.packetsSent,
    packets_received: report.packetsReceived,
    packets_lost: report.packetsLost,
    packets_late: report.packetsLate,
    packets_duplicate: report.packetsDuplicate,
    packets_from_strangers: report.packetsFromStrangers,
    packets_malformed: report.packetsMalformed,
    frames_concealed: report.framesConcealed,
    jitter_ms: report.jitterMs,
    round_trip_ms: report.roundTripMs,
    remote_fraction_lost: report.remoteFractionLost,
  };
}
