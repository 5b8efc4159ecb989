import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { redactAddress } from '../observability/redact.ts';
import type { AuditRepository } from '../storage/audit-repository.ts';
import type { Auth } from './auth.ts';

export interface AuditTrailOptions {
  readonly auth: Pick<Auth, 'keyIfAny'>;
  readonly audit: () => Pick<AuditRepository, 'append'>;
  /** An entry that could not be written: what was asked has been done all the same. */
  readonly onError: (error: unknown) => void;
  /** Unix time. */
  readonly nowMs: () => number;
}

const CHANGES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
/** What may stand as an object: ids of ours, and names of agents. Never a text of a client's. */
const OBJECT_ID = /^[\w.-]{1,100}$/;

/**
 * Writes down every request that changes something with a key, in one place: a route cannot be
 * forgotten, since its method and the security that it describes say enough. The answer goes
 * out once the entry is durable. Belongs before all routes, and over all of them.
 */
export function auditTrail(options: AuditTrailOptions): FastifyPluginAsyncTypebox {
  const plugin: FastifyPluginAsyncTypebox = async (app) => {
    const made = new WeakMap<FastifyRequest, string>();

    app.addHook('preSerialization', async (request, _reply, payload) => {
      const id = isAudited(request) ? idIn(payload) : null;
      if (id !== null) made.set(request, id);
      return payload;
    });

    app.addHook('onSend', async (request, reply) => {
      if (!isAudited(request)) return;
      const key = options.auth.keyIfAny(request);
      if (key === null) return;
      const entry = {
        workspaceId: key.workspaceId,
        atMs: options.nowMs(),
        keyId: key.id,
        keyPrefix: key.prefix,
        operation: operationOf(request),
        objectId: objectOf(request) ?? made.get(request) ?? null,
        address: redactAddress(request.ip),
        status: reply.statusCode,
      };
      await options.audit().append(entry).catch(options.onError);
    });
  };
  // Its hooks are for the routes that are registered beside it, not only inside of it.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}

function isAudited({ method, routeOptions }: FastifyRequest): boolean {
  const { schema } = routeOptions;
  if (!CHANGES.has(method) || schema === undefined || !('security' in schema)) return false;
  return Array.isArray(schema.security) && schema.security.length > 0;
}

function operationOf({ routeOptions, method }: FastifyRequest): string {
  const { schema, url } = routeOptions;
  const id = schema !== undefined && 'operationId' in schema ? schema.operationId : null;
  return typeof id === 'string' ? id : `${method} ${url ?? ''}`;
}

/** The last part of a path is what it is about. */
function objectOf({ params }: FastifyRequest): string | null {
  if (typeof params !== 'object' || params === null) return null;
  const last: unknown = Object.values(params).at(-1);
  return typeof last === 'string' && OBJECT_ID.test(last) ? last : null;
}

/** The id of what was made, as the answer names it: `agent_id`, or the `id` of what stands in it. */
function idIn(payload: unknown, depth = 0): string | null {
  if (typeof payload !== 'object' || payload === null || depth > 2) return null;
  const entries = Object.entries(payload);
  const own = entries.find(([name, value]) => isId(name, value))?.[1];
  if (typeof own === 'string') return own;
  for (const [, value] of entries) {
    const inner = idIn(value, depth + 1);
    if (inner !== null) return inner;
  }
  return null;
}

function isId(name: string, value: unknown): boolean {
  const isOurs =
    name === 'id' || (name.endsWith('_id') && name !== 'workspace_id' && name !== 'request_id');
  return isOurs && typeof value === 'string' && OBJECT_ID.test(value);
}
