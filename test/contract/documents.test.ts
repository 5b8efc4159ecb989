import assert from 'node:assert/strict';
import { BROWSER_OFFER } from '../support/browser-offer.ts';
import { Gateway } from '../support/gateway.ts';

type Json = Readonly<Record<string, unknown>>;

const LINK_FIELDS = [
  'id',
  'token',
  'label',
  'status',
  'expiryPreset',
  'expiresAt',
  'timeLimitMinutes',
  'prompt',
  'landingPageTitle',
  'landingPageInfo',
  'createdAt',
  'updatedAt',
];

/** What the documents show, sent to a running daemon as they show it. */
describe('the documents, word for word', function () {
  this.timeout(60_000);
  let gateway: Gateway;
  let agentId: string;
  let foreign: string;

  before(async () => {
    gateway = await Gateway.start({ env: { TRUNKLINE_HTTP_TRUSTED_PROXIES: '127.0.0.1' } });
    const made = await ask('POST', '/v1/agents', { display_name: 'Acme' });
    agentId = String(made.body['agent_id']);
    const other = await ask('POST', '/v1/workspaces', { name: 'other' });
    foreign = String((other.body['key'] as Json)['key']);
  });
  after(() => gateway?.stop());

  let askers = 0;
  async function ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = { authorization: `Bearer ${gateway.adminKey}` },
  ) {
    askers += 1;
    const response = await fetch(`${gateway.httpUrl}${path}`, {
      method,
      headers: {
        // Another visitor each time.
        'x-forwarded-for': `10.1.${askers >> 8}.${askers & 255}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    const parsed = isJson && text !== '' ? (JSON.parse(text) as Json) : {};
    return { status: response.status, body: parsed, text, headers: response.headers };
  }
  const nobody = {};
  const stranger = () => ({ authorization: `Bearer ${foreign}` });

  describe('of shareable links', () => {
    const path = () => `/v1/agents/${agentId}/shareable`;
    const offer = (id: string, sdp = BROWSER_OFFER) =>
      ask('POST', `/v1/public/try/${id}/offer`, { sdp }, nobody);

    it('SEED-9, SEED-36, SEED-37: an agent is not shareable at first, and as unknown as one that is not', async () => {
      assert.equal((await ask('GET', `/v1/agents/${agentId}`)).body['shareable'], false);
      const [closed, unknown] = [await offer(agentId), await offer('agt_nobody')];
      assert.deepEqual([closed.status, unknown.status], [404, 404]);
      const shape = ({ body }: typeof closed) => ({ ...body, request_id: 'any' });
      assert.deepEqual(shape(closed), shape(unknown));
    });

    it('SEED-7, SEED-8, SEED-44: no key, a foreign one and no boolean change nothing', async () => {
      assert.equal((await ask('PATCH', path(), { shareable: true }, nobody)).status, 401);
      assert.equal((await ask('PATCH', path(), { shareable: true }, stranger())).status, 404);
      const refused = await ask('PATCH', path(), { shareable: 'yes' });
      assert.equal(refused.status, 400);
      assert.deepEqual(Object.keys(refused.body), [
        'error_code',
        'message',
        'request_id',
        'documentation_url',
      ]);
      assert.equal((await ask('GET', `/v1/agents/${agentId}`)).body['shareable'], false);
    });

    it('SEED-1, SEED-4, SEED-5, SEED-6, SEED-10, SEED-11: it is turned on, twice the same', async () => {
      for (let time = 0; time < 2; time += 1) {
        const { status, body } = await ask('PATCH', path(), { shareable: true });
        assert.equal(status, 200);
        assert.equal(body['shareable'], true);
        assert.equal(body['shareable_url'], `${gateway.httpUrl}/try/${agentId}`);
      }
    });

    it('SEED-3, SEED-22, SEED-39: its page opens for anyone, and says nothing of the owner', async () => {
      await ask('PATCH', `/v1/agents/${agentId}`, { system_prompt: 'secret-prompt-of-acme' });
      const page = await ask('GET', `/try/${agentId}`, undefined, nobody);
      assert.equal(page.status, 200);
      assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
      assert.doesNotMatch(page.text, /secret-prompt-of-acme|ws_demo|pk_live/);
    });

    it('SEED-25, SEED-27, SEED-35: the offer needs no key; only the offer itself is judged', async () => {
      const { status, body } = await offer(agentId, 'v=0');
      assert.deepEqual([status, body['error_code']], [400, 'INVALID_ARGUMENT']);
    });

    it('SEED-16: asking by link costs the key nothing', async () => {
      for (let i = 0; i < 40; i += 1) {
        const headers = { 'x-forwarded-for': '10.9.9.9' };
        await ask('POST', `/v1/public/try/${agentId}/offer`, { sdp: 'v=0' }, headers);
      }
      const headers = { 'x-forwarded-for': '10.9.9.9' };
      const visitor = await ask('POST', `/v1/public/try/${agentId}/offer`, { sdp: 'v=0' }, headers);
      assert.equal(visitor.status, 429);
      const owner = { ...headers, authorization: `Bearer ${gateway.adminKey}` };
      assert.equal((await ask('GET', '/v1/agents', undefined, owner)).status, 200);
    });

    it('SEED-13: the same request with false turns it off', async () => {
      const { body } = await ask('PATCH', path(), { shareable: false });
      assert.deepEqual([body['shareable'], body['shareable_url']], [false, null]);
      assert.equal((await offer(agentId)).status, 404);
    });

    it('SEED-31, SEED-33: a greeting is set by PATCH, and templates bring one with a prompt', async () => {
      const text = 'Hi! I am the Acme Finance assistant. How can I help you today?';
      const { body } = await ask('PATCH', `/v1/agents/${agentId}`, { greeting_text: text });
      assert.equal(body['greeting_text'], text);
      const { templates } = (await ask('GET', '/v1/agent-templates')).body;
      const [first] = templates as Json[];
      const template_id = first?.['template_id'];
      const made = await ask('POST', '/v1/agents', { display_name: 'T', template_id });
      assert.equal(made.status, 201);
      assert.notEqual(made.body['greeting_text'], '');
      assert.notEqual(made.body['system_prompt'], '');
    });
  });

  describe('of public web calls', () => {
    const PATH = '/v1/calls/public/create-web-call';
    const get = (query: string) => ask('GET', `${PATH}?${query}`, undefined, nobody);

    it('SEED-46, SEED-48, SEED-49, SEED-50, SEED-51, SEED-52: a shared key gets a token, by 201', async () => {
      const key = (await ask('POST', `/v1/agents/${agentId}/shared-keys`, {})).body;
      const { status, body, headers } = await get(
        `ai_agent_id=${agentId}&shared_key=${String(key['shared_key'])}`,
      );
      assert.equal(status, 201);
      assert.match(headers.get('content-type') ?? '', /^application\/json/);
      assert.deepEqual(Object.keys(body), ['access_token']);
    });

    it('SEED-53, SEED-54, SEED-57: a wrong key is 401 with error and message; empty ones are no failure', async () => {
      for (const query of [`ai_agent_id=${agentId}&shared_key=wrong`, 'ai_agent_id=&shared_key=']) {
        const { status, body } = await get(query);
        assert.ok(status === 401 || status === 422, `${status}`);
        if (status === 401)
          assert.deepEqual([typeof body['error'], typeof body['message']], ['string', 'string']);
      }
    });

    it('SEED-55, SEED-56: what is missing is 422, named by its place', async () => {
      const locs = async (query: string) => {
        const { status, body } = await get(query);
        assert.equal(status, 422);
        const detail = body['detail'] as Json[];
        assert.ok(
          detail.every((one) => typeof one['msg'] === 'string' && typeof one['type'] === 'string'),
        );
        return detail.map(({ loc }) => loc);
      };
      assert.deepEqual(await locs('shared_key=x'), [['query', 'ai_agent_id']]);
      assert.deepEqual(await locs('ai_agent_id=x'), [['query', 'shared_key']]);
      assert.equal((await locs('')).length, 2);
    });

    it('SEED-47, SEED-59: the description is OpenAPI 3.1.0 and knows it by its names', async () => {
      const { body } = await ask('GET', '/openapi.json', undefined, nobody);
      assert.equal(body['openapi'], '3.1.0');
      const operation = ((body['paths'] as Json)[PATH] as Json)['get'] as Json;
      assert.deepEqual(operation['tags'], ['Calls']);
      assert.equal(operation['summary'], 'Create Web Call (Public Shared)');
      const id = 'create_web_call_public_shared_v1_calls_public_create_web_call_get';
      assert.equal(operation['operationId'], id);
    });
  });

  describe('of instant voice links', () => {
    const PATH = '/v1/instant-voice-links';
    const good = { labels: ['Ann', 'Bob'], expiryPreset: '1_week', prompt: 'You are a baker.' };
    const linksIn = ({ body }: { body: Json }) => body['links'] as Json[];

    it('SEED-63, SEED-70, SEED-72, SEED-75, SEED-76, SEED-77, SEED-78: links are made, one per label', async () => {
      const made = await ask('POST', PATH, good);
      assert.deepEqual([made.status, made.body['success']], [200, true]);
      const links = linksIn(made);
      assert.deepEqual(
        links.map((link) => [
          link['label'],
          link['landingPageTitle'],
          link['landingPageInfo'],
          link['timeLimitMinutes'],
        ]),
        [
          ['Ann', '', '', 5],
          ['Bob', '', '', 5],
        ],
      );
      for (const name of ['createdAt', 'updatedAt', 'expiresAt'])
        assert.match(String(links[0]?.[name]), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    });

    it('SEED-64, SEED-66, SEED-67, SEED-68: they are listed to their owner, with all twelve fields', async () => {
      const listed = await ask('GET', PATH);
      assert.deepEqual([listed.status, listed.body['success']], [200, true]);
      for (const link of linksIn(listed))
        assert.deepEqual(
          LINK_FIELDS.filter((name) => !(name in link)),
          [],
        );
      assert.deepEqual(linksIn(await ask('GET', PATH, undefined, stranger())), []);
    });

    for (const [numbers, change, message] of [
      ['SEED-79', { labels: undefined }, 'Labels array is required'],
      ['SEED-80', { expiryPreset: '1_year' }, 'Invalid expiry preset'],
      ['SEED-74, SEED-81', { prompt: undefined }, 'Prompt is required'],
      ['SEED-82', { labels: ['Carl', ' '] }, 'All labels must be non-empty strings'],
    ] as const) {
      it(`${numbers}: "${message}", and nothing is made`, async () => {
        const count = async () => linksIn(await ask('GET', PATH)).length;
        const before = await count();
        const { status, body } = await ask('POST', PATH, { ...good, ...change });
        assert.deepEqual([status, body['error']], [400, message]);
        assert.equal(await count(), before);
      });
    }

    for (const [number, change, message] of [
      ['SEED-89', { label: '' }, 'Label must be a non-empty string'],
      ['SEED-90', { expiryPreset: 'never' }, 'Invalid expiry preset'],
      ['SEED-91', { prompt: '' }, 'Prompt must be a non-empty string'],
      ['SEED-92', { landingPageTitle: 1 }, 'landingPageTitle must be a string'],
      ['SEED-93', { landingPageInfo: [] }, 'landingPageInfo must be a string'],
      ['SEED-94', { timeLimitMinutes: 0 }, 'timeLimitMinutes must be a positive number'],
    ] as const) {
      it(`${number}: "${message}", when it is edited`, async () => {
        const [link] = linksIn(await ask('GET', PATH));
        const { status, body } = await ask('PATCH', `${PATH}/${String(link?.['id'])}`, change);
        assert.deepEqual([status, body['error']], [400, message]);
      });
    }

    it('SEED-84, SEED-86, SEED-87: an edit answers success alone, and clamps', async () => {
      const [link] = linksIn(await ask('GET', PATH));
      const path = `${PATH}/${String(link?.['id'])}`;
      const edited = await ask('PATCH', path, { timeLimitMinutes: 90 });
      assert.deepEqual([edited.status, edited.body], [200, { success: true }]);
      assert.equal(linksIn(await ask('GET', PATH))[0]?.['timeLimitMinutes'], 60);
    });

    it('SEED-95: a link that is not there, or is of others, is "Link not found"', async () => {
      const [link] = linksIn(await ask('GET', PATH));
      const paths = [`${PATH}/nothing`, `${PATH}/${String(link?.['id'])}`] as const;
      const answers = [
        await ask('PATCH', paths[0], { label: 'x' }),
        await ask('PATCH', paths[1], { label: 'x' }, stranger()),
      ];
      for (const { status, body } of answers)
        assert.deepEqual([status, body['error']], [404, 'Link not found']);
    });
  });

  describe('of click-to-call', () => {
    const call = (headers: Readonly<Record<string, string>>) =>
      ask('POST', '/api/click-to-call', { phone: '+34612345678' }, headers);

    it('SEED-108, SEED-110, SEED-120: without the header api-key it is ctc:001', async () => {
      const { status, body } = await call({});
      assert.deepEqual(
        [status, body['code'], body['message']],
        [400, 'ctc:001', 'Missing headers'],
      );
    });

    it('SEED-122: with a key of nobody it is ctc:003', async () => {
      const { status, body } = await call({ 'api-key': 'nobody', signature: '00' });
      assert.deepEqual(
        [status, body['code'], body['message']],
        [403, 'ctc:003', 'Invalid API key'],
      );
    });
  });

  describe('of public chat', () => {
    const links = () => `/api/agents/${agentId}/public-links`;
    const settings = {
      name: 'site',
      enabled: true,
      require_email: false,
      messages_per_minute: 5,
      messages_per_day: 50,
      welcome_message: 'Welcome to Acme!',
    };
    let link: Json;
    const tokenOf = () => String(link['token']);

    it('SEED-142, SEED-149, SEED-159: a link is made with its settings', async () => {
      const made = await ask('POST', links(), settings);
      assert.ok(made.status === 200 || made.status === 201, made.text);
      link = made.body;
      for (const [name, value] of Object.entries(settings)) assert.equal(link[name], value);
      assert.ok('expires_at' in link && 'usage' in link);
      assert.equal(link['url'], `${gateway.httpUrl}/public/chat/${tokenOf()}`);
    });

    it('SEED-148: links of an agent are listed', async () => {
      const { public_links: all } = (await ask('GET', links())).body;
      assert.deepEqual(
        (all as Json[]).map(({ id }) => id),
        [link['id']],
      );
    });

    it('SEED-130, SEED-144, SEED-157: anyone opens it and chats at once', async () => {
      const page = await ask('GET', `/public/chat/${tokenOf()}`, undefined, nobody);
      assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
      const info = await ask('GET', `/api/public/link/${tokenOf()}`, undefined, nobody);
      assert.deepEqual([info.body['valid'], info.body['require_email']], [true, false]);
    });

    it('SEED-152, SEED-153: a message is answered, and stands in the history', async () => {
      const said = { message: 'Hello' };
      const reply = await ask('POST', `/api/public/chat/${tokenOf()}`, said, nobody);
      assert.equal(reply.status, 200, reply.text);
      const session = { 'x-session-token': String(reply.body['session_token']) };
      const history = await ask('GET', `/api/public/history/${tokenOf()}`, undefined, session);
      const texts = (history.body['messages'] as Json[]).map(({ role }) => role);
      assert.deepEqual(texts, ['assistant', 'user', 'assistant']);
      assert.match(history.text, /Welcome to Acme!.*Hello/);
    });

    it('SEED-132, SEED-150: PUT turns verification on, and nothing is said before it', async () => {
      const path = `${links()}/${String(link['id'])}`;
      const changed = await ask('PUT', path, { require_email: true });
      assert.deepEqual([changed.status, changed.body['token']], [200, link['token']]);
      const refused = await ask('POST', `/api/public/chat/${tokenOf()}`, { message: 'x' }, nobody);
      assert.equal(refused.status, 401);
    });

    it('SEED-151: DELETE ends it', async () => {
      const path = `${links()}/${String(link['id'])}`;
      assert.equal((await ask('DELETE', path)).status, 204);
      const gone = await ask('POST', `/api/public/chat/${tokenOf()}`, { message: 'x' }, nobody);
      assert.equal(gone.status, 404);
    });
  });
});
