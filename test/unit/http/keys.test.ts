import assert from 'node:assert/strict';
import { testServer } from '../../support/http-server.ts';

type Server = Awaited<ReturnType<typeof testServer>>;
type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

describe('API keys', () => {
  let server: Server;
  let nowMs = 1_800_000_000_000;
  before(async () => (server = await testServer({ nowMs: () => nowMs })));
  after(() => server.close());

  const ask = (method: Method, url: string, payload?: object, headers = server.headers) =>
    server.app.inject({ method, url, headers, payload });
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  const statusWith = async (key: string, url = '/v1/calls') =>
    (await ask('GET', url, undefined, bearer(key))).statusCode;

  it('are shown once and listed by prefix [SEED-5, R37]', async () => {
    const made = await ask('POST', '/v1/keys', { label: ' CRM ', scopes: ['calls:read'] });
    assert.equal(made.statusCode, 201);
    const { key, key_id, prefix, label } = made.json();
    assert.match(key, /^pk_live_\w{43}$/);
    assert.ok(key.startsWith(prefix) && prefix.length < 20);
    assert.equal(label, 'CRM');
    assert.equal(await statusWith(key), 200);

    const listed = await ask('GET', '/v1/keys');
    const mine = listed.json().keys.find((one: { key_id: string }) => one.key_id === key_id);
    assert.deepEqual(mine, {
      key_id,
      label: 'CRM',
      mode: 'live',
      prefix,
      scopes: ['calls:read'],
      created_at: '2027-01-15T08:00:00.000Z',
      expires_at: null,
    });
    assert.equal(listed.body.includes(key), false);
  });

  it('are refused with 401 when absent or unknown, and with 403 naming the scope [SEED-7, SEED-100]', async () => {
    assert.equal((await ask('GET', '/v1/keys', undefined, { authorization: '' })).statusCode, 401);
    assert.equal(await statusWith('pk_live_nobody', '/v1/keys'), 401);
    const headers = await server.keyWith(['calls:*']);
    const refused = await ask('GET', '/v1/keys', undefined, headers);
    assert.equal(refused.statusCode, 403);
    assert.match(refused.json().message, /keys:read/);
  });

  it('give no scope that their maker lacks, neither made nor rotated', async () => {
    const headers = await server.keyWith(['keys:*', 'calls:read']);
    const make = (scopes: string[]) =>
      ask('POST', '/v1/keys', { label: `of ${scopes.join()}`, scopes }, headers);
    assert.equal((await make(['calls:read'])).statusCode, 201);
    for (const scopes of [['*'], ['calls:*'], ['calls:read', 'agents:write']]) {
      const refused = await make(scopes);
      assert.equal(refused.statusCode, 403);
      assert.ok(refused.json().message.includes(scopes.at(-1)));
    }
    const wide = (await ask('POST', '/v1/keys', { label: 'wide', scopes: ['*'] })).json();
    const rotated = await ask('POST', `/v1/keys/${wide.key_id}/rotate`, {}, headers);
    assert.equal(rotated.statusCode, 403);
    assert.equal(rotated.body.includes('pk_live_'), false);
  });

  it('are rotated with overlap: the old one ends by itself', async () => {
    const old = (await ask('POST', '/v1/keys', { label: 'rotor', scopes: ['calls:read'] })).json();
    const rotate = `/v1/keys/${old.key_id}/rotate`;
    const answer = await ask('POST', rotate, { overlap_seconds: 60 });
    assert.equal(answer.statusCode, 201);
    const successor = answer.json();
    assert.equal(successor.label, 'rotor');
    assert.deepEqual(successor.scopes, ['calls:read']);
    assert.equal(await statusWith(old.key), 200);
    assert.equal(await statusWith(successor.key), 200);
    // A second rotation cannot lengthen the life of the first key.
    assert.equal((await ask('POST', rotate, { overlap_seconds: 3600 })).statusCode, 201);
    nowMs += 60_000;
    assert.equal(await statusWith(old.key), 401);
    assert.equal(await statusWith(successor.key), 200);
    assert.equal((await ask('POST', rotate, {})).statusCode, 404);
  });

  it('are revoked at once', async () => {
    const one = (await ask('POST', '/v1/keys', { label: 'gone', scopes: ['calls:read'] })).json();
    assert.equal(await statusWith(one.key), 200);
    assert.equal((await ask('DELETE', `/v1/keys/${one.key_id}`)).statusCode, 204);
    assert.equal(await statusWith(one.key), 401);
    assert.equal((await ask('DELETE', `/v1/keys/${one.key_id}`)).statusCode, 404);
  });

  it('of another workspace are not there [R2]', async () => {
    const mine = (await ask('POST', '/v1/keys', { label: 'mine', scopes: ['calls:read'] })).json();
    const foreign = await server.keyWith(['*'], server.otherWorkspace);
    const url = `/v1/keys/${mine.key_id}`;
    assert.equal((await ask('DELETE', url, undefined, foreign)).statusCode, 404);
    assert.equal((await ask('POST', `${url}/rotate`, {}, foreign)).statusCode, 404);
    const listed = await ask('GET', '/v1/keys', undefined, foreign);
    assert.equal(listed.body.includes(mine.key_id), false);
    assert.equal(await statusWith(mine.key), 200);
  });

  it('of one label are refused with 409, unknown scopes with 400', async () => {
    const body = { label: 'twin', scopes: ['calls:read'] };
    assert.equal((await ask('POST', '/v1/keys', body)).statusCode, 201);
    assert.equal((await ask('POST', '/v1/keys', body)).json().error_code, 'ALREADY_EXISTS');
    for (const scopes of [[], ['calls'], ['calls:fly'], 'calls:read', ['voice_links:delete']]) {
      const refused = await ask('POST', '/v1/keys', { label: 'odd', scopes });
      assert.equal(refused.json().error_code, 'INVALID_ARGUMENT');
    }
    assert.equal((await ask('POST', '/v1/keys', { ...body, label: '  ' })).statusCode, 400);
  });
});

describe('workspaces', () => {
  let server: Server;
  before(async () => (server = await testServer()));
  after(() => server.close());

  const ask = (method: Method, url: string, payload?: object, headers = server.headers) =>
    server.app.inject({ method, url, headers, payload });

  it('are read and renamed by their own key [SEED-40]', async () => {
    const before = (await ask('GET', '/v1/workspace')).json();
    assert.equal(before.id, 'ws_demo');
    assert.equal(before.type, 'demo');
    const after = (await ask('PATCH', '/v1/workspace', { name: 'Acme' })).json();
    assert.deepEqual(after, { ...before, name: 'Acme', updated_at: '2027-01-15T08:00:00.000Z' });
    assert.deepEqual((await ask('PATCH', '/v1/workspace', {})).json(), after);
    for (const body of [{ name: '' }, { name: 5 }, { type: 'demo' }, { id: 'ws_x' }]) {
      assert.equal((await ask('PATCH', '/v1/workspace', body)).statusCode, 400);
    }
  });

  it('are made standard or demo by the operator, each with a key of its own [SEED-40]', async () => {
    for (const type of ['standard', 'demo']) {
      const made = await ask('POST', '/v1/workspaces', { name: type, type });
      assert.equal(made.statusCode, 201);
      const { workspace, key } = made.json();
      assert.equal(workspace.type, type);
      const headers = { authorization: `Bearer ${key.key}` };
      const seen = (await ask('GET', '/v1/workspace', undefined, headers)).json();
      assert.deepEqual(seen, workspace);
      const agents = (await ask('GET', '/v1/agents', undefined, headers)).json();
      assert.deepEqual(agents.agents, []);
    }
    const page = (await ask('GET', '/v1/workspaces?page_size=2')).json();
    assert.equal(page.workspaces.length, 2);
    const rest = (await ask('GET', `/v1/workspaces?page_token=${page.next_page_token}`)).json();
    assert.equal(rest.workspaces.length, 1);
    const changed = await ask('PATCH', '/v1/workspaces/ws_demo', { type: 'standard' });
    assert.equal(changed.json().type, 'standard');
    assert.equal((await ask('PATCH', '/v1/workspaces/ws_none', { name: 'x' })).statusCode, 404);
  });

  it('cannot make themselves free of charge, nor see each other [SEED-42]', async () => {
    const headers = await server.keyWith(['*'], server.otherWorkspace);
    const requests: readonly (readonly [Method, string, object?])[] = [
      ['GET', '/v1/workspaces'],
      ['POST', '/v1/workspaces', { name: 'x', type: 'demo' }],
      ['PATCH', '/v1/workspaces/ws_other', { type: 'demo' }],
    ];
    for (const [method, url, body] of requests) {
      const refused = await ask(method, url, body, headers);
      assert.equal(refused.statusCode, 403);
      assert.match(refused.json().message, /workspaces:(read|write)/);
    }
    const own = (await ask('GET', '/v1/workspace', undefined, headers)).json();
    assert.equal(own.type, 'standard');
  });
});
