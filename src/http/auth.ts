import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import type { ApiKey, ApiKeyRepository } from '../storage/api-key-repository.ts';
import { HttpError } from './errors.ts';

/** What a route needs. A key of `calls:*` has every scope of calls, one of `*` all. */
export type RouteScope = 'calls:read' | 'calls:write' | 'agents:read' | 'agents:write';

export interface Auth {
  /** Refuses a request without a valid key (401) or whose key lacks the scope (403). */
  needs(scope: RouteScope): onRequestAsyncHookHandler;
  /** The key of a request that passed `needs`. */
  keyOf(request: FastifyRequest): ApiKey;
}

const KEY_LENGTH_MAX = 256;

export function createAuth(apiKeys: Pick<ApiKeyRepository, 'verify'>): Auth {
  const keys = new WeakMap<FastifyRequest, ApiKey>();
  return {
    needs: (scope) => async (request, reply) => {
      const token = bearerOf(request);
      const key = token === null ? null : await apiKeys.verify(token);
      if (key === null) {
        void reply.header('WWW-Authenticate', 'Bearer');
        throw new HttpError('UNAUTHENTICATED');
      }
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
