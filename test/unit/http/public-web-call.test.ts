import assert from 'node:assert/strict';
import { join } from 'node:path';
import { SignedTokens } from '../../../src/access/signed-tokens.ts';
import { createWebCallTokens, WEB_CALL_TOKEN_MS } from '../../../src/access/web-call-tokens.ts';
import { networkOf } from '../../../src/http/address-limit.ts';
import { silentLogger } from '../../../src/observability/logger.ts';
import { openStorage } from '../../../src/storage/storage.ts';
import { testServer } from '../../support/http-server.ts';
import { DEMO_AGENT } from '../../support/storage.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

type Server = Awaited<ReturnType<typeof testServer>>;
const PATH = '/v1/calls/public/create-web-call';
const KEYS = '/v1/agents/agt_demo/shared-keys';

describe('GET /v1/calls/public/create-web-call', () => {
  let server: Server;
  let nowMs = 1_800_000_000_000;
  let key = '';
  before(async () => {
    server = await testServer({ nowMs: () => nowMs });
    key = (await owner('POST', KEYS)).json().shared_key;
  });
  after(() => server.close());

  const owner = (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) =>
    server.app.inject({ method, url, headers: server.headers, payload });
  const get = (query: Readonly<Record<string, string>>, headers = {}) =>
    server.app.inject({ method: 'GET', url: PATH, query, headers });
  const mint = async (shared_key = key) =>
    (await get({ ai_agent_id: 'agt_demo', shared_key })).json();

  it('answers 201 with a token, and needs no other authority [SEED-46, SEED-48, SEED-49, SEED-50, SEED-51, SEED-52, SEED-62]', async () => {
    const answer = await get({ ai_agent_id: 'agt_demo', shared_key: key });
    assert.equal(answer.statusCode, 201);
    assert.match(String(answer.headers['content-type']), /^application\/json/);
    assert.deepEqual(Object.keys(answer.json()), ['access_token']);
    assert.equal(typeof answer.json().access_token, 'string');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['referrer-policy'], 'no-referrer');
  });

  it('answers 401 alike to a wrong key, an unknown agent and empty values [SEED-53, SEED-54, SEED-57, R2]', async () => {
    const answers = await Promise.all([
      get({ ai_agent_id: 'agt_demo', shared_key: 'sk_wrong' }),
      get({ ai_agent_id: 'agt_none', shared_key: key }),
      get({ ai_agent_id: '', shared_key: '' }),
      get({ ai_agent_id: "'; --", shared_key: '\0' }),
    ]);
    for (const answer of answers) {
      assert.equal(answer.statusCode, 401);
      const { request_id, ...body } = answer.json();
      assert.equal(request_id, answer.headers['x-request-id']);
      assert.deepEqual(body, {
        error: 'UNAUTHENTICATED',
        message: 'Agent or shared key is not valid.',
      });
    }
  });

  it('answers 422 naming each missing field [SEED-55, SEED-56]', async () => {
    const missing = (name: string) => ({
      loc: ['query', name],
      msg: 'Field required',
      type: 'missing',
    });
    const both = await get({});
    assert.equal(both.statusCode, 422);
    assert.deepEqual(both.json().detail, [missing('ai_agent_id'), missing('shared_key')]);
    const noAgent = await get({ shared_key: key });
    assert.deepEqual(noAgent.json().detail, [missing('ai_agent_id')]);
    const noKey = await get({ ai_agent_id: 'agt_demo' });
    assert.deepEqual(noKey.json().detail, [missing('shared_key')]);
    assert.equal(noKey.json().error, undefined);
    const twice = await server.app.inject(`${PATH}?ai_agent_id=a&ai_agent_id=b&shared_key=c`);
    assert.equal(twice.statusCode, 422);
    assert.equal(twice.json().detail[0].type, 'string_type');
  });

  it('mints nothing for HEAD and prefetching [R7]', async () => {
    const query = { ai_agent_id: 'agt_demo', shared_key: key };
    const head = await server.app.inject({ method: 'HEAD', url: PATH, query });
    assert.equal(head.statusCode, 204);
    assert.equal(head.body, '');
    const hints = [
      { 'sec-purpose': 'prefetch;prerender' },
      { purpose: 'prefetch' },
      { 'x-moz': 'prefetch' },
    ];
    for (const headers of hints) {
      const answer = await get(query, headers);
      assert.equal(answer.statusCode, 503);
      assert.equal(answer.json().access_token, undefined);
      assert.equal(typeof answer.json().error, 'string');
    }
  });

  it('is answered by POST too, with the key in the body [R7]', async () => {
    const post = (payload: object) => server.app.inject({ method: 'POST', url: PATH, payload });
    const answer = await post({ ai_agent_id: 'agt_demo', shared_key: key });
    assert.equal(answer.statusCode, 201);
    assert.notEqual(await server.tokens.redeemWebCallToken(answer.json().access_token), null);
    const wrong = await post({ ai_agent_id: 5 });
    assert.equal(wrong.statusCode, 422);
    assert.deepEqual(
      wrong.json().detail.map(({ loc, type }: { loc: unknown; type: string }) => [loc, type]),
      [
        [['body', 'ai_agent_id'], 'string_type'],
        [['body', 'shared_key'], 'missing'],
      ],
    );
    assert.equal((await post([])).statusCode, 422);
    const broken = await server.app.inject({
      method: 'POST',
      url: PATH,
      headers: { 'content-type': 'application/json' },
      payload: '{',
    });
    assert.equal(broken.statusCode, 400);
    assert.deepEqual(Object.keys(broken.json()), ['error', 'message', 'request_id']);
  });

  it('refuses an address that asks too often, in its own shape [R3]', async () => {
    const busy = await testServer({ publicRequestsPerMinute: 2 });
    const statuses: number[] = [];
    for (const _ of [1, 2, 3]) statuses.push((await busy.app.inject(PATH)).statusCode);
    assert.deepEqual(statuses, [422, 422, 429]);
    const refused = await busy.app.inject(PATH);
    assert.equal(refused.json().error, 'RATE_LIMITED');
    assert.match(String(refused.headers['retry-after']), /^\d+$/);
    // The owner's limit is another one [SEED-16].
    const { app, headers } = busy;
    assert.equal((await app.inject({ url: '/v1/calls', headers })).statusCode, 200);
    await busy.close();
  });

  it('logs neither key nor token', async () => {
    const { access_token } = await mint();
    for (const line of server.logLines) {
      assert.equal(line.includes(key) || line.includes(access_token), false);
    }
  });

  it('is described as applications know it [SEED-47, SEED-48, SEED-58, SEED-59]', async () => {
    const description = (await server.app.inject('/openapi.json')).json();
    assert.equal(description.openapi, '3.1.0');
    const { get: operation } = description.paths[PATH];
    assert.deepEqual(operation.tags, ['Calls']);
    assert.equal(operation.summary, 'Create Web Call (Public Shared)');
    assert.equal(
      operation.operationId,
      'create_web_call_public_shared_v1_calls_public_create_web_call_get',
    );
    assert.deepEqual(operation.security, []);
    assert.deepEqual(operation.parameters, [
      {
        name: 'ai_agent_id',
        in: 'query',
        required: true,
        schema: { type: 'string', title: 'Ai Agent Id' },
        description: 'AI Agent ID',
      },
      {
        name: 'shared_key',
        in: 'query',
        required: true,
        schema: { type: 'string', title: 'Shared Key' },
        description: 'Shared key for authentication',
      },
    ]);
    const documented = {
      201: ['Successful Response', 'PublicShareWebCallResponse'],
      401: ['Unauthorized', 'app__calls__schemas__ErrorResponse'],
      422: ['Validation Error', 'HTTPValidationError'],
    };
    for (const [status, [text, name]] of Object.entries(documented)) {
      assert.deepEqual(operation.responses[status], {
        description: text,
        content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } },
      });
    }
    const { schemas } = description.components;
    const titles = {
      PublicShareWebCallResponse: 'PublicShareWebCallResponse',
      app__calls__schemas__ErrorResponse: 'ErrorResponse',
      HTTPValidationError: 'HTTPValidationError',
      ValidationError: 'ValidationError',
    };
    for (const [name, title] of Object.entries(titles)) assert.equal(schemas[name].title, title);
    assert.deepEqual(schemas.PublicShareWebCallResponse.required, ['access_token']);
    assert.deepEqual(schemas.app__calls__schemas__ErrorResponse.required, ['error', 'message']);
    assert.deepEqual(schemas.ValidationError.required, ['loc', 'msg', 'type']);
  });

  describe('its token', () => {
    it('gives one call of that agent, once, however many ask [SEED-60, R8]', async () => {
      const { access_token } = await mint();
      const grants = await Promise.all(
        Array.from({ length: 20 }, () => server.tokens.redeemWebCallToken(access_token)),
      );
      const given = grants.filter((grant) => grant !== null);
      assert.equal(given.length, 1);
      assert.equal(given[0]?.agent.id, 'agt_demo');
      assert.equal(given[0]?.workspaceId, 'ws_demo');
    });

    it('lasts 120 seconds [R8]', async () => {
      const [inTime, late] = [await mint(), await mint()];
      nowMs += WEB_CALL_TOKEN_MS - 1;
      assert.notEqual(await server.tokens.redeemWebCallToken(inTime.access_token), null);
      nowMs += 1;
      assert.equal(await server.tokens.redeemWebCallToken(late.access_token), null);
    });

    it('cannot be made or changed by anyone else', async () => {
      const { access_token: token } = await mint();
      const [id, keyId, expiry, agentId, signature] = token.split('.');
      const forged = [
        '',
        'wct_',
        token.slice(0, -1),
        `${token}A`,
        [id, keyId, String(Number(expiry) + 1), agentId, signature].join('.'),
        [id, keyId, expiry, 'agt_other', signature].join('.'),
        [`wct_${'0'.repeat(16)}`, keyId, expiry, agentId, signature].join('.'),
        [id, keyId, expiry, agentId, 'A'.repeat(43)].join('.'),
      ];
      for (const one of forged) assert.equal(await server.tokens.redeemWebCallToken(one), null);
      assert.notEqual(await server.tokens.redeemWebCallToken(token), null);
    });

    it('ends with its key and with its agent being switched off [R6]', async () => {
      const made = (await owner('POST', KEYS)).json();
      const { access_token } = await mint(made.shared_key);
      assert.equal((await owner('DELETE', `${KEYS}/${made.shared_key_id}`)).statusCode, 204);
      assert.equal(await server.tokens.redeemWebCallToken(access_token), null);

      const { agents } = server.storage;
      const agent = await agents.findForCall(DEMO_AGENT.id);
      assert.ok(agent !== null);
      const { access_token: other } = await mint();
      await agents.update(agent.workspaceId, agent.id, { isEnabled: false }, nowMs);
      assert.equal(await server.tokens.redeemWebCallToken(other), null);
      assert.equal((await get({ ai_agent_id: agent.id, shared_key: key })).statusCode, 401);
      await agents.update(agent.workspaceId, agent.id, { isEnabled: true }, nowMs);
      assert.notEqual(await server.tokens.redeemWebCallToken(other), null);
    });

    it('is known after a restart and to other processes, used ones too [R8]', async () => {
      const folder = await temporaryFolder();
      const file = join(folder.path, 'x.sqlite');
      const open = async () => {
        const storage = await openStorage({ file, log: silentLogger() });
        const { webCalls } = storage;
        const clock = () => nowMs;
        const signed = new SignedTokens(webCalls, clock);
        const tokens = createWebCallTokens({ ...storage, signed, webCalls, nowMs: clock });
        return { storage, tokens };
      };
      const { agents } = server.storage;
      const demo = await agents.findForCall(DEMO_AGENT.id);
      assert.ok(demo !== null);
      const first = await open();
      await first.storage.workspaces.create({ id: demo.workspaceId, name: 'x', type: 'demo' }, 1);
      await first.storage.agents.create(demo, 1);
      await first.storage.sharedKeys.create(demo.workspaceId, demo.id, 'sk_one', 1);
      const [used, unused, contested] = await Promise.all(
        [1, 2, 3].map(() => first.tokens.mintWebCallToken(demo.id, 'sk_one')),
      );
      assert.ok(typeof used === 'string' && typeof unused === 'string' && contested);
      assert.notEqual(await first.tokens.redeemWebCallToken(used), null);
      const second = await open();
      const both = await Promise.all(
        [first, second].map(({ tokens }) => tokens.redeemWebCallToken(contested)),
      );
      assert.equal(both.filter((grant) => grant !== null).length, 1);
      await first.storage.close();
      assert.equal(await second.tokens.redeemWebCallToken(used), null);
      assert.notEqual(await second.tokens.redeemWebCallToken(unused), null);
      await second.storage.close();
      await folder.remove();
    });
  });
});

describe('shared keys', () => {
  let server: Server;
  let nowMs = 1_800_000_000_000;
  before(async () => (server = await testServer({ nowMs: () => nowMs })));
  after(() => server.close());
  const ask = (
    method: 'GET' | 'POST' | 'DELETE',
    url: string,
    payload?: object,
    headers = server.headers,
  ) => server.app.inject({ method, url, headers, payload });
  const isGood = async (shared_key: string) => {
    const query = { ai_agent_id: 'agt_demo', shared_key };
    return (await server.app.inject({ url: PATH, query })).statusCode === 201;
  };

  it('are shown once, listed by prefix, rotated with overlap, revoked [SEED-61]', async () => {
    const made = (await ask('POST', KEYS)).json();
    assert.match(made.shared_key, /^sk_\w{43}$/);
    const listed = await ask('GET', KEYS);
    assert.equal(listed.json().shared_keys[0].prefix, made.prefix);
    assert.equal(listed.body.includes(made.shared_key), false);
    assert.equal(await isGood(made.shared_key), true);

    const rotate = `${KEYS}/${made.shared_key_id}/rotate`;
    const successor = (await ask('POST', rotate, { overlap_seconds: 60 })).json();
    assert.deepEqual(
      [await isGood(made.shared_key), await isGood(successor.shared_key)],
      [true, true],
    );
    nowMs += 60_000;
    assert.deepEqual(
      [await isGood(made.shared_key), await isGood(successor.shared_key)],
      [false, true],
    );
    assert.equal((await ask('POST', rotate, {})).statusCode, 404);

    const last = (await ask('POST', `${KEYS}/${successor.shared_key_id}/rotate`, {})).json();
    assert.equal(await isGood(successor.shared_key), false);
    assert.equal((await ask('DELETE', `${KEYS}/${last.shared_key_id}`)).statusCode, 204);
    assert.equal(await isGood(last.shared_key), false);
    assert.deepEqual((await ask('GET', KEYS)).json(), { shared_keys: [] });
  });

  it('open one agent only, and are not there for other workspaces [R2]', async () => {
    const made = (await ask('POST', KEYS)).json();
    const other = (await ask('POST', '/v1/agents', { display_name: 'x' })).json();
    const query = { ai_agent_id: other.agent_id, shared_key: made.shared_key };
    assert.equal((await server.app.inject({ url: PATH, query })).statusCode, 401);
    const wrongAgent = `/v1/agents/${other.agent_id}/shared-keys/${made.shared_key_id}`;
    assert.equal((await ask('DELETE', wrongAgent)).statusCode, 404);

    const foreign = await server.keyWith(['*'], server.otherWorkspace);
    const one = `${KEYS}/${made.shared_key_id}`;
    assert.equal((await ask('GET', KEYS, undefined, foreign)).statusCode, 404);
    assert.equal((await ask('POST', KEYS, undefined, foreign)).statusCode, 404);
    assert.equal((await ask('POST', `${one}/rotate`, {}, foreign)).statusCode, 404);
    assert.equal((await ask('DELETE', one, undefined, foreign)).statusCode, 404);
    assert.equal(await isGood(made.shared_key), true);
  });

  it('go with their agent', async () => {
    const agent = (await ask('POST', '/v1/agents', { display_name: 'x' })).json();
    const url = `/v1/agents/${agent.agent_id}`;
    assert.equal((await ask('POST', `${url}/shared-keys`)).statusCode, 201);
    assert.equal((await ask('DELETE', url)).statusCode, 204);
    assert.equal((await ask('GET', `${url}/shared-keys`)).statusCode, 404);
  });
});

describe('the limit by address', () => {
  it('counts a subscriber of IPv6 as one', () => {
    assert.equal(networkOf('192.0.2.7'), '192.0.2.7');
    assert.equal(networkOf('::ffff:192.0.2.7'), '192.0.2.7');
    assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
    assert.equal(networkOf('2001:0db8:1:2::9'), '2001:db8:1:2::/64');
    assert.equal(networkOf('2001:db8::9'), '2001:db8:0:0::/64');
    assert.equal(networkOf('::1'), '0:0:0:0::/64');
    assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
  });
});
