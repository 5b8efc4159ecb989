import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { Gateway } from '../../support/gateway.ts';
import { isSignedBy, WebhookReceiver } from '../../support/webhook-receiver.ts';

describe('the simulator of pk_test_ keys', function () {
  this.timeout(60_000);
  let receiver: WebhookReceiver;
  let gateway: Gateway;
  let testKey: string;

  const ask = async (method: string, path: string, body?: object, key = testKey) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const init =
      body === undefined
        ? { method, headers: { authorization: headers.authorization } }
        : { method, headers, body: JSON.stringify(body) };
    const response = await fetch(`${gateway.httpUrl}${path}`, init);
    const text = await response.text();
    return { status: response.status, text, answer: text.startsWith('{') ? JSON.parse(text) : {} };
  };
  const NUMBER = '+34612345678';
  const dial = () => ask('POST', '/v1/calls', { agent_id: 'agt_demo', to_number: NUMBER });

  before(async () => {
    receiver = await WebhookReceiver.listen();
    gateway = await Gateway.start({
      env: { TRUNKLINE_WEBHOOKS_ALLOWED_NETWORKS: '127.0.0.0/8' },
    });
    const made = await ask(
      'POST',
      '/v1/keys',
      { label: 'tests', scopes: ['*'], mode: 'test' },
      gateway.adminKey,
    );
    testKey = made.answer.key;
    await gateway.changeAgent({ webhook_url: receiver.url('/events') });
  });
  after(async () => {
    await gateway?.stop();
    await receiver?.close();
  });

  it('have their own beginning, keep it when rotated, and make no key that calls for real', async () => {
    assert.match(testKey, /^pk_test_\w{43}$/);
    const made = await ask('POST', '/v1/keys', { label: 'mine', scopes: ['*'] });
    assert.equal(made.status, 201);
    assert.match(made.answer.key, /^pk_test_/, 'a test key makes test keys');
    const live = { label: 'real', scopes: ['*'], mode: 'live' };
    assert.equal((await ask('POST', '/v1/keys', live)).status, 403);
    const rotated = await ask('POST', `/v1/keys/${made.answer.key_id}/rotate`, {});
    assert.match(rotated.answer.key, /^pk_test_/);
    const { keys } = (await ask('GET', '/v1/keys', undefined, gateway.adminKey)).answer;
    const admin = keys.find((key: { label: string }) => key.label === 'admin');
    assert.equal(admin.mode, 'live');
    assert.equal((await ask('POST', `/v1/keys/${admin.key_id}/rotate`, {})).status, 403);
  });

  it('live a whole call in five seconds, with signed events and no trunk', async () => {
    const { answer: secret } = await ask('POST', '/v1/webhooks/secret/rotate', {
      overlap_seconds: 0,
    });
    const began = Date.now();
    const { status, answer } = await dial();
    assert.equal(status, 201);
    assert.deepEqual(
      [answer.status, answer.is_test, answer.to_number],
      ['initiated', true, NUMBER],
    );
    const got = await receiver.until('/events', 'whole', (all) =>
      all.some(({ event }) => event.event_type === 'call.completed'),
    );
    const at = new Map(got.map(({ event }) => [event.event_type, Date.parse(event.created_at)]));
    assert.deepEqual(
      [...at.keys()],
      [
        'call.initiated',
        'call.answered',
        'call.transcription',
        'call.agent_response',
        'call.completed',
      ],
    );
    // Timers are never early; how late they are is the machine's.
    const after = (type: string) => (at.get(type) ?? 0) - began;
    assert.ok(after('call.transcription') >= 1900 && after('call.completed') >= 4900);
    for (const one of got) {
      assert.equal(isSignedBy(secret.signing_secret, one), true);
      assert.equal(one.event.payload['is_test'], true);
      assert.equal(one.event.payload['call_id'], answer.call_id);
    }
    assert.equal(got.at(-1)?.event.payload['recording_url'], null);
    const { answer: call } = await ask('GET', `/v1/calls/${answer.call_id}`);
    assert.deepEqual([call.status, call.end_reason], ['completed', 'agent-hung-up']);
    assert.equal(call.transcript.length, 2);
    const events = await ask('GET', `/v1/calls/${answer.call_id}/events`);
    for (const type of ['initiated', 'ringing', 'answered', 'turn', 'ended']) {
      assert.match(events.text, new RegExp(`event: ${type}`));
    }
  });

  it('are seen by test keys alone, and see nothing else', async () => {
    const { answer } = await dial();
    const path = `/v1/calls/${answer.call_id}`;
    for (const [method, url] of [
      ['GET', path],
      ['GET', `${path}/events`],
      ['DELETE', path],
    ] as const) {
      assert.equal((await ask(method, url, undefined, gateway.adminKey)).status, 404, url);
    }
    const live = (await ask('GET', '/v1/calls', undefined, gateway.adminKey)).answer.calls;
    assert.deepEqual(live, []);
    const mine = (await ask('GET', '/v1/calls')).answer.calls;
    assert.ok(mine.length > 0);
    assert.ok(mine.every((call: { is_test: boolean }) => call.is_test));
  });

  it('can be hung up, and cost nothing', async () => {
    const { answer } = await dial();
    assert.equal((await ask('DELETE', `/v1/calls/${answer.call_id}`)).status, 204);
    const { answer: call } = await ask('GET', `/v1/calls/${answer.call_id}`);
    assert.deepEqual([call.status, call.end_reason], ['failed', 'operator-hung-up']);
    const usage = await ask('GET', '/v1/usage', undefined, gateway.adminKey);
    assert.deepEqual([usage.answer.calls, usage.answer.total_cost_micros], [0, 0]);
    const ledger = await ask('GET', '/v1/usage/ledger', undefined, gateway.adminKey);
    assert.equal(ledger.text.includes(answer.call_id), false);
  });

  it('refuse what a real call would be refused for', async () => {
    const unknown = { agent_id: 'agt_none', to_number: NUMBER };
    assert.equal((await ask('POST', '/v1/calls', unknown)).status, 404);
    const malformed = { agent_id: 'agt_demo', to_number: 'hello' };
    assert.equal((await ask('POST', '/v1/calls', malformed)).status, 400);
  });

  it('start by click-to-call too, with credentials of their own', async () => {
    const type = { type: 'click_to_call' };
    assert.equal((await ask('PATCH', '/v1/agents/agt_demo', type, gateway.adminKey)).status, 200);
    const path = '/v1/agents/agt_demo/click-to-call';
    const test = (await ask('GET', path)).answer;
    const live = (await ask('GET', path, undefined, gateway.adminKey)).answer;
    assert.match(test.api_token, /^ctk_test_/);
    assert.notEqual(test.api_secret, live.api_secret);
    const start = async ({ api_token, api_secret }: Record<string, string>) => {
      const body = JSON.stringify({ phone: NUMBER });
      const signature = createHmac('sha256', api_secret ?? '')
        .update(body)
        .digest('hex');
      const response = await fetch(`${gateway.httpUrl}/api/click-to-call`, {
        method: 'POST',
        headers: { 'api-key': api_token ?? '', signature, 'content-type': 'application/json' },
        body,
      });
      return { status: response.status, answer: JSON.parse(await response.text()) };
    };
    // There is no trunk here, so only a simulated call can begin.
    assert.equal((await start(live)).answer.code, 'ctc:005');
    const { status, answer } = await start(test);
    assert.equal(status, 200, JSON.stringify(answer));
    assert.match(answer.warnings.join(), /simulated/);
    const { answer: call } = await ask('GET', `/v1/calls/${answer.call_id}`);
    assert.deepEqual([call.door, call.is_test], ['click-to-call', true]);
  });
});
