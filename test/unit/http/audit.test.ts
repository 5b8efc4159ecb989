import assert from 'node:assert/strict';
import { createAuditRepository } from '../../../src/storage/audit-repository.ts';
import { Connection } from '../../../src/storage/connection.ts';
import { WriteQueue } from '../../../src/storage/write-queue.ts';
import { DEMO_WORKSPACE_ID } from '../../../src/storage/bootstrap.ts';
import { testServer } from '../../support/http-server.ts';
import { temporaryStorage } from '../../support/storage.ts';

type Server = Awaited<ReturnType<typeof testServer>>;
interface Entry {
  readonly operation: string;
  readonly object_id: string | null;
  readonly result: string;
  readonly [field: string]: unknown;
}
interface Operation {
  readonly operationId?: string;
  readonly security?: readonly object[];
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const CHANGES = ['post', 'put', 'patch', 'delete'] as const;

describe('the audit log', () => {
  let server: Server;
  // No two requests at the same time: so there is one order.
  let nowMs = 1_800_000_000_000;
  before(async () => (server = await testServer({ nowMs: () => (nowMs += 1) })));
  after(() => server.close());

  const ask = (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    url: string,
    payload?: object,
    headers: object = server.headers,
  ) => server.app.inject({ method, url, headers: { ...headers }, payload });
  const entries = async (query = ''): Promise<readonly Entry[]> =>
    (await ask('GET', `/v1/audit?page_size=200${query}`)).json().entries;

  it('has who did what to what, when, from where, and whether it was done', async () => {
    const made = await server.app.inject({
      method: 'POST',
      url: '/v1/keys',
      headers: server.headers,
      payload: { label: 'audited', scopes: ['calls:read'] },
      remoteAddress: '203.0.113.77',
    });
    assert.equal(made.statusCode, 201, made.body);
    const { key, key_id } = made.json();
    const [entry] = await entries();
    assert.equal(entry?.object_id, key_id);
    assert.deepEqual(
      [entry?.operation, entry?.result, entry?.status, entry?.address],
      ['create_key', 'done', 201, '203.0.113.x'],
    );
    assert.match(String(entry?.at), /^2027-01-15T08:00:/);
    const listed = (await ask('GET', '/v1/keys')).json().keys;
    const admin = listed.find((one: { key_id: string }) => one.key_id === entry?.key_id);
    assert.equal(entry?.key_prefix, admin.prefix);
    const text = (await ask('GET', '/v1/audit')).body;
    assert.equal(text.includes(key), false, 'a key stands in the log');
    assert.equal(text.includes('audited'), false, 'a body stands in the log');
  });

  it('has what was refused, and by which key', async () => {
    const weak = await server.keyWith(['calls:read']);
    assert.equal((await ask('DELETE', '/v1/agents/agt_demo', undefined, weak)).statusCode, 403);
    assert.equal((await ask('DELETE', '/v1/agents/agt_none')).statusCode, 404);
    const [missing, denied] = await entries('&operation=delete_agent');
    assert.deepEqual([missing?.object_id, missing?.status], ['agt_none', 404]);
    assert.deepEqual([denied?.object_id, denied?.result], ['agt_demo', 'refused']);
    assert.notEqual(denied?.key_id, missing?.key_id);
    const { length } = await entries();
    // Nobody's requests are no owner's, and reading changes nothing.
    await ask(
      'POST',
      '/v1/keys',
      { label: 'x', scopes: ['*'] },
      { authorization: 'Bearer pk_live_no' },
    );
    await ask('GET', '/v1/keys');
    assert.equal((await entries()).length, length);
  });

  it('has exactly one entry for each request of every route that changes something', async () => {
    const { paths } = (await ask('GET', '/openapi.json')).json<Description>();
    let routes = 0;
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of CHANGES) {
        const operation = operations[method];
        if (operation?.security === undefined || operation.security.length === 0) continue;
        const name = operation.operationId ?? assert.fail(`${method} ${path} has no name`);
        const before = (await entries(`&operation=${name}`)).length;
        await server.app.inject({
          method: method.toUpperCase() as 'POST',
          url: path.replaceAll(/\{\w+\}/g, 'none'),
          headers: server.headers,
          ...(method === 'delete' ? {} : { payload: {} }),
        });
        const after = await entries(`&operation=${name}`);
        assert.equal(after.length, before + 1, `${method} ${path}`);
        routes += 1;
      }
    }
    assert.ok(routes >= 15, `only ${routes} routes`);
  });

  it('is read in pages, by its own workspace, with a scope of its own', async () => {
    const all = await entries();
    const seen: unknown[] = [];
    let token: string | null = null;
    do {
      const page: string = token === null ? '' : `&page_token=${token}`;
      const answer = (await ask('GET', `/v1/audit?page_size=7${page}`)).json();
      seen.push(...answer.entries.map((entry: Entry) => entry.entry_id));
      token = answer.next_page_token;
    } while (token !== null);
    assert.deepEqual(
      seen,
      all.map((entry) => entry.entry_id),
    );
    const foreign = await server.keyWith(['audit:read'], server.otherWorkspace);
    assert.deepEqual((await ask('GET', '/v1/audit', undefined, foreign)).json().entries, []);
    const other = await server.keyWith(['keys:*']);
    assert.equal((await ask('GET', '/v1/audit', undefined, other)).statusCode, 403);
  });

  it('forgets what is older than 400 days, and all beyond a number', async () => {
    const { file, remove } = await temporaryStorage();
    const [connection, reader] = await Promise.all(
      [1, 2].map(() => Connection.open(file, { busyTimeoutMs: 5000 })),
    );
    assert.ok(connection !== undefined && reader !== undefined);
    const writes = new WriteQueue({ connection });
    const audit = createAuditRepository({ writes, reader, entriesMax: 5, pruneEvery: 1 });
    const day = 86_400_000;
    const append = (atMs: number) =>
      audit.append({
        workspaceId: DEMO_WORKSPACE_ID,
        atMs,
        keyId: 'key_1',
        keyPrefix: 'pk_live_x',
        operation: 'update_agent',
        objectId: 'agt_demo',
        address: '203.0.113.x',
        status: 200,
      });
    const times = async () =>
      (await audit.list(DEMO_WORKSPACE_ID, { fromMs: 0, beforeMs: 1e15 }, 100)).map(
        ({ atMs }) => atMs,
      );
    await append(1);
    await append(401 * day);
    assert.deepEqual(await times(), [401 * day]);
    for (let extra = 1; extra <= 8; extra += 1) await append(401 * day + extra);
    assert.deepEqual(
      await times(),
      [8, 7, 6, 5, 4].map((extra) => 401 * day + extra),
    );
    await writes.close();
    await connection.close();
    await reader.close();
    await remove();
  });
});
