import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { asAgentId, asCallId, type CallId, type WorkspaceId } from '../../model/ids.ts';
import type { CallRecord } from '../../model/call.ts';
import type { CallFilter, CallRepository } from '../../storage/call-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { pageOf } from '../page.ts';
import { KEYED, oneOf, PAGE_QUERY, V1_ERRORS, V1Error } from '../shapes.ts';
import { Call, CallPage, DOORS, REASONS, STATUSES, toSummary, toWholeCall } from './call-shapes.ts';

/** What the routes need is passed in, so a test can register this plugin alone. */
export interface CallRoutesOptions {
  readonly auth: Auth;
  readonly calls: Pick<CallRepository, 'find' | 'list' | 'transcript'>;
  /** Ends a live call of the workspace; resolves once the hang-up is under way. */
  readonly hangUp: (workspaceId: WorkspaceId, id: CallId) => Promise<void>;
}

const ListQuery = Type.Object(
  {
    ...PAGE_QUERY,
    agent_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    status: Type.Optional(oneOf(STATUSES)),
    direction: Type.Optional(oneOf(['inbound', 'outbound'])),
    door: Type.Optional(oneOf(DOORS)),
    from_number: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    to_number: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    end_reason: Type.Optional(oneOf(REASONS)),
    started_from: Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601 time.' })),
    started_before: Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601 time.' })),
  },
  { additionalProperties: false },
);
export const OneCall = Type.Object({ call_id: Type.String({ minLength: 1, maxLength: 100 }) });

export const callRoutes: FastifyPluginAsyncTypebox<CallRoutesOptions> = async (app, options) => {
  const { auth, calls, hangUp } = options;
  const common = { tags: ['Calls'], security: KEYED };
  const one = { ...common, params: OneCall };
  const errors = { ...V1_ERRORS, 404: V1Error };

  app.get(
    '/v1/calls',
    {
      onRequest: auth.needs('calls:read'),
      schema: {
        ...common,
        operationId: 'list_calls',
        summary: 'Calls, newest first',
        querystring: ListQuery,
        response: { 200: CallPage, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { workspaceId, isTest } = auth.keyOf(request);
      const filter = { ...toFilter(request.query), isTest };
      const page = await pageOf(
        request.query,
        (limit, after) =>
          calls.list(
            workspaceId,
            filter,
            limit,
            after && { startedAtMs: after.atMs, id: after.id },
          ),
        (item) => item.startedAtMs,
      );
      return { calls: page.items.map(toSummary), next_page_token: page.nextPageToken };
    },
  );

  app.get(
    '/v1/calls/:call_id',
    {
      onRequest: auth.needs('calls:read'),
      schema: {
        ...one,
        operationId: 'get_call',
        summary: 'One call with its transcript, timings and end',
        response: { 200: Call, ...errors },
      },
    },
    async (request) => {
      const call = await callOf(auth, calls, request);
      const transcript = await calls.transcript(call.id);
      return toWholeCall(call, transcript);
    },
  );

  app.delete(
    '/v1/calls/:call_id',
    {
      onRequest: auth.needs('calls:write'),
      schema: {
        ...one,
        operationId: 'hang_up_call',
        summary: 'Hang up; a call that has ended stays as it is',
        response: { 204: Type.Null(), ...errors },
      },
    },
    async (request, reply) => {
      const call = await callOf(auth, calls, request);
      if (call.endedAtMs === null) await hangUp(call.workspaceId, call.id);
      return reply.code(204).send(null);
    },
  );
};

/** The call that a request names. Throws `NOT_FOUND`, also for another workspace's. */
export async function callOf(
  auth: Auth,
  calls: Pick<CallRepository, 'find'>,
  request: RequestOfCall,
): Promise<CallRecord> {
  const { workspaceId, isTest } = auth.keyOf(request);
  const call = await calls.find(workspaceId, asCallId(request.params.call_id));
  if (call === null || (call.isTest ?? false) !== isTest)
    throw new HttpError('NOT_FOUND', 'There is no such call.');
  return call;
}

type RequestOfCall = FastifyRequest<{ Params: Static<typeof OneCall> }>;

function toFilter(query: Static<typeof ListQuery>): CallFilter {
  return {
    agentId: query.agent_id === undefined ? undefined : asAgentId(query.agent_id),
    status: query.status,
    direction: query.direction,
    door: query.door,
    fromNumber: numberIn(query.from_number),
    toNumber: numberIn(query.to_number),
    endReason: query.end_reason,
    startedFromMs: toMs('started_from', query.started_from),
    startedBeforeMs: toMs('started_before', query.started_before),
  };
}

/** A "+" that was not written as %2B has arrived as a space. */
function numberIn(text: string | undefined): string | undefined {
  return text?.replace(/^ (?=\d)/, '+');
}

function toMs(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const atMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw new HttpError('INVALID_ARGUMENT', `${name} is no ISO 8601 time.`);
  return atMs;
}
