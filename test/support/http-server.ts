import assert from 'node:assert/strict';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { createInstantLinkDoor } from '../../src/access/instant-links.ts';
import { SignedTokens } from '../../src/access/signed-tokens.ts';
import { createWebCallTokens } from '../../src/access/web-call-tokens.ts';
import { auditTrail } from '../../src/http/audit-trail.ts';
import { createAuth } from '../../src/http/auth.ts';
import { moneyRoutes } from '../../src/http/money-routes.ts';
import { ownerRoutes } from '../../src/http/owner-routes.ts';
import { publicRoutes } from '../../src/http/public-routes.ts';
import { callRoutes } from '../../src/http/routes/calls.ts';
import { type HealthReport, operationRoutes } from '../../src/http/routes/operations.ts';
import { createHttpServer, type HttpServerOptions } from '../../src/http/server.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { asWorkspaceId } from '../../src/model/ids.ts';
import { newApiKey, type Scope } from '../../src/storage/api-key-repository.ts';
import { Connection } from '../../src/storage/connection.ts';
import { DEMO_WORKSPACE_ID } from '../../src/storage/bootstrap.ts';
import { testTerms } from './billing.ts';
import { watchAnswers } from './described-answers.ts';
import { temporaryStorage } from './storage.ts';

export interface TestServerOptions extends Partial<HttpServerOptions> {
  readonly requestsPerMinute?: number;
  readonly publicRequestsPerMinute?: number;
  /** Unix time, for the server and its database. */
  readonly nowMs?: () => number;
}

/** The real server over a real database, without a socket: use `app.inject`. */
export async function testServer(options: TestServerOptions = {}) {
  const temporary = await temporaryStorage(
    options.nowMs === undefined ? {} : { nowMs: options.nowMs },
  );
  const { storage, adminKey } = temporary;
  const nowMs = options.nowMs ?? (() => 1_800_000_000_000);
  const publicUrl = () => 'https://voice.example.org';
  const { agents, sharedKeys, apiKeys, webCalls } = storage;
  const signed = new SignedTokens(webCalls, nowMs);
  const tokens = createWebCallTokens({ signed, agents, sharedKeys, apiKeys, webCalls, nowMs });
  const links = createInstantLinkDoor(storage.instantLinks, nowMs);
  const terms = testTerms(() => storage);
  const hungUp: string[] = [];
  const logLines: string[] = [];
  let health: HealthReport = { status: 'ok', reasons: [] };

  const metrics = createMetrics();
  const auth = createAuth({
    apiKeys: storage.apiKeys,
    requestsPerMinute: options.requestsPerMinute ?? 10_000,
    operator: DEMO_WORKSPACE_ID,
  });
  const hangUp = async (_: string, id: string) => void hungUp.push(id);
  let wrongAnswers: () => readonly string[] = () => [];
  const watch: FastifyPluginAsync = async (scope) => void (wrongAnswers = watchAnswers(scope));
  // Over all routes, not only those of a plugin of its own.
  const watcher = Object.assign(watch, { [Symbol.for('skip-override')]: true });
  const app: FastifyInstance = await createHttpServer({
    log: createLogger({
      level: 'debug',
      pretty: 'never',
      destination: { write: (line) => void logLines.push(line) },
    }),
    metrics,
    version: '0.0.0-test',
    publicUrl,
    bodyMaxBytes: 65_536,
    requestTimeoutSeconds: 15,
    connectionsMax: 100,
    trustedProxies: [],
    routes: [
      watcher,
      auditTrail({
        auth,
        audit: () => storage.audit,
        onError: (error) => assert.fail(String(error)),
        nowMs,
      }),
      (scope) => operationRoutes(scope, { metrics, health: () => health }),
      (scope) => callRoutes(scope, { auth, calls: storage.calls, hangUp }),
      moneyRoutes({ auth, storage: () => storage, terms, nowMs, currency: 'USD' }),
      ownerRoutes({
        auth,
        onWorkspaceChanged: (id) => terms.forget(id),
        storage: () => storage,
        nowMs,
        publicUrl,
        aiProviders: ['phrasebook'],
      }),
      publicRoutes({
        tokens: () => tokens,
        links: () => links,
        requestsPerMinute: options.publicRequestsPerMinute ?? 10_000,
      }),
    ],
    ...options,
  });

  return {
    app,
    storage,
    tokens,
    links,
    terms,
    hungUp,
    logLines,
    headers: { authorization: `Bearer ${adminKey}` },
    setHealth: (report: HealthReport) => void (health = report),
    /** Headers of a new key of the demo workspace, or of another one. */
    async keyWith(scopes: readonly Scope[], workspace = DEMO_WORKSPACE_ID) {
      await storage.workspaces.create({ id: workspace, name: workspace, type: 'standard' }, 1);
      const key = newApiKey('live');
      await storage.apiKeys.create(key, { workspaceId: workspace, label: 'test', scopes }, 1);
      return { authorization: `Bearer ${key}` };
    },
    otherWorkspace: asWorkspaceId('ws_other'),
    /** Runs SQL behind the server's back. */
    async execute(sql: string) {
      const connection = await Connection.open(temporary.file, { busyTimeoutMs: 5000 });
      await connection.exec(sql);
      await connection.close();
    },
    async close() {
      await app.close();
      await temporary.remove();
      assert.deepEqual(wrongAnswers(), [], 'answers that the description does not promise');
    },
  };
}
