import assert from 'node:assert/strict';
import { once } from 'node:events';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import {
  answering,
  isSignedBy,
  type Received,
  stalling,
  WebhookReceiver,
} from '../../support/webhook-receiver.ts';

const FAST = {
  TRUNKLINE_WEBHOOKS_ALLOWED_NETWORKS: '127.0.0.0/8',
  TRUNKLINE_WEBHOOKS_ATTEMPTS_MAX: '3',
  TRUNKLINE_WEBHOOKS_FIRST_RETRY_MS: '100',
  TRUNKLINE_WEBHOOKS_TIMEOUT_MS: '2000',
};
const typesOf = (received: readonly Received[]) => received.map(({ event }) => event.event_type);
const isWhole = (received: readonly Received[]) => typesOf(received).includes('call.completed');

describe('webhooks', function () {
  this.timeout(60_000);
  let receiver: WebhookReceiver;
  let gateway: Gateway;
  before(async () => {
    receiver = await WebhookReceiver.listen();
    gateway = await Gateway.start({ env: FAST });
    await gateway.changeAgent({ greeting_text: 'Hello there.' });
  });
  after(async () => {
    await gateway?.stop();
    await receiver?.close();
  });

  const api = async (method: string, path: string, body?: object, on = gateway) => {
    const init =
      body === undefined
        ? { method }
        : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await on.api(path, init);
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text === '' ? {} : JSON.parse(text);
  };
  /** A call of the demo agent, greeted and hung up. */
  const call = async (on = gateway) => {
    const phone = await CallPhone.open(on.sipPort);
    await phone.call({ user: 'demo' });
    const { call_id: id } = await on.nextCall();
    await on.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    await phone.hangUp();
    phone.close();
    await on.endOf(id);
    return id;
  };
  const hookTo = (path: string | null, on = gateway) =>
    api(
      'PATCH',
      '/v1/agents/agt_demo',
      { webhook_url: path === null ? null : receiver.url(path) },
      on,
    );
  const deliveries = async (query: string) =>
    (await api('GET', `/v1/webhooks/deliveries?${query}`)).deliveries;

  it('tell the whole life of a call, signed and in order', async () => {
    await hookTo('/life');
    const { signing_secret: secret } = await api('POST', '/v1/webhooks/secret/rotate', {
      overlap_seconds: 0,
    });
    const id = await call();
    const got = await receiver.until('/life', 'whole', isWhole);
    assert.deepEqual(typesOf(got), [
      'call.initiated',
      'call.answered',
      'call.agent_response',
      'call.quality',
      'call.completed',
    ]);
    for (const one of got) {
      assert.equal(isSignedBy(secret, one), true);
      assert.equal(isSignedBy(secret, { ...one, body: `${one.body} ` }), false);
      assert.equal(one.headers['x-trunkline-event'], one.event.event_type);
      assert.equal(one.headers['content-type'], 'application/json');
      const { payload } = one.event;
      assert.deepEqual([payload['call_id'], payload['agent_id']], [id, 'agt_demo']);
      assert.equal(payload['is_test'], false);
      assert.match(one.event.created_at, /^\d{4}-/);
    }
    assert.equal(new Set(got.map(({ event }) => event.event_id)).size, got.length);
    const payload = got.at(-1)?.event.payload ?? assert.fail();
    assert.equal(payload['status'], 'completed');
    assert.equal(payload['disposition'], 'caller-hung-up');
    assert.equal(payload.transcript?.[0]?.text, 'Hello there.');
    assert.ok((payload.duration_seconds ?? 0) > 0);
    assert.equal(got[2]?.event.payload['text'], 'Hello there.');

    const kept = await deliveries(`call_id=${id}`);
    assert.deepEqual(
      kept.map((one: { status: string }) => one.status),
      got.map(() => 'delivered'),
    );
    assert.equal(kept[0].response_code, 200);
  });

  it('go to the workspace when the agent has no address of its own', async () => {
    await hookTo(null);
    await api('PATCH', '/v1/workspace', { webhook_url: receiver.url('/workspace') });
    await call();
    await receiver.until('/workspace', 'whole', isWhole);
    await hookTo('/agent');
    const id = await call();
    const got = await receiver.until('/agent', 'whole', isWhole);
    assert.equal(got[0]?.event.payload['call_id'], id);
    assert.equal(
      receiver.at('/workspace').some(({ event }) => event.payload['call_id'] === id),
      false,
    );
    await api('PATCH', '/v1/workspace', { webhook_url: null });
    assert.equal((await api('GET', '/v1/workspace')).webhook_url, null);
  });

  it('are tried again with the same id until taken, and keep their order meanwhile', async () => {
    let refusals = 2;
    receiver.behaviors.set('/later', (response, received) => {
      refusals -= 1;
      answering(refusals >= 0 ? 503 : 200)(response, received);
    });
    await hookTo('/later');
    await call();
    const got = await receiver.until('/later', 'whole', isWhole);
    const ids = got.map(({ event }) => event.event_id);
    assert.deepEqual(typesOf(got).slice(0, 4), [
      'call.initiated',
      'call.initiated',
      'call.initiated',
      'call.answered',
    ]);
    assert.equal(new Set(ids.slice(0, 3)).size, 1);
    assert.deepEqual(
      got.slice(0, 3).map(({ headers }) => headers['x-trunkline-attempt']),
      ['1', '2', '3'],
    );
  });

  it('are given up with a reason: refused, gone, redirected, broken', async () => {
    for (const [path, status, failure, attempts] of [
      ['/refusing', 500, 'HTTP 500: given up after 3 attempts', 3],
      ['/gone', 410, 'HTTP 410: not tried again', 1],
      ['/moved', 307, 'HTTP 307: given up after 3 attempts', 3],
    ] as const) {
      const location = receiver.url('/elsewhere');
      receiver.behaviors.set(path, answering(status, { location }));
      await hookTo(path);
      const id = await call();
      const isOver = async () => {
        const [first] = (await deliveries(`call_id=${id}&event_type=call.initiated`)) ?? [];
        return first?.status === 'failed' ? first : null;
      };
      let over = await isOver();
      for (let n = 0; over === null && n < 200; n += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        over = await isOver();
      }
      assert.deepEqual([over?.failure, over?.attempts], [failure, attempts]);
      assert.equal(over?.response_code, status);
    }
    assert.equal(receiver.at('/elsewhere').length, 0, 'redirections are not followed');
  });

  it('do not wait for a server that stalls', async () => {
    receiver.behaviors.set('/stalling', stalling);
    await hookTo('/stalling');
    for (const _ of [1, 2]) await call();
    assert.ok(receiver.at('/stalling').length > 0);
    await hookTo('/brisk');
    await call();
    const got = await receiver.until('/brisk', 'whole', isWhole, 4000);
    assert.equal(got.length, 5);
  });

  it('are sent again when their owner asks, with the same event_id', async () => {
    const [old] = await deliveries('status=delivered&event_type=call.completed&page_size=1');
    const path = new URL(old.webhook_url).pathname;
    const before = receiver.at(path).length;
    const again = await api('POST', `/v1/webhooks/deliveries/${old.delivery_id}/redeliver`);
    assert.equal(again.redelivery_of, old.delivery_id);
    const got = await receiver.until(path, 'again', (all) => all.length > before);
    assert.equal(got.at(-1)?.event.event_id, old.event_id);
  });

  it('can be tried before they are needed', async () => {
    const body = { webhook_url: receiver.url('/try'), event_type: 'call.initiated' };
    const tried = await api('POST', '/v1/webhooks/test', body);
    assert.match(tried.delivery_id, /^del_/);
    assert.deepEqual(
      [tried.status, tried.event_type, tried.response_code],
      ['delivered', 'call.initiated', 200],
    );
    assert.ok(Number.isInteger(tried.response_time_ms));
    receiver.behaviors.set('/try', answering(404));
    const failed = await api('POST', '/v1/webhooks/test', body);
    assert.deepEqual([failed.status, failed.response_code], ['failed', 404]);
    const inner = { webhook_url: 'http://169.254.169.254/' };
    const refused = await api('POST', '/v1/webhooks/test', inner);
    assert.match(refused.failure, /address-not-allowed/);
  });

  it('are signed with both secrets while one replaces the other', async () => {
    const rotate = async (overlap_seconds: number): Promise<string> =>
      (await api('POST', '/v1/webhooks/secret/rotate', { overlap_seconds })).signing_secret;
    const old = await rotate(0);
    const made = await rotate(60);
    const body = { webhook_url: receiver.url('/both') };
    await api('POST', '/v1/webhooks/test', body);
    const [first] = receiver.at('/both');
    assert.ok(first !== undefined);
    assert.equal(isSignedBy(old, first), true);
    assert.equal(isSignedBy(made, first, { header: 'signature-next' }), true);
    const shown = await api('GET', '/v1/webhooks/secret');
    assert.match(shown.previous_expires_at, /^\d{4}-/);
    assert.equal(JSON.stringify(shown).includes('whsec_'), false);
  });

  it('need their scopes, and know no other workspace', async () => {
    const { key } = await api('POST', '/v1/workspaces', { name: 'Other' });
    const headers = { authorization: `Bearer ${key.key}` };
    const [mine] = await deliveries('page_size=1');
    const foreign = await gateway.api('/v1/webhooks/deliveries', { headers });
    assert.deepEqual(((await foreign.json()) as { deliveries: unknown[] }).deliveries, []);
    const path = `/v1/webhooks/deliveries/${mine.delivery_id}/redeliver`;
    assert.equal((await gateway.api(path, { method: 'POST', headers })).status, 404);
    const narrow = await api('POST', '/v1/keys', { label: 'narrow', scopes: ['calls:read'] });
    const refused = await gateway.api('/v1/webhooks/deliveries', {
      headers: { authorization: `Bearer ${narrow.key}` },
    });
    assert.equal(refused.status, 403);
    assert.match(await refused.text(), /webhooks:read/);
    for (const url of ['ftp://x.example/', 'http://user:pw@x.example/', 'x', '']) {
      const body = JSON.stringify({ webhook_url: url });
      const init = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body };
      assert.equal((await gateway.api('/v1/workspace', init)).status, 400, url);
    }
  });

  it('survive kill -9: what was stored is sent by the next process, the end of its call too', async () => {
    const folder = await temporaryFolder();
    const env = { ...FAST, TRUNKLINE_WEBHOOKS_ATTEMPTS_MAX: '10' };
    const first = await Gateway.start({ dataDir: folder.path, env });
    receiver.behaviors.set('/killed', answering(503));
    await hookTo('/killed', first);
    const ended = await call(first);
    const phone = await CallPhone.open(first.sipPort);
    await phone.call({ user: 'demo' });
    const { call_id: live } = await first.nextCall();
    await first.callWhen(live, 'answered', ({ status }) => status === 'in-progress');
    await first.kill();
    phone.close();
    receiver.behaviors.set('/killed', answering(200));
    const before = receiver.at('/killed').length;
    const second = await Gateway.start({ dataDir: folder.path, env });
    const fresh = () => receiver.at('/killed').slice(before);
    const endOf = (id: string) =>
      fresh().filter(
        ({ event }) => event.event_type === 'call.completed' && event.payload['call_id'] === id,
      );
    await receiver.until(
      '/killed',
      'told',
      () => endOf(ended).length > 0 && endOf(live).length > 0,
      40_000,
    );
    assert.equal(endOf(live)[0]?.event.payload['disposition'], 'daemon-crashed');
    assert.equal(endOf(live).length, 1);
    await second.stop();
    await folder.remove();
  });
});

describe('webhooks of a daemon that was told nothing', function () {
  this.timeout(30_000);

  it('go to no inner address, and have the names of headers that the settings say', async () => {
    const receiver = await WebhookReceiver.listen();
    const env = { TRUNKLINE_WEBHOOKS_HEADER_PREFIX: 'X-Voicebip' };
    const gateway = await Gateway.start({ env });
    const secret = await gateway.api('/v1/webhooks/secret');
    assert.match(await secret.text(), /"signature_header":"X-Voicebip-Signature"/);
    const tried = await gateway.api('/v1/webhooks/test', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ webhook_url: receiver.url('/') }),
    });
    assert.match(await tried.text(), /address-not-allowed/);
    assert.equal(receiver.received.length, 0);
    await gateway.stop();
    await receiver.close();
  });
});

describe('a daemon that is told twice to stop', function () {
  this.timeout(60_000);

  it('waits for no server that stalls', async () => {
    const receiver = await WebhookReceiver.listen();
    receiver.behaviors.set('/stalling', stalling);
    const gateway = await Gateway.start({
      env: {
        TRUNKLINE_WEBHOOKS_ALLOWED_NETWORKS: '127.0.0.0/8',
        TRUNKLINE_WEBHOOKS_TIMEOUT_MS: '120000',
      },
    });
    await gateway.changeAgent({ webhook_url: receiver.url('/stalling') });
    const phone = await CallPhone.open(gateway.sipPort);
    await phone.call({ user: 'demo' });
    await receiver.until('/stalling', 'asked', (all) => all.length > 0);
    await phone.hangUp();
    phone.close();
    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await gateway.line(/asked to stop/);
    gateway.process.kill('SIGTERM');
    const [code] = await exited;
    await receiver.close();
    await gateway.removeData();
    assert.equal(code, 0, gateway.lines.join('\n'));
  });
});
