import { join } from 'node:path';
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import sqlite3 from 'sqlite3';
import { createAuth } from '../../src/http/auth.ts';
import { callRoutes } from '../../src/http/routes/calls.ts';
import { agentRoutes } from '../../src/http/routes/agents.ts';
import { instantLinkRoutes } from '../../src/http/routes/instant-voice-links.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { silentLogger } from '../../src/observability/logger.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { DEMO_WORKSPACE_ID } from '../../src/storage/bootstrap.ts';
import { Connection } from '../../src/storage/connection.ts';
import { newCall, temporaryStorage } from '../support/storage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { type Percentiles, percentiles } from './percentiles.ts';

const CALLS = 100_000;
const LINKS = 1_000;
const LABELS_MAX = 100;
const AGENTS = 20;
const REQUESTS = 500;
/** Of those that may have to look at many rows. */
const SEARCHES = 40;
const INSERTS_AT_ONCE = 50;
const FIRST_CALL_AT_MS = Date.UTC(2027, 0, 1);
const BETWEEN_CALLS_MS = 60_000;

export interface ApiFigures {
  readonly name: string;
  readonly count: number;
  /** user + sys of this process, the database's threads included. */
  readonly cpuMicrosecondsEach: number;
  readonly ms: Percentiles;
}

/** Requests through the whole server (no socket), with 100,000 calls and 1,000 links stored. */
export async function benchApi(): Promise<ApiFigures[]> {
  const { storage, adminKey, file, remove } = await temporaryStorage();
  const auth = createAuth({
    apiKeys: storage.apiKeys,
    requestsPerMinute: 100_000_000,
    operator: DEMO_WORKSPACE_ID,
  });
  const nowMs = Date.now;
  const publicUrl = () => 'http://localhost';
  const owner = { auth, nowMs, publicUrl };
  const app = await createHttpServer({
    log: silentLogger(),
    metrics: createMetrics(),
    version: '0',
    publicUrl,
    bodyMaxBytes: 1_048_576,
    requestTimeoutSeconds: 15,
    connectionsMax: 100,
    trustedProxies: [],
    routes: [
      (scope) => callRoutes(scope, { auth, calls: storage.calls, hangUp: async () => {} }),
      (scope) =>
        agentRoutes(scope, { ...owner, agents: storage.agents, aiProviders: ['phrasebook'] }),
      (scope) => instantLinkRoutes(scope, { ...owner, links: storage.instantLinks }),
    ],
  });
  const headers = { authorization: `Bearer ${adminKey}` };
  const get = (url: string) => () => ask(app, { url, headers });
  const makeLinks = (labels: readonly string[]) => () =>
    ask(app, {
      method: 'POST',
      url: '/v1/instant-voice-links',
      headers,
      payload: { labels, expiryPreset: '1_week', prompt: 'You are a baker.' },
    });
  try {
    await storage.calls.create(newCall('call_first'));
    await fillCalls(file);
    for (let made = 0; made < LINKS; made += LABELS_MAX)
      await makeLinks(Array.from({ length: LABELS_MAX }, (_, i) => `Link ${made + i}`))();
    const middle = new Date(FIRST_CALL_AT_MS + (CALLS / 2) * BETWEEN_CALLS_MS).toISOString();
    return [
      await benchBare(),
      await measured('one call', get('/v1/calls/call_50000')),
      await measured('one agent', get('/v1/agents/agt_demo')),
      await measured('calls, first page of 50', get('/v1/calls')),
      await measured('calls before the middle', get(`/v1/calls?started_before=${middle}`)),
      await measured(
        'calls of an agent that had one',
        get('/v1/calls?agent_id=agt_rare'),
        SEARCHES,
      ),
      await measured(
        'calls of an agent that had 1 in 20',
        get('/v1/calls?agent_id=agt_7'),
        SEARCHES,
      ),
      await measured(
        'calls to a number called once',
        get('/v1/calls?to_number=%2B3400050000'),
        SEARCHES,
      ),
      await measured(
        'calls from a number, of none',
        get('/v1/calls?from_number=%2B34999'),
        SEARCHES,
      ),
      await measured('calls by a door, of none', get('/v1/calls?door=api'), SEARCHES),
      await measured('1,000 instant links', get('/v1/instant-voice-links'), SEARCHES),
      await measured('a link made, durable, one at a time', makeLinks(['x']), 200),
      await measuredAtOnce('links made, durable, 50 at once', makeLinks(['x'])),
    ];
  } finally {
    await app.close();
    await remove();
  }
}

async function ask(app: Pick<FastifyInstance, 'inject'>, request: InjectOptions): Promise<void> {
  const { statusCode, payload } = await app.inject(request);
  if (statusCode !== 200) throw new Error(`${statusCode} ${payload}`);
}

/** Rows behind the repository's back: writing them is another section's figure. */
async function fillCalls(file: string): Promise<void> {
  const connection = await Connection.open(file, { busyTimeoutMs: 5000 });
  await connection.exec(`
    INSERT INTO calls (id, workspace_id, agent_id, instance_id, direction, door, status,
      from_number, to_number, started_at_ms, answered_at_ms, ended_at_ms, end_reason)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${CALLS - 1})
    SELECT 'call_' || i, '${DEMO_WORKSPACE_ID}',
      CASE WHEN i = 500 THEN 'agt_rare' ELSE 'agt_' || (i % ${AGENTS}) END,
      (SELECT instance_id FROM calls WHERE id = 'call_first'), 'inbound', 'trunk', 'completed',
      '+34911' || (i % 1000), '+34' || printf('%08d', i),
      ${FIRST_CALL_AT_MS} + i * ${BETWEEN_CALLS_MS}, ${FIRST_CALL_AT_MS} + i * ${BETWEEN_CALLS_MS},
      ${FIRST_CALL_AT_MS} + i * ${BETWEEN_CALLS_MS} + 30000, 'caller-hung-up'
    FROM n`);
  await connection.close();
}

async function measured(
  name: string,
  work: () => Promise<void>,
  count = REQUESTS,
): Promise<ApiFigures> {
  for (let done = 0; done < Math.min(50, count / 4); done += 1) await work();
  const times: number[] = [];
  const cpu = process.cpuUsage();
  for (let done = 0; done < count; done += 1) {
    const startedMs = performance.now();
    await work();
    times.push(performance.now() - startedMs);
  }
  const { user, system } = process.cpuUsage(cpu);
  return { name, count, cpuMicrosecondsEach: (user + system) / count, ms: percentiles(times) };
}

async function measuredAtOnce(name: string, work: () => Promise<void>): Promise<ApiFigures> {
  const rounds = REQUESTS / INSERTS_AT_ONCE;
  const many = () =>
    Promise.all(Array.from({ length: INSERTS_AT_ONCE }, work)).then(() => undefined);
  const { cpuMicrosecondsEach, ms } = await measured(name, many, rounds);
  const each = cpuMicrosecondsEach / INSERTS_AT_ONCE;
  return { name, count: REQUESTS, cpuMicrosecondsEach: each, ms };
}

/** A bare Fastify that reads one row by the driver, without key, schema or limit. */
async function benchBare(): Promise<ApiFigures> {
  const folder = await temporaryFolder();
  const database = new sqlite3.Database(join(folder.path, 'bare.sqlite'));
  await new Promise<void>((resolve, reject) => {
    database.exec(
      `CREATE TABLE bare (id TEXT PRIMARY KEY, text TEXT);
       INSERT INTO bare VALUES ('call_1', 'inbound')`,
      (error) => (error === null ? resolve() : reject(error)),
    );
  });
  const statement = database.prepare('SELECT * FROM bare WHERE id = ?');
  const app = Fastify();
  app.get<{ Params: { id: string } }>('/calls/:id', (request) => {
    const { id } = request.params;
    return new Promise((resolve, reject) => {
      statement.get(id, (error: Error | null, row: unknown) =>
        error === null ? resolve(row) : reject(error),
      );
    });
  });
  try {
    const url = '/calls/call_1';
    return await measured('bare Fastify and driver (reference)', () => ask(app, { url }));
  } finally {
    await app.close();
    await new Promise<void>((resolve) => statement.finalize(() => resolve()));
    await new Promise<void>((resolve) => database.close(() => resolve()));
    await folder.remove();
  }
}
