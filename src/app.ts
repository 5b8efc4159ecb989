import type { Config } from './config.ts';
import { createAuth } from './http/auth.ts';
import { HttpPart } from './http/http-part.ts';
import { agentRoutes } from './http/routes/agents.ts';
import { callRoutes } from './http/routes/calls.ts';
import { type HealthReport, operationRoutes } from './http/routes/operations.ts';
import type { Part } from './lifecycle.ts';
import type { Logger } from './observability/logger.ts';
import { createMetrics } from './observability/metrics.ts';
import { openStorage, type Storage } from './storage/storage.ts';

/** The daemon, built and not yet started. */
export interface App {
  readonly parts: readonly Part[];
  /** Told once when a stop is asked for: from then on calls are refused. */
  drain(): void;
  /** What a person at the terminal is shown once everything runs. */
  banner(): string;
}

export interface AppOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly version: string;
}

/** Builds every part and joins them. */
export function buildApp({ config, log, version }: AppOptions): App {
  const metrics = createMetrics({ withProcess: true });
  let storage: Storage | null = null;
  let isDraining = false;
  const opened = (): Storage => {
    if (storage === null) throw new TypeError('storage is used before it was opened');
    return storage;
  };

  const database: Part = {
    name: 'storage',
    async start() {
      storage = await openStorage({ file: config.databaseFile, log });
    },
    stop: async () => storage?.close(),
  };

  const health = (): HealthReport => {
    if (isDraining) return { status: 'draining', reasons: ['stopping'] };
    const { lastFailure } = opened().health();
    return lastFailure === null
      ? { status: 'ok', reasons: [] }
      : { status: 'degraded', reasons: [lastFailure] };
  };

  const auth = createAuth({
    apiKeys: { verify: (key) => opened().apiKeys.verify(key) },
    requestsPerMinute: config.http.requestsPerMinute,
  });
  const http = new HttpPart({
    ...config.http,
    log,
    metrics,
    version,
    routes: [
      (app) => operationRoutes(app, { metrics, health }),
      (app) =>
        callRoutes(app, {
          auth,
          calls: opened().calls,
          hangUp: () => Promise.resolve(),
        }),
      (app) => agentRoutes(app, { auth, agents: opened().agents, nowMs: Date.now }),
    ],
  });

  return {
    parts: [database, http],
    drain: () => {
      isDraining = true;
    },
    banner: () => `Trunkline is up\n  API   ${http.publicUrl}/docs\n`,
  };
}
