import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { RateLimiter } from '../lib/rate-limiter.ts';
import type { WorkspaceId } from '../model/ids.ts';
import type { ApiKey, ApiKeyRepository, Scope } from '../storage/api-key-repository.ts';
import { HttpError } from './errors.ts';

/** What a route needs. A key of `calls:*` has every scope of calls, one of `*` all. */
export const ROUTE_SCOPES = [
  'agents:read',
  'agents:write',
  'audit:read',
  'calls:read',
  'calls:write',
  'keys:read',
  'keys:write',
  'numbers:read',
  'numbers:write',
  'public_links:read',
  'public_links:write',
  'trunks:read',
  'trunks:write',
  'usage:read',
  'voice_links:read',
  'voice_links:write',
  'webhooks:read',
  'webhooks:write',
  'workspace:read',
  'workspace:write',
  'workspaces:read',
  'workspaces:write',
] as const;
export type RouteScope = (typeof ROUTE_SCOPES)[number];

export interface Auth {
  /**
   * Refuses a request without a valid key (401), whose key lacks the scope (403), or whose
   * workspace has asked too often (429): all routes and keys of a workspace count together.
   */
  needs(scope: RouteScope): onRequestAsyncHookHandler;
  /** The key of a request that passed `needs`. */
  keyOf(request: FastifyRequest): ApiKey;
  /** The key of any request that has one, also when it was refused for want of a scope. */
  keyIfAny(request: FastifyRequest): ApiKey | null;
}

export interface AuthOptions {
  readonly apiKeys: Pick<ApiKeyRepository, 'verify'>;
  readonly requestsPerMinute: number;
  /**
   * The workspace of whoever runs this daemon. Only its keys can hold `workspaces:…`: they
   * make other workspaces and say which cost nothing; and `trunks:…`, which are the daemon's own.
   */
  readonly operator: WorkspaceId;
  /** Any clock that does not go back. */
  readonly nowMs?: () => number;
}

const KEY_LENGTH_MAX = 256;
const MINUTE_MS = 60_000;

export function createAuth({ apiKeys, requestsPerMinute, operator, nowMs }: AuthOptions): Auth {
  const clock = nowMs ?? (() => performance.now());
  const limiter = new RateLimiter({ max: requestsPerMinute, windowMs: MINUTE_MS });
  const keys = new WeakMap<FastifyRequest, ApiKey>();

  const limit = (key: ApiKey) => {
    const verdict = limiter.take(key.workspaceId, clock());
    if (verdict.isAllowed) return;
    const retryAfterSeconds = Math.ceil(verdict.retryAfterMs / 1000);
    throw new HttpError('RATE_LIMITED', undefined, { retryAfterSeconds });
  };

  return {
    needs: (scope) => async (request, reply) => {
      const token = bearerOf(request);
      const key = token === null ? null : await apiKeys.verify(token);
      if (key === null) {
        void reply.header('WWW-Authenticate', 'Bearer');
        throw new HttpError('UNAUTHENTICATED');
      }
      limit(key);
      keys.set(request, key);
      const isReserved = /^(workspaces|trunks):/.test(scope) && key.workspaceId !== operator;
      if (isReserved || !coversScope(key.scopes, scope)) {
        throw new HttpError('PERMISSION_DENIED', `This needs a key with the scope ${scope}.`);
      }
    },

    keyIfAny: (request) => keys.get(request) ?? null,

    keyOf(request) {
      const key = keys.get(request);
      if (key === undefined) throw new TypeError('a route asked for a key it does not require');
      return key;
    },
  };
}

/**
 * The key of a request for something real, which no simulation stands for: a browser's call.
 * @throws HttpError PERMISSION_DENIED for a test key
 */
export function liveKeyOf(auth: Pick<Auth, 'keyOf'>, request: FastifyRequest): ApiKey {
  const key = auth.keyOf(request);
  if (!key.isTest) return key;
  throw new HttpError('PERMISSION_DENIED', 'A test key makes no calls from browsers.');
}

function bearerOf({ headers }: FastifyRequest): string | null {
  const match = /^bearer +(pk_[\w-]+) *$/i.exec(headers.authorization ?? '');
  const token = match?.[1] ?? '';
  return token !== '' && token.length <= KEY_LENGTH_MAX ? token : null;
}

/** Whether a key with these scopes may do what `scope` allows, be it one or a whole area. */
export function coversScope(held: readonly Scope[], scope: Scope): boolean {
  const area = scope.slice(0, scope.indexOf(':'));
  return held.some((one) => one === '*' || one === scope || (scope !== '*' && one === `${area}:*`));
}
