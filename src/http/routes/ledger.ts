import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { csvLine } from '../../lib/csv.ts';
import type { WorkspaceId } from '../../model/ids.ts';
import type {
  LedgerCursor,
  LedgerEntry,
  LedgerFilter,
  LedgerRepository,
} from '../../storage/ledger-repository.ts';
import type { Auth } from '../auth.ts';
import { pageOf } from '../page.ts';
import { KEYED, nullable, oneOf, PAGE_QUERY, Time, toTime, V1_ERRORS } from '../shapes.ts';
import { daysOf, PERIOD_QUERY } from '../usage-period.ts';
import { Direction, Door } from './call-shapes.ts';
import { asCsvFile } from './usage.ts';

export interface LedgerRoutesOptions {
  readonly auth: Auth;
  readonly ledger: Pick<LedgerRepository, 'list'>;
  readonly nowMs: () => number;
}

/** Entries of a file that are read at once. */
const FILE_PAGE = 1000;

const TariffView = Type.Object({
  per_minute_micros: Type.Integer(),
  setup_micros: Type.Integer(),
  first_seconds: Type.Integer(),
  next_seconds: Type.Integer(),
});
const Entry = Type.Object(
  {
    entry_id: Type.String(),
    call_id: Type.String(),
    kind: oneOf(['call', 'transfer-leg'], {
      description: '`transfer-leg`: a leg that was dialed to put the caller of that call through.',
    }),
    agent_id: nullable(Type.String()),
    direction: Direction,
    door: Door,
    started_at: Time,
    answered: Type.Boolean(),
    seconds: Type.Integer({ description: 'Answer to end; every second that began.' }),
    billed_seconds: Type.Integer(),
    amount_micros: Type.Integer({ description: 'What is charged.' }),
    list_price_micros: Type.Integer({ description: 'What the call costs by its tariff.' }),
    currency: Type.String(),
    tariff: nullable(TariffView),
    created_at: Time,
  },
  { title: 'LedgerEntry' },
);
const EntryPage = Type.Object(
  { entries: Type.Array(Entry), next_page_token: nullable(Type.String()) },
  { title: 'LedgerPage' },
);
const strict = { additionalProperties: false };
const common = { tags: ['Billing'], security: KEYED };

/** The ledger: one entry for each call that has ended, and each leg dialed for a transfer. */
export const ledgerRoutes: FastifyPluginAsyncTypebox<LedgerRoutesOptions> = async (
  app,
  { auth, ledger, nowMs },
) => {
  app.get(
    '/v1/usage/ledger',
    {
      onRequest: auth.needs('usage:read'),
      schema: {
        ...common,
        operationId: 'list_ledger_entries',
        summary: 'One entry for each call that has ended and each leg of a transfer, newest first',
        querystring: Type.Object({ ...PAGE_QUERY, ...PERIOD_QUERY }, strict),
        response: { 200: EntryPage, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const days = daysOf(request.query, nowMs());
      const page = await pageOf(
        request.query,
        (limit, after) =>
          ledger.list(workspaceId, days, limit, after && { startedAtMs: after.atMs, id: after.id }),
        (item) => item.startedAtMs,
      );
      return { entries: page.items.map(toView), next_page_token: page.nextPageToken };
    },
  );

  app.get(
    '/v1/usage/ledger.csv',
    {
      onRequest: auth.needs('usage:read'),
      schema: {
        ...common,
        operationId: 'get_ledger_csv',
        summary: 'All entries of the period as CSV (RFC 4180)',
        querystring: Type.Object(PERIOD_QUERY, strict),
        response: {
          200: { description: 'A file.', content: { 'text/csv': { schema: Type.String() } } },
          ...V1_ERRORS,
        },
      },
    },
    async (request, reply) => {
      const days = daysOf(request.query, nowMs());
      const lines = linesOf(ledger, auth.keyOf(request).workspaceId, days);
      const file = asCsvFile(reply, `ledger-${days.fromDay}-${days.toDay}.csv`);
      return file.send(Readable.from(lines));
    },
  );
};

/** Read as fast as the client takes them: no file is ever held as a whole. */
async function* linesOf(
  ledger: LedgerRoutesOptions['ledger'],
  workspaceId: WorkspaceId,
  filter: LedgerFilter,
): AsyncGenerator<string> {
  yield csvLine(COLUMNS);
  let after: LedgerCursor | undefined;
  for (;;) {
    const page = await ledger.list(workspaceId, filter, FILE_PAGE, after);
    if (page.length > 0) yield page.map((entry) => csvLine(cellsOf(toView(entry)))).join('');
    after = page.at(-1);
    if (page.length < FILE_PAGE) return;
  }
}

const COLUMNS = [
  'entry_id',
  'call_id',
  'agent_id',
  'direction',
  'door',
  'started_at',
  'answered',
  'seconds',
  'billed_seconds',
  'amount_micros',
  'list_price_micros',
  'currency',
  'kind',
] as const;

function cellsOf(entry: Static<typeof Entry>): readonly (string | number)[] {
  return COLUMNS.map((name) => {
    const value = entry[name];
    return typeof value === 'number' ? value : String(value ?? '');
  });
}

function toView(entry: LedgerEntry): Static<typeof Entry> {
  const { tariff } = entry;
  return {
    entry_id: entry.id,
    call_id: entry.callId,
    kind: entry.kind,
    agent_id: entry.agentId,
    direction: entry.direction,
    door: entry.door,
    started_at: toTime(entry.startedAtMs),
    answered: entry.isAnswered,
    seconds: entry.seconds,
    billed_seconds: entry.billedSeconds,
    amount_micros: entry.amountMicros,
    list_price_micros: entry.listPriceMicros,
    currency: entry.currency,
    tariff:
      tariff === null
        ? null
        : {
            per_minute_micros: tariff.perMinuteMicros,
            setup_micros: tariff.setupMicros,
            first_seconds: tariff.firstSeconds,
            next_seconds: tariff.nextSeconds,
          },
    created_at: toTime(entry.createdAtMs),
  };
}
