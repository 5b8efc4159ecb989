import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Call } from '../../call/call.ts';
import type { CallFeed } from '../../call/call-feed.ts';
import type { CallRecord } from '../../model/call.ts';
import type { CallId } from '../../model/ids.ts';
import type { Caption, TranscriptTurn } from '../../model/turn.ts';
import type { CallRepository } from '../../storage/call-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { type EventStream, type EventStreams, LAST_ID } from '../event-stream.ts';
import { lastEventIdOf, tooManyStreams } from '../event-stream.ts';
import { KEYED, V1_ERRORS, V1Error } from '../shapes.ts';
import {
  CallEvent,
  endOf,
  toCallEvent,
  toCaptionFrame,
  toTurnFrame,
  TranscriptFrame,
} from './call-stream-shapes.ts';
import { callOf, OneCall } from './calls.ts';

export interface CallStreamRoutesOptions {
  readonly auth: Auth;
  readonly calls: Pick<CallRepository, 'find' | 'transcript'>;
  readonly feed: Pick<CallFeed, 'watch'>;
  /** A call that is live here. */
  readonly live: (id: CallId) => Pick<Call, 'turns' | 'watchCaptions'> | null;
  readonly streams: EventStreams;
}

const EVENTS_TEXT = `Server-sent events, each named by its \`type\`: \`initiated\`, \`dialing\`,
\`ringing\`, \`early-media\`, \`answered\`, \`answered-by\`, \`activity\`, \`turn\`, \`tool\`,
\`idle-prompt\`, \`quality-degraded\`, \`transfer\` and, always last, \`ended\`. Ids are numbers; with \`Last-Event-ID\` the
stream goes on behind that one. A call that ended long ago tells its \`ended\` alone. 204: the reader
has got everything, and need not come back.`;

const TRANSCRIPT_TEXT = `Server-sent events without a name, one frame each. A frame that is not
final replaces the one before it of the same \`turn_id\`, has no id and is not told again. After the
call comes one event named \`ended\`. With \`Last-Event-ID\` the stream goes on behind that frame.
204: the reader has got everything, and need not come back.`;

/** What a call is doing, told while it happens. */
export const callStreamRoutes: FastifyPluginAsyncTypebox<CallStreamRoutesOptions> = async (
  app,
  options,
) => {
  const { auth, calls, streams } = options;
  const common = {
    tags: ['Calls'],
    security: KEYED,
    params: OneCall,
    headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 10 })) }),
  };
  const errors = { 204: Type.Null(), ...V1_ERRORS, 404: V1Error, 409: V1Error };
  const needs = { onRequest: auth.needs('calls:read'), exposeHeadRoute: false };
  app.addHook('preClose', async () => streams.closeAll());

  app.get(
    '/v1/calls/:call_id/events',
    {
      ...needs,
      schema: {
        ...common,
        operationId: 'watch_call',
        summary: 'What the call is doing, as it happens',
        description: EVENTS_TEXT,
        response: { 200: eventsOf(CallEvent), ...errors },
      },
    },
    async (request, reply) => {
      const call = await callOf(auth, calls, request);
      const afterId = lastEventIdOf(request);
      if (afterId >= LAST_ID) return reply.code(204).send(null);
      const stream = streams.open(call.workspaceId);
      const hasMore = watchEvents(call, afterId, stream, options);
      return hasMore ? stream.answer(reply) : reply.code(204).send(null);
    },
  );

  app.get(
    '/v1/calls/:call_id/transcript/stream',
    {
      ...needs,
      schema: {
        ...common,
        operationId: 'watch_transcript',
        summary: 'What is said in the call, as it is said',
        description: TRANSCRIPT_TEXT,
        response: { 200: eventsOf(TranscriptFrame), ...errors },
      },
    },
    async (request, reply) => {
      const call = await callOf(auth, calls, request);
      const afterId = lastEventIdOf(request);
      if (afterId >= LAST_ID) return reply.code(204).send(null);
      const stored = options.live(call.id) === null ? await calls.transcript(call.id) : [];
      const stream = streams.open(call.workspaceId);
      watchTranscript(call, afterId, stored, stream, options);
      return stream.answer(reply);
    },
  );
};

function eventsOf(schema: typeof CallEvent | typeof TranscriptFrame) {
  return {
    description: 'The `data` of each event.',
    content: { 'text/event-stream': { schema } },
  };
}

/** False: the reader has got all that there will ever be. */
function watchEvents(
  call: CallRecord,
  afterId: number,
  stream: EventStream,
  { feed }: CallStreamRoutesOptions,
): boolean {
  let told = 0;
  let isOver = false;
  const stop = watching(stream, () =>
    feed.watch(call.id, afterId, {
      onEntry: ({ id, atMs, progress }) => {
        told += 1;
        stream.send({ id, name: progress.type, data: toCallEvent(call.id, atMs, progress) });
      },
      onClosed: () => {
        isOver = true;
        stream.end();
      },
    }),
  );
  if (stop === 'unknown') sendStoredEnd(call, stream);
  else if (isOver && told === 0) {
    stream.cut();
    return false;
  }
  stream.caughtUp();
  return true;
}

/** Turns first from what is known of the call, then as they come; captions between them. */
function watchTranscript(
  call: CallRecord,
  afterId: number,
  stored: readonly TranscriptTurn[],
  stream: EventStream,
  { feed, live }: CallStreamRoutesOptions,
): void {
  // The turn with that index is the frame with the next id.
  let nextIndex = afterId;
  const tell = (turn: TranscriptTurn) => {
    if (turn.index < nextIndex) return;
    nextIndex = turn.index + 1;
    stream.send({ id: nextIndex, data: toTurnFrame(turn) });
  };
  const liveCall = live(call.id);
  for (const turn of liveCall?.turns ?? stored) tell(turn);
  const stop = watching(stream, () =>
    feed.watch(call.id, 0, {
      onEntry: ({ atMs, progress }) => {
        if (progress.type === 'turn') tell(progress.turn);
        if (progress.type !== 'ended') return;
        const data = toCallEvent(call.id, atMs, progress);
        stream.send({ id: LAST_ID, name: 'ended', data });
      },
      onClosed: () => stream.end(),
    }),
  );
  if (stop === 'unknown') return sendStoredEnd(call, stream);
  const onCaption = (caption: Caption) =>
    stream.send({ data: toCaptionFrame(caption, Date.now()) });
  const unwatch = liveCall?.watchCaptions(onCaption);
  if (unwatch !== undefined) stream.onClosed(unwatch);
  stream.caughtUp();
}

/** Watches until the reader is gone; too many watchers of one call are refused. */
function watching(
  stream: EventStream,
  watch: () => (() => void) | 'unknown' | 'full',
): 'watching' | 'unknown' {
  const stop = watch();
  if (stop === 'unknown') return 'unknown';
  if (stop === 'full') {
    stream.cut();
    throw tooManyStreams();
  }
  stream.onClosed(stop);
  return 'watching';
}

/** Nothing else is known any more of a call that ended long ago, or before a restart. */
function sendStoredEnd(call: CallRecord, stream: EventStream): void {
  const end = endOf(call);
  if (end === null) {
    stream.cut();
    throw new HttpError('CALL_NOT_LIVE', 'The call is live in another process.');
  }
  stream.send({ id: LAST_ID, name: 'ended', data: end });
  stream.end();
}
