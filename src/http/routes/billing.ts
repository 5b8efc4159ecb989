import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { MICROS_MAX, STEP_SECONDS_MAX } from '../../billing/rate-call.ts';
import { firstDuplicate, RATES_MAX } from '../../billing/rate-card.ts';
import type { TermsBook } from '../../billing/terms-book.ts';
import type { RateCard } from '../../model/billing.ts';
import { asWorkspaceId, type WorkspaceId } from '../../model/ids.ts';
import type { BillingTermsRepository } from '../../storage/billing-terms-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { BODY_ERRORS, KEYED, nullable, V1_ERRORS, V1Error } from '../shapes.ts';
import { Direction, Door } from './call-shapes.ts';

export interface BillingRoutesOptions {
  readonly auth: Auth;
  readonly billingTerms: Pick<BillingTermsRepository, 'find'>;
  readonly terms: Pick<TermsBook, 'setRates'>;
  readonly nowMs: () => number;
  /** Of workspaces without rates. */
  readonly currency: string;
}

const strict = { additionalProperties: false };
const Micros = (description: string) =>
  Type.Integer({ minimum: 0, maximum: MICROS_MAX, description });
const Seconds = (description: string) =>
  Type.Integer({ minimum: 1, maximum: STEP_SECONDS_MAX, description });
const RATE_FIELDS = {
  direction: Direction,
  per_minute_micros: Micros('Millionths of the currency for a minute.'),
};
const RATE_OPTIONS = {
  door: nullable(Door),
  prefix: Type.String({
    pattern: '^(\\+[0-9]{0,15})?$',
    description: 'How dialed numbers begin; outbound only. The longest that fits wins.',
  }),
  setup_micros: Micros('Of an answered call, once.'),
  first_seconds: Seconds('An answered call is billed at least so long.'),
  next_seconds: Seconds('After that, every step of so long that has begun.'),
};
const RateView = Type.Object({ ...RATE_FIELDS, ...RATE_OPTIONS }, { title: 'Rate' });
const NewRate = Type.Object(
  { ...RATE_FIELDS, ...Type.Partial(Type.Object(RATE_OPTIONS)).properties },
  strict,
);
const Currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217.' });
const Rates = Type.Object(
  { workspace_id: Type.String(), currency: Currency, rates: Type.Array(RateView) },
  { title: 'Rates', description: 'Calls that no rate fits cost nothing.' },
);
const RatesBody = Type.Object(
  { currency: Currency, rates: Type.Array(NewRate, { maxItems: RATES_MAX }) },
  strict,
);
const OneWorkspace = Type.Object({ workspace_id: Type.String({ minLength: 1, maxLength: 100 }) });
const reads = { 200: Rates, 404: V1Error, ...V1_ERRORS };
const changes = { ...reads, ...BODY_ERRORS, 409: V1Error };

/** Owners read what their calls cost; who runs the daemon sets it. */
export const billingRoutes: FastifyPluginAsyncTypebox<BillingRoutesOptions> = async (
  app,
  options,
) => {
  const { auth } = options;

  app.get(
    '/v1/workspace/rates',
    {
      onRequest: auth.needs('workspace:read'),
      schema: {
        tags: ['Billing'],
        security: KEYED,
        operationId: 'get_rates',
        summary: "What the workspace's calls cost from now on",
        response: reads,
      },
    },
    async (request) => ratesOf(options, auth.keyOf(request).workspaceId),
  );

  app.put(
    '/v1/workspace/rates',
    {
      onRequest: auth.needs('workspaces:write'),
      schema: {
        tags: ['Operator'],
        security: KEYED,
        operationId: 'set_own_rates',
        summary: "Set the rates of the operator's own workspace",
        body: RatesBody,
        response: changes,
      },
    },
    async (request) => setRates(options, auth.keyOf(request).workspaceId, request.body),
  );

  await app.register(anyWorkspaceRates, options);
};

const anyWorkspaceRates: FastifyPluginAsyncTypebox<BillingRoutesOptions> = async (app, options) => {
  const { auth } = options;
  const common = { tags: ['Operator'], security: KEYED, params: OneWorkspace };

  app.get(
    '/v1/workspaces/:workspace_id/rates',
    {
      onRequest: auth.needs('workspaces:read'),
      schema: {
        ...common,
        operationId: 'get_any_rates',
        summary: 'What the calls of a workspace cost from now on',
        response: reads,
      },
    },
    async (request) => ratesOf(options, asWorkspaceId(request.params.workspace_id)),
  );

  app.put(
    '/v1/workspaces/:workspace_id/rates',
    {
      onRequest: auth.needs('workspaces:write'),
      schema: {
        ...common,
        operationId: 'set_any_rates',
        summary: 'Set all rates of a workspace; calls that have begun keep theirs',
        body: RatesBody,
        response: changes,
      },
    },
    async (request) => setRates(options, asWorkspaceId(request.params.workspace_id), request.body),
  );
};

async function ratesOf(
  { billingTerms, currency }: BillingRoutesOptions,
  id: WorkspaceId,
): Promise<Static<typeof Rates>> {
  const terms = await billingTerms.find(id);
  if (terms === null) throw new HttpError('NOT_FOUND', 'There is no such workspace.');
  return toView(id, terms.rates ?? { currency, rates: [] });
}

async function setRates(
  options: BillingRoutesOptions,
  id: WorkspaceId,
  body: Static<typeof RatesBody>,
): Promise<Static<typeof Rates>> {
  await ratesOf(options, id);
  const card = toCard(body);
  if (card.rates.some(({ direction, prefix }) => direction === 'inbound' && prefix !== '')) {
    throw new HttpError('INVALID_ARGUMENT', 'A rate of inbound calls has no prefix.');
  }
  const twin = firstDuplicate(card.rates);
  if (twin !== null) {
    const of = [twin.direction, twin.door ?? 'every door', twin.prefix].join(' ');
    throw new HttpError('INVALID_ARGUMENT', `There are two rates for ${of.trim()}.`);
  }
  if (!(await options.terms.setRates(id, card, options.nowMs()))) {
    throw new HttpError('CURRENCY_FIXED');
  }
  return toView(id, card);
}

function toCard({ currency, rates }: Static<typeof RatesBody>): RateCard {
  return {
    currency,
    rates: rates.map((rate) => ({
      direction: rate.direction,
      door: rate.door ?? null,
      // "+" is everywhere, as in the settings of trunks.
      prefix: rate.prefix === undefined || rate.prefix === '+' ? '' : rate.prefix,
      perMinuteMicros: rate.per_minute_micros,
      setupMicros: rate.setup_micros ?? 0,
      firstSeconds: rate.first_seconds ?? 60,
      nextSeconds: rate.next_seconds ?? 60,
    })),
  };
}

function toView(workspaceId: WorkspaceId, { currency, rates }: RateCard): Static<typeof Rates> {
  return {
    workspace_id: workspaceId,
    currency,
    rates: rates.map((rate) => ({
      direction: rate.direction,
      door: rate.door,
      prefix: rate.prefix,
      per_minute_micros: rate.perMinuteMicros,
      setup_micros: rate.setupMicros,
      first_seconds: rate.firstSeconds,
      next_seconds: rate.nextSeconds,
    })),
  };
}
