import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { RateLimiter } from '../lib/rate-limiter.ts';
import type { ApiKey, ApiKeyRepository } from '../storage/api-key-repository.ts';
import { HttpError } from './errors.ts';

/** What a route needs. A key of `calls:*` has every scope of calls, one of `*` all. */
export type RouteScope =
  | 'calls:read'
  | 'calls:write'
  | 'agents:read'
  | 'agents:write'
  | 'public_links:read'
  | 'public_links:write';

export interface Auth {
  /**
   * Refuses a request without a valid key (401), whose key lacks the scope (403), or whose
   * workspace has asked too often (429): all routes and keys of a workspace count together.
   */
  needs(scope: RouteScope): onRequestAsyncHookHandler;
  /** The key of a request that passed `needs`. */
  keyOf(request: FastifyRequest): ApiKey;
}

export interface AuthOptions {
  readonly apiKeys: Pick<ApiKeyRepository, 'verify'>;
  readonly requestsPerMinute: number;
  /** Any clock that does not go back. */
  readonly nowMs?: () => number;
}

const KEY_LENGTH_MAX = 256;
const MINUTE_MS = 60_000;

export function createAuth({ apiKeys, requestsPerMinute, nowMs }: AuthOptions): Auth {
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
      if (!hasScope(key, scope)) {
        throw new HttpError('PERMISSION_DENIED', `This needs a key with the scope ${scope}.`);
      }
      keys.set(request, key);
    },

    keyOf(request) {
      const key = keys.get(request);
      if (key === undefined) throw new TypeError('a route asked for a key it does not require');
      return key;
    },
  };
}

function bearerOf({ headers }: FastifyRequest): string | null {
  const match = /^bearer +(pk_[\w-]+) *$/i.exec(headers.authorization ?? '');
  const token = match?.[1] ?? '';
  return token !== '' && token.length <= KEY_LENGTH_MAX ? token : null;
}

function hasScope({ scopes }: ApiKey, scope: RouteScope): boolean {
  const area = scope.slice(0, scope.indexOf(':'));
  return scopes.some((held) => held === '*' || held === scope || held === `${area}:*`);
}
