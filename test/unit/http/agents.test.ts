import assert from 'node:assert/strict';
import { chooseLlm, providersFor } from '../../../src/dialogue/choose-llm.ts';
import { AGENT_TEMPLATES } from '../../../src/dialogue/templates/agent-templates.ts';
import type { LlmSettings } from '../../../src/model/provider.ts';
import { asAgentId } from '../../../src/model/ids.ts';
import { testServer } from '../../support/http-server.ts';

type Server = Awaited<ReturnType<typeof testServer>>;
type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

describe('agents', () => {
  let server: Server;
  before(async () => (server = await testServer()));
  after(() => server.close());

  const ask = (method: Method, url: string, payload?: unknown, headers: object = {}) =>
    server.app.inject({
      method,
      url,
      headers: { ...server.headers, ...headers },
      ...(payload === undefined ? {} : { payload: payload as object }),
    });
  const create = async (body: object) => (await ask('POST', '/v1/agents', body)).json();

  it('need only a name, and say nothing until told to [R40]', async () => {
    const answer = await ask('POST', '/v1/agents', { display_name: 'Ann' });
    assert.equal(answer.statusCode, 201);
    const agent = answer.json();
    assert.match(agent.agent_id, /^agt_\w{16}$/);
    assert.equal(answer.headers.location, `/v1/agents/${agent.agent_id}`);
    assert.equal(agent.greeting_text, '');
    assert.equal(agent.type, 'standard');
    assert.equal(agent.enabled, true);
    assert.equal(agent.language, 'en');
    assert.deepEqual((await ask('GET', `/v1/agents/${agent.agent_id}`)).json(), agent);
    for (const body of [{}, { display_name: '' }, { display_name: 'x', shareable: true }, []]) {
      assert.equal((await ask('POST', '/v1/agents', body)).statusCode, 400);
    }
  });

  it('are made from templates with greeting, prompt and phrasebook [SEED-33, R40]', async () => {
    const listed = (await ask('GET', '/v1/agent-templates')).json().templates;
    assert.ok(listed.length >= 6);
    for (const template of AGENT_TEMPLATES) {
      const shown = listed.find((one: { template_id: string }) => one.template_id === template.id);
      assert.equal(shown.greeting_text, template.greetingText);
      const agent = await create({ display_name: 'Ann', template_id: template.id });
      assert.equal(agent.template_id, template.id);
      assert.equal(agent.greeting_text, template.greetingText);
      assert.equal(agent.system_prompt, template.systemPrompt);
      const { agents } = server.storage;
      const stored = await agents.findForCall(asAgentId(agent.agent_id));
      assert.deepEqual(stored?.phrasebook, template.phrasebook);
    }
    const [first] = listed;
    const own = { display_name: 'Ann', template_id: first.template_id, greeting_text: 'Hi!' };
    assert.equal((await create(own)).greeting_text, 'Hi!');
    assert.equal((await create({ ...own, greeting_text: '' })).greeting_text, '');
    const unknown = await ask('POST', '/v1/agents', { display_name: 'x', template_id: 'none' });
    assert.equal(unknown.json().error_code, 'INVALID_ARGUMENT');
  });

  it('keep every field that is given', async () => {
    const body = {
      display_name: 'Callback',
      type: 'click_to_call',
      enabled: false,
      language: 'de-AT',
      ai_provider: 'phrasebook',
      ai_model: 'any',
      system_prompt: 'You are {{name}}.',
      greeting_text: 'Servus',
      voice: 'slt',
      phrasebook: {
        entries: [
          { id: 'pin', says: ['{pin:digits 4}'], digits: '1', replies: ['{{pin}}'], next: ['ok'] },
          { id: 'ok', says: ['<yes>'], replies: ['Fine'], after: 'hang-up', is_follow_up: true },
        ],
        fallbacks: ['Pardon?'],
        opening: 'pin',
      },
      tool_definitions: [{ name: 'look_up', description: 'x', parameters: { type: 'object' } }],
      idle_after_ms: 5000,
      idle_prompts: ['Hm?'],
      time_limit_seconds: 60,
      concurrent_calls_max: 2,
      webhook_url: 'https://crm.example.org/hook?x=1',
      pre_call_announcement: 'This call is recorded.',
      call_window_start: '09:00',
      call_window_end: '18:30',
      time_zone: 'Europe/Vienna',
      disable_signature_verification: true,
      one_call_at_a_time: true,
      strict_variables: true,
      calls_per_day_max: 7,
      allowed_prefixes: ['+43', '+34911'],
    };
    const agent = await create(body);
    assert.deepEqual({ ...agent, ...body }, agent);
    const url = `/v1/agents/${agent.agent_id}`;
    const stored = await server.storage.agents.findForCall(agent.agent_id);
    assert.equal(stored?.phrasebook?.entries[1]?.isFollowUp, true);
    const changed = (await ask('PATCH', url, { ai_model: null, phrasebook: null })).json();
    const { updated_at } = changed;
    assert.deepEqual(changed, { ...agent, ai_model: null, phrasebook: null, updated_at });
  });

  it('take both ends of a call window or none, and only zones that there are', async () => {
    const agent = await create({ display_name: 'window' });
    const url = `/v1/agents/${agent.agent_id}`;
    const change = async (body: object) => (await ask('PATCH', url, body)).statusCode;
    assert.equal(await change({ call_window_start: '09:00' }), 400);
    assert.equal(await change({ call_window_start: '9:00', call_window_end: '10:00' }), 400);
    assert.equal(await change({ call_window_start: '24:00', call_window_end: '10:00' }), 400);
    assert.equal(await change({ call_window_start: '09:00', call_window_end: '18:00' }), 200);
    assert.equal(await change({ call_window_end: '17:00' }), 200);
    assert.equal((await ask('GET', url)).json().call_window_start, '09:00');
    assert.equal(await change({ call_window_end: null }), 400);
    assert.equal(await change({ call_window_start: null, call_window_end: null }), 200);
    assert.equal(await change({ time_zone: 'Mars/Olympus' }), 400);
    for (const webhook_url of ['ftp://x.org', 'https://a:b@x.org/', 'x', '']) {
      assert.equal(await change({ webhook_url }), 400);
    }
  });

  it('take tools as text too, and answer an array', async () => {
    const tools = [{ name: 'f', description: '', parameters: { type: 'object', properties: {} } }];
    const agent = await create({ display_name: 'x', tool_definitions: JSON.stringify(tools) });
    assert.deepEqual(agent.tool_definitions, tools);
    for (const tool_definitions of ['no json', '{}', '[{"name":"a b"}]', 5, [{}]]) {
      const refused = await ask('POST', '/v1/agents', { display_name: 'x', tool_definitions });
      assert.equal(refused.json().error_code, 'INVALID_ARGUMENT');
    }
  });

  it('refuse a phrasebook that cannot be read, and a language model that is not set up', async () => {
    const broken = { entries: [{ id: 'a', says: ['(a|b'], replies: ['x'] }], fallbacks: [] };
    const refused = await ask('POST', '/v1/agents', { display_name: 'x', phrasebook: broken });
    assert.match(refused.json().message, /^phrasebook: /);
    assert.equal(refused.statusCode, 400);
    const body = { display_name: 'x', ai_provider: 'openai' };
    assert.match((await ask('POST', '/v1/agents', body)).json().message, /not set up/);
  });

  it('take a greeting by PATCH [SEED-31]', async () => {
    const { agent_id } = await create({ display_name: 'Acme' });
    const greeting_text = 'Hi! I am the Acme Finance assistant. How can I help you today?';
    const answer = await ask('PATCH', `/v1/agents/${agent_id}`, { greeting_text });
    assert.equal(answer.json().greeting_text, greeting_text);
    assert.equal((await server.storage.agents.findForCall(agent_id))?.greetingText, greeting_text);
  });

  it('are changed only as they were read, when If-Match says so', async () => {
    const made = await ask('POST', '/v1/agents', { display_name: 'x' });
    const { agent_id } = made.json();
    const url = `/v1/agents/${agent_id}`;
    const { etag } = made.headers;
    assert.equal((await ask('GET', url)).headers.etag, etag);
    const first = await ask('PATCH', url, { voice: 'a' }, { 'if-match': etag });
    assert.equal(first.statusCode, 200);
    assert.notEqual(first.headers.etag, etag);
    for (const method of ['PATCH', 'DELETE'] as const) {
      const late = await ask(method, url, { voice: 'b' }, { 'if-match': etag });
      assert.equal(late.statusCode, 412);
      assert.equal(late.json().error_code, 'PRECONDITION_FAILED');
    }
    const weak = { 'if-match': `W/${first.headers.etag}` };
    assert.equal((await ask('PATCH', url, { voice: 'b' }, weak)).statusCode, 412);
    const several = { 'if-match': `${etag}, ${first.headers.etag}` };
    assert.equal((await ask('PATCH', url, { voice: 'c' }, several)).statusCode, 200);
    assert.equal((await ask('PATCH', url, { voice: 'd' }, { 'if-match': '*' })).statusCode, 200);
  });

  it('let one of many writers win who all read the same', async () => {
    const { agent_id } = await create({ display_name: 'x' });
    const url = `/v1/agents/${agent_id}`;
    const { etag } = (await ask('GET', url)).headers;
    const writers = Array.from({ length: 20 }, (_, index) =>
      ask('PATCH', url, { voice: `v${index}` }, { 'if-match': etag }),
    );
    const statuses = (await Promise.all(writers)).map(({ statusCode }) => statusCode);
    assert.equal(statuses.filter((status) => status === 200).length, 1);
    assert.equal(statuses.filter((status) => status === 412).length, 19);
  });

  it('are deleted once', async () => {
    const { agent_id } = await create({ display_name: 'x' });
    const url = `/v1/agents/${agent_id}`;
    assert.equal((await ask('DELETE', url)).statusCode, 204);
    assert.equal((await ask('DELETE', url)).statusCode, 404);
    assert.equal((await ask('GET', url)).statusCode, 404);
    assert.equal(await server.storage.agents.findForCall(agent_id), null);
  });

  it('of other workspaces are not there, whatever is asked [SEED-7, R2]', async () => {
    const { agent_id } = await create({ display_name: 'x' });
    const url = `/v1/agents/${agent_id}`;
    const foreign = await server.keyWith(['*'], server.otherWorkspace);
    const before = await server.storage.agents.findForCall(agent_id);
    const asked = [
      await ask('GET', url, undefined, foreign),
      await ask('PATCH', url, { voice: 'x' }, foreign),
      await ask('PATCH', `${url}/shareable`, { shareable: true }, foreign),
      await ask('DELETE', url, undefined, foreign),
    ];
    const none = (await ask('GET', '/v1/agents/agt_none')).json();
    for (const answer of asked) {
      assert.equal(answer.statusCode, 404);
      const body = answer.json();
      assert.deepEqual({ ...body, request_id: '' }, { ...none, request_id: '' });
    }
    assert.deepEqual(await server.storage.agents.findForCall(agent_id), before);
  });
});

describe('PATCH /v1/agents/{agent_id}/shareable', () => {
  let server: Server;
  before(async () => (server = await testServer()));
  after(() => server.close());

  const url = '/v1/agents/agt_demo/shareable';
  const patch = (payload: unknown, headers: object = server.headers) =>
    server.app.inject({
      method: 'PATCH',
      url,
      headers: { 'content-type': 'application/json', ...headers },
      payload: JSON.stringify(payload),
    });
  const isShareable = async () =>
    (await server.storage.agents.findForCall(asAgentId('agt_demo')))?.isShareable;

  it('is off at first [SEED-9]', async () => {
    assert.equal(await isShareable(), false);
  });

  it('gives a fixed address, twice the same [SEED-1, SEED-4, SEED-5, SEED-6, SEED-10, SEED-11]', async () => {
    for (const _ of [1, 2]) {
      const answer = await patch({ shareable: true });
      assert.equal(answer.statusCode, 200);
      assert.equal(answer.json().shareable, true);
      assert.equal(answer.json().shareable_url, 'https://voice.example.org/try/agt_demo');
      assert.equal(await isShareable(), true);
    }
  });

  it('takes it back [SEED-13]', async () => {
    const answer = await patch({ shareable: false });
    assert.equal(answer.json().shareable, false);
    assert.equal(answer.json().shareable_url, null);
    assert.equal(await isShareable(), false);
  });

  it('refuses what is no boolean and changes nothing [SEED-8]', async () => {
    await patch({ shareable: true });
    for (const body of [
      { shareable: 'false' },
      { shareable: 0 },
      { shareable: null },
      {},
      null,
      5,
    ]) {
      const refused = await patch(body);
      assert.equal(refused.statusCode, 400);
      assert.equal(refused.json().error_code, 'INVALID_ARGUMENT');
    }
    assert.equal(await isShareable(), true);
  });

  it('needs a key, with the scope [SEED-7]', async () => {
    assert.equal((await patch({ shareable: false }, {})).statusCode, 401);
    const reader = await server.keyWith(['agents:read']);
    const refused = await patch({ shareable: false }, reader);
    assert.equal(refused.statusCode, 403);
    assert.match(refused.json().message, /agents:write/);
    assert.equal(await isShareable(), true);
  });

  it('answers errors in the shape of its family [SEED-44]', async () => {
    const keys = Object.keys((await patch({})).json());
    assert.deepEqual(keys, ['error_code', 'message', 'request_id', 'documentation_url']);
  });
});

describe('the language model of an agent', () => {
  const settings: LlmSettings = {
    provider: 'openai',
    baseUrl: 'http://127.0.0.1:1/v1',
    apiKey: 'k',
    model: 'small',
    temperature: null,
    maxTokens: 100,
    timeoutMs: 1000,
  };

  it('is that of the settings unless the agent wishes otherwise', () => {
    const nothing = { aiProvider: null, aiModel: null };
    assert.deepEqual(chooseLlm(settings, nothing), settings);
    assert.deepEqual(chooseLlm(settings, { ...nothing, aiModel: 'large' }), {
      ...settings,
      model: 'large',
    });
    const phrasebook = { provider: 'phrasebook' } as const;
    assert.deepEqual(chooseLlm(settings, { aiProvider: 'phrasebook', aiModel: 'x' }), phrasebook);
    // The settings were changed after the agent was made.
    assert.deepEqual(chooseLlm(phrasebook, { aiProvider: 'openai', aiModel: 'x' }), phrasebook);
    assert.deepEqual(providersFor(settings), ['phrasebook', 'openai']);
    assert.deepEqual(providersFor(phrasebook), ['phrasebook']);
  });
});
