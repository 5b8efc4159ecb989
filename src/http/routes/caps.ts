import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { type EffectiveCaps, NO_CAPS } from '../../billing/caps.ts';
import type { TermsBook } from '../../billing/terms-book.ts';
import type { Caps } from '../../model/billing.ts';
import { asWorkspaceId, type WorkspaceId } from '../../model/ids.ts';
import type { CallHoldRepository } from '../../storage/call-hold-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { BODY_ERRORS, KEYED, nullable, V1_ERRORS, V1Error } from '../shapes.ts';

export interface CapRoutesOptions {
  readonly auth: Auth;
  readonly terms: Pick<TermsBook, 'find' | 'setCaps'>;
  readonly callHolds: Pick<CallHoldRepository, 'standing'>;
  readonly nowMs: () => number;
  /** Of workspaces without rates. */
  readonly currency: string;
}

const strict = { additionalProperties: false };
const Limit = (maximum: number, description: string) =>
  nullable(Type.Integer({ minimum: 0, maximum, description }));
const LIMITS = {
  minutes_per_day: Limit(10_000_000, 'Of answered calls, in a day of UTC.'),
  minutes_per_month: Limit(100_000_000, 'In a month of UTC.'),
  calls_per_day: Limit(10_000_000, 'Answered ones, and every one that was made.'),
  calls_per_month: Limit(100_000_000, 'In a month.'),
  micros_per_day: Limit(Number.MAX_SAFE_INTEGER, 'Millionths of the currency, by list price.'),
  micros_per_month: Limit(Number.MAX_SAFE_INTEGER, 'In a month.'),
  calls_at_once: Limit(100_000, 'Live calls.'),
  call_seconds_max: nullable(
    Type.Integer({ minimum: 10, maximum: 86_400, description: 'Longest call.' }),
  ),
};
const Destinations = Type.Array(Type.String({ pattern: '^\\+[0-9]{0,15}$' }), {
  maxItems: 256,
  description: 'How numbers begin that may be called; "+" is everywhere, an empty list nowhere.',
});
const CapsBody = Type.Partial(
  Type.Object({ ...LIMITS, destinations: nullable(Destinations) }, strict),
  strict,
);
const Spent = Type.Object({
  calls: Type.Integer(),
  voice_seconds: Type.Integer(),
  list_price_micros: Type.Integer(),
});
const CapsView = Type.Object(
  {
    workspace_id: Type.String(),
    ...LIMITS,
    destination_lists: Type.Array(Destinations, {
      description: 'A number must be allowed by each of them, and by a trunk.',
    }),
    used_today: Spent,
    used_this_month: Spent,
    held_seconds: Type.Integer({ description: 'For live calls of today, until they end.' }),
    live_calls: Type.Integer(),
  },
  { title: 'Caps' },
);
const OneWorkspace = Type.Object({ workspace_id: Type.String({ minLength: 1, maxLength: 100 }) });
const reads = { 200: CapsView, 404: V1Error, ...V1_ERRORS };
const changes = { ...reads, ...BODY_ERRORS };

/** What a workspace may have. Owners may ask for less than the operator lets them. */
export const capRoutes: FastifyPluginAsyncTypebox<CapRoutesOptions> = async (app, options) => {
  const { auth } = options;
  const common = { tags: ['Billing'], security: KEYED };

  app.get(
    '/v1/workspace/caps',
    {
      onRequest: auth.needs('workspace:read'),
      schema: {
        ...common,
        operationId: 'get_caps',
        summary: 'What the workspace may have, and what it had',
        response: reads,
      },
    },
    async (request) => capsOf(options, auth.keyOf(request).workspaceId),
  );

  app.put(
    '/v1/workspace/caps',
    {
      onRequest: auth.needs('workspace:write'),
      schema: {
        ...common,
        operationId: 'set_caps',
        summary: 'Hold the workspace to less than the operator does',
        description: 'What is left out or null is as the operator set it. Live calls go on.',
        body: CapsBody,
        response: changes,
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      return setCaps(options, workspaceId, 'owner', request.body);
    },
  );

  await app.register(anyWorkspaceCaps, options);
};

const anyWorkspaceCaps: FastifyPluginAsyncTypebox<CapRoutesOptions> = async (app, options) => {
  const { auth } = options;
  const common = { tags: ['Operator'], security: KEYED, params: OneWorkspace };

  app.get(
    '/v1/workspaces/:workspace_id/caps',
    {
      onRequest: auth.needs('workspaces:read'),
      schema: {
        ...common,
        operationId: 'get_any_caps',
        summary: 'What a workspace may have, and what it had',
        response: reads,
      },
    },
    async (request) => capsOf(options, asWorkspaceId(request.params.workspace_id)),
  );

  app.put(
    '/v1/workspaces/:workspace_id/caps',
    {
      onRequest: auth.needs('workspaces:write'),
      schema: {
        ...common,
        operationId: 'set_any_caps',
        summary: 'Set what a workspace may have',
        description:
          "What is left out or null is as the settings have it for the workspace's type.",
        body: CapsBody,
        response: changes,
      },
    },
    async (request) => {
      const id = asWorkspaceId(request.params.workspace_id);
      return setCaps(options, id, 'operator', request.body);
    },
  );
};

async function setCaps(
  options: CapRoutesOptions,
  id: WorkspaceId,
  by: 'operator' | 'owner',
  body: Static<typeof CapsBody>,
): Promise<Static<typeof CapsView>> {
  await capsOf(options, id);
  await options.terms.setCaps(id, by, toCaps(body), options.nowMs());
  return capsOf(options, id);
}

async function capsOf(
  { terms, callHolds, nowMs, currency }: CapRoutesOptions,
  id: WorkspaceId,
): Promise<Static<typeof CapsView>> {
  const found = await terms.find(id);
  if (found === null) throw new HttpError('NOT_FOUND', 'There is no such workspace.');
  const today = new Date(nowMs()).toISOString().slice(0, 10);
  const standing = await callHolds.standing(id, today, found.rates?.currency ?? currency);
  return {
    workspace_id: id,
    ...toLimits(found.caps),
    destination_lists: found.caps.destinationLists.map((list) => [...list]),
    used_today: toSpent(standing.day.ended),
    used_this_month: toSpent(standing.month.ended),
    held_seconds: standing.day.held.seconds,
    live_calls: standing.liveCalls,
  };
}

function toCaps(body: Static<typeof CapsBody>): Caps {
  return {
    ...NO_CAPS,
    minutesPerDay: body.minutes_per_day ?? null,
    minutesPerMonth: body.minutes_per_month ?? null,
    callsPerDay: body.calls_per_day ?? null,
    callsPerMonth: body.calls_per_month ?? null,
    microsPerDay: body.micros_per_day ?? null,
    microsPerMonth: body.micros_per_month ?? null,
    callsAtOnce: body.calls_at_once ?? null,
    callSecondsMax: body.call_seconds_max ?? null,
    destinations: body.destinations ?? null,
  };
}

function toLimits(caps: EffectiveCaps) {
  return {
    minutes_per_day: caps.minutesPerDay,
    minutes_per_month: caps.minutesPerMonth,
    calls_per_day: caps.callsPerDay,
    calls_per_month: caps.callsPerMonth,
    micros_per_day: caps.microsPerDay,
    micros_per_month: caps.microsPerMonth,
    calls_at_once: caps.callsAtOnce,
    call_seconds_max: caps.callSecondsMax,
  };
}

function toSpent(sums: {
  readonly calls: number;
  readonly seconds: number;
  readonly micros: number;
}) {
  return { calls: sums.calls, voice_seconds: sums.seconds, list_price_micros: sums.micros };
}
