import type { FastifyRequest } from 'fastify';
import type { Auth } from './auth.ts';

/** As `@fastify/rate-limit` takes it in a route's `config`. */
export interface RouteRateLimit {
  readonly max: number;
  readonly timeWindow: number;
  readonly groupId: string;
  /** The plugin's own name for the moment: after the key has been checked. */
  readonly hook: 'preValidation';
  keyGenerator(request: FastifyRequest): string;
}

const MINUTE_MS = 60_000;

/** One bucket for each workspace over all its routes and keys. */
export function workspaceRateLimit(auth: Auth, requestsPerMinute: number): RouteRateLimit {
  return {
    max: requestsPerMinute,
    timeWindow: MINUTE_MS,
    groupId: 'workspace',
    hook: 'preValidation',
    keyGenerator: (request) => auth.keyOf(request).workspaceId,
  };
}
