import assert from 'node:assert/strict';
import { Compile } from 'typebox/compile';
import { ChatProblem } from '../../../src/http/shapes.ts';
import { type ChatServer, chatServer } from '../../support/chat-server.ts';

const BASE = '/api/agents/agt_demo/public-links';
const problem = Compile(ChatProblem);

interface Link {
  readonly id: string;
  readonly token: string;
  readonly [field: string]: unknown;
}

describe("the owner's side of public links", () => {
  let server: ChatServer;
  before(async () => (server = await chatServer()));
  after(() => server.close());

  const ask = (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    url: string,
    payload?: object,
    headers = server.headers,
  ) => server.app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  const make = async (payload: object = {}) => (await ask('POST', BASE, payload)).json<Link>();

  it('SEED-149, SEED-142, SEED-143: creates a link with its settings and an address to copy', async () => {
    const answer = await ask('POST', BASE, {
      name: 'Site',
      require_email: true,
      messages_per_minute: 5,
      messages_per_day: 50,
      welcome_message: 'Welcome!',
      expires_at: '2027-01-01T00:00:00+01:00',
    });
    assert.equal(answer.statusCode, 201);
    const { id, token, ...link } = answer.json<Link>();
    assert.match(id, /^lnk_\w{16}$/);
    assert.match(token, /^[\w-]{32}$/, '24 random bytes');
    assert.deepEqual(link, {
      agent_id: 'agt_demo',
      agent_name: 'Front Desk',
      url: `https://voice.example.org/public/chat/${token}`,
      status: 'active',
      name: 'Site',
      enabled: true,
      require_email: true,
      messages_per_minute: 5,
      messages_per_day: 50,
      welcome_message: 'Welcome!',
      expires_at: '2026-12-31T23:00:00.000Z',
      usage: { messages: 0, last_used_at: null },
      created_at: '2026-01-05T12:00:00.000Z',
      updated_at: '2026-01-05T12:00:00.000Z',
    });
  });

  it('SEED-131: a link asks for no address unless its owner says so', async () => {
    assert.equal((await make())['require_email'], false);
  });

  it('SEED-148: lists links, oldest first, with how they are used', async () => {
    const link = await make({ name: 'listed' });
    await server.visitor(link.token).say('hello');
    const { public_links: all } = (await ask('GET', BASE)).json<{ public_links: Link[] }>();
    const listed = all.find(({ id }) => id === link.id);
    assert.deepEqual(listed?.['usage'], { messages: 1, last_used_at: '2026-01-05T12:00:00.000Z' });
  });

  it('SEED-148: takes the name of the agent as well as its id', async () => {
    const answer = await ask('GET', '/api/agents/front%20desk/public-links');
    assert.equal(answer.statusCode, 200);
  });

  it('does not guess between two agents of one name', async () => {
    const agent = await server.storage.agents.findForCall('agt_demo' as never);
    assert.ok(agent);
    await server.storage.agents.create({ ...agent, id: 'agt_twin' as never }, 1);
    const answer = await ask('GET', '/api/agents/Front%20Desk/public-links');
    assert.equal(answer.statusCode, 400);
    assert.match(answer.json<{ detail: string }>().detail, /give the id/);
  });

  it('SEED-150: replaces the fields given; address and conversations stay', async () => {
    const link = await make({ name: 'before', messages_per_day: 7 });
    const visitor = server.visitor(link.token);
    await visitor.say('hello');
    const put = { welcome_message: 'New', enabled: true, expires_at: null };
    const changed = (await ask('PUT', `${BASE}/${link.id}`, put)).json<Link>();
    assert.equal(changed['welcome_message'], 'New');
    assert.equal(changed['name'], 'before');
    assert.equal(changed['messages_per_day'], 7);
    assert.equal(changed.token, link.token);
    assert.equal((await visitor.texts()).length, 3);
    const same = (await ask('PUT', `${BASE}/${link.id}`, {})).json<Link>();
    assert.deepEqual({ ...same }, { ...changed });
  });

  it('SEED-151: deletes; the address answers as one that never was', async () => {
    const link = await make();
    assert.equal((await ask('DELETE', `${BASE}/${link.id}`)).statusCode, 204);
    assert.equal((await ask('DELETE', `${BASE}/${link.id}`)).statusCode, 404);
    assert.equal((await ask('PUT', `${BASE}/${link.id}`, {})).statusCode, 404);
    const answer = await server.app.inject(`/api/public/link/${link.token}`);
    assert.deepEqual(answer.json(), { valid: false, reason: 'not_found' });
  });

  it('gives a link a new address and forgets the old one', async () => {
    const link = await make();
    const rotated = (await ask('POST', `${BASE}/${link.id}/rotate`)).json<Link>();
    assert.equal(rotated.id, link.id);
    assert.notEqual(rotated.token, link.token);
    const old = await server.app.inject(`/api/public/link/${link.token}`);
    assert.deepEqual(old.json(), { valid: false, reason: 'not_found' });
  });

  it('SEED-136, SEED-137: shows and erases what is kept of one person', async () => {
    const link = await make({ require_email: true });
    const visitor = server.visitor(link.token);
    await visitor.verify('ann@example.org');
    await visitor.say('hello');
    const url = '/api/agents/agt_demo/public-users/Ann@example.org';
    const kept = (await ask('GET', url)).json<{ messages: object[]; user_messages: number }>();
    assert.equal(kept.user_messages, 1);
    assert.equal(kept.messages.length, 3);
    assert.equal((await ask('DELETE', url)).statusCode, 204);
    const left = (await ask('GET', url)).json<{ messages: object[]; user_messages: number }>();
    assert.deepEqual([left.messages, left.user_messages], [[], 0]);
    await assert.rejects(visitor.history(), { code: 'CHAT_VERIFICATION_REQUIRED' });
  });

  it('needs a key with the scope, of the workspace', async () => {
    const link = await make();
    const one = `${BASE}/${link.id}`;
    const read = await server.keyWith(['public_links:read']);
    const write = await server.keyWith(['public_links:write']);
    const area = await server.keyWith(['public_links:*']);
    const foreign = await server.keyWith(['*'], server.otherWorkspace);
    const person = '/api/agents/agt_demo/public-users/a@b.example';
    const routes = [
      ['GET', BASE, undefined, read],
      ['POST', BASE, {}, write],
      ['PUT', one, {}, write],
      ['POST', `${one}/rotate`, undefined, write],
      ['GET', person, undefined, read],
      ['DELETE', person, undefined, write],
      ['DELETE', one, undefined, write],
    ] as const;
    for (const [method, url, body, right] of routes) {
      const wrong = right === read ? write : read;
      const none = await server.app.inject({ method, url, ...(body && { payload: body }) });
      assert.deepEqual(
        [none.statusCode, problem.Parse(none.json()).code],
        [401, 'UNAUTHENTICATED'],
      );
      const refused = await ask(method, url, body, wrong);
      assert.deepEqual(
        [refused.statusCode, problem.Parse(refused.json()).code],
        [403, 'PERMISSION_DENIED'],
      );
      const other = await ask(method, url, body, foreign);
      assert.deepEqual(
        [other.statusCode, problem.Parse(other.json()).code],
        [404, 'NOT_FOUND'],
        `${method} ${url}`,
      );
      const taken = await ask(method, url, body, url === BASE ? area : right);
      assert.ok(taken.statusCode < 300, `${method} ${url}: ${taken.body}`);
    }
  });

  const malformed: readonly (readonly [string, unknown])[] = [
    ['no limit', { messages_per_minute: 0 }],
    ['a limit that is no number', { messages_per_day: '5' }],
    ['a huge number', { messages_per_day: 1e300 }],
    ['an unknown field', { colour: 'red' }],
    ['a name too long', { name: 'x'.repeat(101) }],
    ['a time that is none', { expires_at: '2026-13-45T00:00:00Z' }],
    ['a time without a zone', { expires_at: '2026-01-01T00:00:00' }],
    ['no object', []],
    ['null', null],
  ];
  for (const [what, payload] of malformed) {
    it(`refuses ${what} with 400 in the shape of its family`, async () => {
      const headers = { ...server.headers, 'content-type': 'application/json' };
      const request = {
        method: 'POST',
        url: BASE,
        headers,
        payload: JSON.stringify(payload),
      } as const;
      const answer = await server.app.inject(request);
      assert.equal(answer.statusCode, 400, answer.body);
      assert.equal(problem.Parse(answer.json()).code, 'INVALID_ARGUMENT');
    });
  }
});
