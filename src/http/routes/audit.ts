import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { AuditEntry, AuditRepository } from '../../storage/audit-repository.ts';
import type { Auth } from '../auth.ts';
import { pageOf } from '../page.ts';
import { KEYED, nullable, oneOf, PAGE_QUERY, Time, toTime, V1_ERRORS } from '../shapes.ts';
import { daysOf, PERIOD_QUERY } from '../usage-period.ts';

export interface AuditRoutesOptions {
  readonly auth: Auth;
  readonly audit: Pick<AuditRepository, 'list'>;
  readonly nowMs: () => number;
}

const Entry = Type.Object(
  {
    entry_id: Type.String(),
    at: Time,
    key_id: Type.String(),
    key_prefix: Type.String(),
    operation: Type.String({ description: 'Operation id of this description.' }),
    object_id: nullable(Type.String({ description: 'What it was done to, or what was made.' })),
    address: Type.String({ description: 'Shortened: 203.0.113.x.' }),
    result: oneOf(['done', 'refused', 'failed']),
    status: Type.Integer({ description: 'HTTP status that was answered.' }),
  },
  { title: 'AuditEntry' },
);
const EntryPage = Type.Object(
  { entries: Type.Array(Entry), next_page_token: nullable(Type.String()) },
  { title: 'AuditPage' },
);
const text = () => Type.Optional(Type.String({ minLength: 1, maxLength: 100 }));
const Query = Type.Object(
  { ...PAGE_QUERY, ...PERIOD_QUERY, operation: text(), key_id: text(), object_id: text() },
  { additionalProperties: false },
);

/** What was done with the keys of a workspace. */
export const auditRoutes: FastifyPluginAsyncTypebox<AuditRoutesOptions> = async (
  app,
  { auth, audit, nowMs },
) => {
  app.get(
    '/v1/audit',
    {
      onRequest: auth.needs('audit:read'),
      schema: {
        tags: ['Workspace'],
        security: KEYED,
        operationId: 'list_audit_entries',
        summary: 'Every request that changed something, or was refused, newest first',
        querystring: Query,
        response: { 200: EntryPage, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { query } = request;
      const { fromMs, beforeMs } = daysOf(query, nowMs());
      const { operation, key_id: keyId, object_id: objectId } = query;
      const filter = { fromMs, beforeMs, operation, keyId, objectId };
      const { workspaceId } = auth.keyOf(request);
      const page = await pageOf(
        query,
        (limit, after) => audit.list(workspaceId, filter, limit, after),
        (item) => item.atMs,
      );
      return { entries: page.items.map(toView), next_page_token: page.nextPageToken };
    },
  );
};

function toView(entry: AuditEntry): Static<typeof Entry> {
  const { status } = entry;
  return {
    entry_id: entry.id,
    at: toTime(entry.atMs),
    key_id: entry.keyId,
    key_prefix: entry.keyPrefix,
    operation: entry.operation,
    object_id: entry.objectId,
    address: entry.address,
    result: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
    status,
  };
}
