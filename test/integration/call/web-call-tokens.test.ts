import assert from 'node:assert/strict';
import { Gateway } from '../../support/gateway.ts';
import { WebCallers } from '../../support/web-caller.ts';

const TRY = '/v1/public/try/agt_demo/offer';
/** How long a browser may take to connect, and some more for a busy machine. */
const NEVER_CONNECTED_MS = 25_000;

describe('a token for one web call', function () {
  this.timeout(60_000);
  let gateway: Gateway;
  const callers = new WebCallers(() => gateway);

  beforeEach(async () => {
    gateway = await Gateway.start();
    await send('PATCH', '/v1/agents/agt_demo/shareable', { shareable: false });
  });
  afterEach(async () => {
    callers.close();
    await gateway.stop();
  });

  async function send(
    method: string,
    path: string,
    body?: object,
  ): Promise<Record<string, string>> {
    const response = await gateway.api(path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body ?? {}),
    });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return (await response.json()) as Record<string, string>;
  }

  /** As a public application does it. */
  async function mint(): Promise<string> {
    const { shared_key: key = '' } = await send('POST', '/v1/agents/agt_demo/shared-keys');
    const query = new URLSearchParams({ ai_agent_id: 'agt_demo', shared_key: key });
    const response = await fetch(
      `${gateway.httpUrl}/v1/calls/public/create-web-call?${query.toString()}`,
    );
    assert.equal(response.status, 201);
    return ((await response.json()) as { access_token: string }).access_token;
  }

  async function mintAsOwner(): Promise<string> {
    const made = await send('POST', '/v1/webrtc/token', { agent_id: 'agt_demo' });
    assert.deepEqual(Object.keys(made).toSorted(), [
      'agent_id',
      'expires_in_seconds',
      'ice_servers',
      'token',
    ]);
    return made['token'] ?? '';
  }

  const status = async (...args: Parameters<WebCallers['offer']>) =>
    (await callers.offer(...args)).status;

  it('SEED-60: opens the offer door of an agent that is not shared, once', async () => {
    assert.equal(await status(TRY), 404);
    const token = await mint();
    const { id, client } = await callers.call(TRY, { token });
    assert.equal(await status(TRY, { token }), 401);
    client.sendMessage('{"type":"hang-up"}');
    const ended = await gateway.endOf(id);
    assert.equal(ended.end_reason, 'caller-hung-up');
    assert.equal(ended['door'], 'web-offer');
    assert.equal(await status(TRY, { token }), 401, 'used up for good');
  });

  it('opens it for its own agent only, and for nobody who made it up', async () => {
    const token = await mint();
    assert.equal(await status('/v1/public/try/agt_other/offer', { token }), 401);
    assert.equal(await status(TRY, { token: `${token.slice(0, -4)}AAAA` }), 401);
    assert.equal(await status(TRY, { token: `wct_${'x'.repeat(5000)}` }), 401);
    assert.equal(await status('/v1/webrtc/offer', { token }), 401, 'it is not an owner');
    await callers.call(TRY, { token });
  });

  it('opens one call of twenty that race for it', async () => {
    const token = await mint();
    const statuses = await Promise.all(Array.from({ length: 20 }, () => status(TRY, { token })));
    assert.equal(statuses.filter((one) => one === 200).length, 1);
    assert.equal(statuses.filter((one) => one === 401).length, 19);
  });

  it('is good again when media never connected: until then nothing is used up [R8]', async () => {
    const token = await mint();
    assert.equal(await status(TRY, { token }), 200);
    const [ended] = await gateway.endedCalls(1, NEVER_CONNECTED_MS);
    assert.equal(ended?.end_reason, 'media-never-connected');
    await callers.call(TRY, { token });
  });

  it('counts as a call of the public, and one that was busy can be tried again [R5]', async () => {
    const tokens = await Promise.all(Array.from({ length: 11 }, () => mint()));
    const last = tokens.pop() ?? '';
    const live = await Promise.all(tokens.map((token) => callers.call(TRY, { token })));
    const refused = await callers.offer(TRY, { token: last });
    assert.equal(refused.status, 503);
    assert.equal(((await refused.json()) as { error_code: string }).error_code, 'AGENT_BUSY');
    live[0]?.client.sendMessage('{"type":"hang-up"}');
    await gateway.endOf(live[0]?.id ?? '');
    await callers.call(TRY, { token: last });
  });

  it('SEED-34: lets an owner call an agent that is not shared, past the limits of the public [R5]', async () => {
    await send('PATCH', '/v1/agents/agt_demo/shareable', { shareable: true });
    await Promise.all(Array.from({ length: 10 }, () => callers.call(TRY)));
    assert.equal(await status(TRY), 503);
    await send('PATCH', '/v1/agents/agt_demo/shareable', { shareable: false });
    const token = await mintAsOwner();
    const { id } = await callers.call('/v1/webrtc/offer', {
      token,
      body: { agent_id: 'agt_demo' },
    });
    assert.equal((await gateway.call(id)).end_reason, null);
    assert.equal(await status('/v1/webrtc/offer', { token }), 401);
    assert.equal(await status('/v1/webrtc/offer'), 401);
    const other = await mintAsOwner();
    const wrong = { token: other, body: { agent_id: 'agt_other' } };
    assert.equal(await status('/v1/webrtc/offer', wrong), 401);
  });

  it('ends with the key of the owner who made it, and none is made for a foreign agent', async () => {
    const made = await send('POST', '/v1/keys', { label: 'console', scopes: ['calls:write'] });
    const response = await gateway.api('/v1/webrtc/token', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${made['key'] ?? ''}`,
      },
      body: '{"agent_id":"agt_demo"}',
    });
    assert.equal(response.status, 201);
    const { token } = (await response.json()) as { token: string };
    const revoked = await gateway.api(`/v1/keys/${made['key_id'] ?? ''}`, { method: 'DELETE' });
    assert.equal(revoked.status, 204);
    assert.equal(await status('/v1/webrtc/offer', { token }), 401);
    const unknown = await gateway.api('/v1/webrtc/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"agent_id":"agt_other"}',
    });
    assert.equal(unknown.status, 404);
  });

  it('is not made by a test key, nor is a name to sign in by SIP', async () => {
    const scopes = ['calls:write'];
    const made = await send('POST', '/v1/keys', { label: 'tests', scopes, mode: 'test' });
    const doors = { token: { agent_id: 'agt_demo' }, 'sip-credentials': { user: 'anna' } };
    for (const [door, body] of Object.entries(doors)) {
      const refused = await gateway.api(`/v1/webrtc/${door}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${made['key'] ?? ''}`,
        },
        body: JSON.stringify(body),
      });
      assert.equal(refused.status, 403, door);
      const told = JSON.stringify(await refused.json());
      assert.match(told, /PERMISSION_DENIED/);
      assert.match(told, /test key/);
    }
  });
});
