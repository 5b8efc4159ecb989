import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { minorUnits } from '../../billing/minor-units.ts';
import { csvLine } from '../../lib/csv.ts';
import type { WorkspaceId } from '../../model/ids.ts';
import type { BillingTermsRepository } from '../../storage/billing-terms-repository.ts';
import type { UsageRepository, UsageSums } from '../../storage/usage-repository.ts';
import type { Auth } from '../auth.ts';
import { KEYED, nullable, oneOf, V1_ERRORS } from '../shapes.ts';
import { daysOf, Period, PERIOD_QUERY, toPeriodView } from '../usage-period.ts';

export interface UsageRoutesOptions {
  readonly auth: Auth;
  readonly usage: UsageRepository;
  readonly billingTerms: Pick<BillingTermsRepository, 'find'>;
  readonly nowMs: () => number;
  /** Of workspaces without rates. */
  readonly currency: string;
}

const GROUPS_MAX = 1000;
const GROUPINGS = ['day', 'agent', 'door', 'direction'] as const;

const SUMS = {
  calls: Type.Integer({ description: 'Answered or not.' }),
  answered_calls: Type.Integer(),
  voice_minutes: Type.Number({ description: 'Answer to end, to the hundredth.' }),
  voice_seconds: Type.Integer(),
  billed_seconds: Type.Integer({ description: 'In the steps of the rates.' }),
  total_cost_minor: Type.Integer({ description: 'Minor units of the currency, rounded half up.' }),
  total_cost_micros: Type.Integer({ description: 'Millionths of the currency, exact.' }),
  list_price_minor: Type.Integer({ description: 'What it would cost in a standard workspace.' }),
  list_price_micros: Type.Integer(),
};
const Usage = Type.Object(
  {
    workspace_id: Type.String(),
    period: Period,
    currency: Type.String(),
    ...SUMS,
    group_by: nullable(oneOf(GROUPINGS)),
    groups: Type.Array(Type.Object({ key: Type.String(), ...SUMS }), { maxItems: GROUPS_MAX }),
    has_more_groups: Type.Boolean(),
  },
  { title: 'Usage' },
);
const Query = Type.Object(
  { ...PERIOD_QUERY, group_by: Type.Optional(oneOf(GROUPINGS)) },
  { additionalProperties: false },
);
const Csv = Type.String({ description: 'RFC 4180, a line for each group, or for the total.' });
const common = { tags: ['Billing'], security: KEYED, querystring: Query };

/** What a workspace's calls came to. */
export const usageRoutes: FastifyPluginAsyncTypebox<UsageRoutesOptions> = async (app, options) => {
  const { auth } = options;

  app.get(
    '/v1/usage',
    {
      onRequest: auth.needs('usage:read'),
      schema: {
        ...common,
        operationId: 'get_usage',
        summary: 'Calls, minutes and cost of a period; as CSV with Accept: text/csv',
        response: {
          200: {
            description: 'Sums of ledger entries.',
            content: { 'application/json': { schema: Usage }, 'text/csv': { schema: Csv } },
          },
          ...V1_ERRORS,
        },
      },
    },
    async (request, reply) => {
      const usage = await usageOf(options, request);
      void reply.header('vary', 'accept');
      return wantsCsv(request) ? sendCsv(reply, usage) : reply.send(usage);
    },
  );

  app.get(
    '/v1/usage.csv',
    {
      onRequest: auth.needs('usage:read'),
      schema: {
        ...common,
        operationId: 'get_usage_csv',
        summary: 'The same as CSV',
        response: {
          200: { description: 'A file.', content: { 'text/csv': { schema: Csv } } },
          ...V1_ERRORS,
        },
      },
    },
    async (request, reply) => sendCsv(reply, await usageOf(options, request)),
  );
};

async function usageOf(
  options: UsageRoutesOptions,
  request: FastifyRequest<{ Querystring: Static<typeof Query> }>,
): Promise<Static<typeof Usage>> {
  const { auth, usage, nowMs } = options;
  const { workspaceId } = auth.keyOf(request);
  const { group_by: by = null } = request.query;
  const days = daysOf(request.query, nowMs());
  const currency = await currencyOf(options, workspaceId);
  const total = await usage.total(workspaceId, days, currency);
  const groups =
    by === null ? [] : await usage.groups(workspaceId, days, currency, by, GROUPS_MAX + 1);
  return {
    workspace_id: workspaceId,
    period: toPeriodView(days),
    currency,
    ...toSums(total, currency),
    group_by: by,
    groups: groups
      .slice(0, GROUPS_MAX)
      .map(({ key, ...sums }) => ({ key, ...toSums(sums, currency) })),
    has_more_groups: groups.length > GROUPS_MAX,
  };
}

async function currencyOf(
  { billingTerms, currency }: UsageRoutesOptions,
  workspaceId: WorkspaceId,
): Promise<string> {
  return (await billingTerms.find(workspaceId))?.rates?.currency ?? currency;
}

function toSums(sums: UsageSums, currency: string) {
  const { calls, answeredCalls, seconds, billedSeconds, amountMicros, listPriceMicros } = sums;
  return {
    calls,
    answered_calls: answeredCalls,
    voice_minutes: Math.round((seconds * 100) / 60) / 100,
    voice_seconds: seconds,
    billed_seconds: billedSeconds,
    total_cost_minor: minorUnits(amountMicros, currency),
    total_cost_micros: amountMicros,
    list_price_minor: minorUnits(listPriceMicros, currency),
    list_price_micros: listPriceMicros,
  };
}

function wantsCsv({ headers }: FastifyRequest): boolean {
  const accept = headers.accept ?? '';
  return /\btext\/csv\b/.test(accept) && !/\bjson\b/.test(accept);
}

const COLUMNS = [
  'calls',
  'answered_calls',
  'voice_seconds',
  'billed_seconds',
  'total_cost_micros',
  'list_price_micros',
] as const;

function sendCsv(reply: FastifyReply, usage: Static<typeof Usage>): FastifyReply {
  const { group_by: by, period, currency } = usage;
  const rows = by === null ? [{ key: `${period.from}/${period.to}`, ...usage }] : usage.groups;
  const lines = rows.map((row) => [row.key, ...COLUMNS.map((name) => row[name]), currency]);
  const text = [[by ?? 'period', ...COLUMNS, 'currency'], ...lines].map(csvLine).join('');
  return asCsvFile(reply, `usage-${period.from}-${period.to}.csv`).serializer(String).send(text);
}

export function asCsvFile(reply: FastifyReply, name: string): FastifyReply {
  return reply
    .type('text/csv; charset=utf-8; header=present')
    .header('content-disposition', `attachment; filename="${name}"`);
}
