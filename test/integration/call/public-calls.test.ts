import assert from 'node:assert/strict';
import { once } from 'node:events';
import { BROWSER_OFFER } from '../../support/browser-offer.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { WebCallers } from '../../support/web-caller.ts';
import { throwJunkAt } from '../../support/webrtc-junk.ts';
import { WebRtcClient } from '../../support/webrtc-client.ts';

const PATH = '/v1/public/try/agt_demo/offer';
/** How long a browser may take to connect, and some more for a busy machine. */
const NEVER_CONNECTED_MS = 25_000;

describe('calls to a shared agent', function () {
  this.timeout(60_000);
  let gateway: Gateway;
  const clients: WebRtcClient[] = [];

  // Anew for each: an address may offer only so often, and an agent be called so often a day.
  beforeEach(async () => {
    gateway = await Gateway.start();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await gateway.stop();
  });

  function offer(body: unknown, path = PATH): Promise<Response> {
    return fetch(`${gateway.httpUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  /** A whole call: both have met when this resolves. */
  async function call() {
    const client = new WebRtcClient({ withEvents: true });
    clients.push(client);
    const response = await offer({ sdp: client.offerSdp, type: 'offer', agent_id: 'agt_demo' });
    assert.equal(response.status, 200);
    const answer = (await response.json()) as Record<string, string>;
    assert.equal(answer['type'], 'answer');
    client.answer(answer['sdp'] ?? '');
    await Promise.all([client.opened.happened, client.gotMessage.happened]);
    const { call_id: id = '', resume_token: resumeToken = '', sdp: answerSdp = '' } = answer;
    return { client, id, resumeToken, answerSdp };
  }

  async function bodyOf(response: Response): Promise<Record<string, string>> {
    const { request_id: _, ...body } = (await response.json()) as Record<string, string>;
    return body;
  }

  async function share(shareable: boolean): Promise<void> {
    const response = await gateway.api('/v1/agents/agt_demo/shareable', {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ shareable }),
    });
    assert.equal(response.status, 200);
  }

  it('are ten at once, and the eleventh when one of them has ended', async () => {
    const racers = await Promise.allSettled(Array.from({ length: 13 }, () => call()));
    const live = racers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    assert.equal(live.length, 10, 'of thirteen that ask at once');
    const refused = await offer({ sdp: BROWSER_OFFER });
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.equal((await bodyOf(refused))['error_code'], 'AGENT_BUSY');

    const [first] = live;
    first?.client.sendMessage('{"type":"hang-up"}');
    const ended = await gateway.endOf(first?.id ?? '');
    assert.equal(ended.end_reason, 'caller-hung-up');
    assert.equal(ended['door'], 'web-offer');
    await call();
    for (const { id } of live.slice(1)) assert.equal((await gateway.call(id)).end_reason, null);
  });

  it('SEED-18, SEED-21: are fifty a day, of twenty that race for the last five; also after a restart', async function () {
    this.timeout(180_000);
    await gateway.stop();
    const folder = await temporaryFolder();
    const env = { TRUNKLINE_HTTP_TRUSTED_PROXIES: '127.0.0.1' };
    const start = () => Gateway.start({ env, dataDir: folder.path });
    gateway = await start();
    const callers = new WebCallers(() => gateway);
    // Each from another address, as the limit of one address is not what is asked about.
    const from = (n: number) => `198.51.${Math.floor(n / 200)}.${n % 200}`;
    for (let round = 0; round < 5; round += 1) {
      const calls = await Promise.all(
        Array.from({ length: 9 }, (_, at) => callers.call(PATH, { from: from(round * 9 + at) })),
      );
      for (const { client } of calls) client.sendMessage('{"type":"hang-up"}');
      await Promise.all(calls.map(({ id }) => gateway.endOf(id)));
    }
    const race = await Promise.all(
      Array.from({ length: 20 }, (_, at) => callers.offer(PATH, { from: from(100 + at) })),
    );
    assert.equal(race.filter(({ status }) => status === 200).length, 5);
    const refused = race.filter(({ status }) => status === 503);
    assert.equal(refused.length, 15);
    callers.close();
    await gateway.stop();
    gateway = await start();
    // The five of the race never connected: the day was given back to them, and not to the others.
    const again = await Promise.all(
      Array.from({ length: 7 }, (_, at) => callers.offer(PATH, { from: from(200 + at) })),
    );
    assert.equal(again.filter(({ status }) => status === 200).length, 5);
    const late = again.find(({ status }) => status === 503);
    assert.equal((await bodyOf(late ?? new Response('{}')))['error_code'], 'AGENT_BUSY');
    await gateway.stop();
    await folder.remove();
  });

  it('lose nothing while a stranger throws junk at their port', async () => {
    const { client, id, answerSdp } = await call();
    await client.received.happened;
    const before = client.rtp.length;
    const port = Number(/a=candidate:.* (\d+) typ host/.exec(answerSdp)?.[1]);
    await throwJunkAt(port, answerSdp);
    const until = before + 25;
    const deadline = Date.now() + 20_000;
    while (client.rtp.length < until && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(client.rtp.length >= until, 'the agent goes on speaking');
    const numbers = client.rtp.map((packet) => packet.readUInt16BE(2));
    const gaps = numbers.filter(
      (number, at) => at > 0 && number !== (((numbers[at - 1] ?? 0) + 1) & 0xffff),
    );
    assert.deepEqual(gaps, [], 'no packet of the agent is missing');
    client.sendMessage('{"type":"hang-up"}');
    const { end_reason: reason, media } = await gateway.endOf(id);
    assert.equal(reason, 'caller-hung-up');
    assert.equal(media?.packets_received, 0, 'and nothing of the stranger was heard');
  });

  it('go on when the link is turned off, and no other begins', async () => {
    const { client, id } = await call();
    await share(false);
    const off = await offer({ sdp: BROWSER_OFFER });
    const unknown = await offer({ sdp: BROWSER_OFFER }, '/v1/public/try/agt_nobody/offer');
    assert.equal(off.status, 404);
    assert.equal(unknown.status, 404);
    assert.deepEqual(await bodyOf(off), await bodyOf(unknown));
    const before = client.rtp.length;
    await gateway.callWhen(id, 'live', ({ end_reason: reason }) => reason === null);
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (client.rtp.length < before + 25) return;
        clearInterval(timer);
        resolve();
      }, 20);
    });
    await share(true);
    await call();
  });

  it('end after 15 s when the browser never connects, and give their places back', async () => {
    const responses = await Promise.all(
      Array.from({ length: 10 }, () => offer({ sdp: BROWSER_OFFER })),
    );
    assert.deepEqual(
      responses.map(({ status }) => status),
      Array.from({ length: 10 }, () => 200),
    );
    assert.equal((await offer({ sdp: BROWSER_OFFER })).status, 503);
    const ended = await gateway.endedCalls(10, NEVER_CONNECTED_MS);
    for (const one of ended) {
      assert.equal(one.end_reason, 'media-never-connected');
      assert.equal(one['answered_at'], null);
      assert.deepEqual(one.transcript, []);
    }
    await call();
  });

  it('are not carried on by whoever does not hold their token', async () => {
    const { client, id, resumeToken } = await call();
    const stranger = { sdp: BROWSER_OFFER, call_id: id, resume_token: 'x'.repeat(32) };
    assert.equal((await offer(stranger)).status, 404);
    const elsewhere = { sdp: BROWSER_OFFER, call_id: id, resume_token: resumeToken };
    assert.equal((await offer(elsewhere, '/v1/public/try/agt_other/offer')).status, 404);

    const next = new WebRtcClient({ withEvents: true });
    clients.push(next);
    const own = await offer({ sdp: next.offerSdp, call_id: id, resume_token: resumeToken });
    assert.equal(own.status, 200);
    const answer = (await own.json()) as Record<string, string>;
    assert.equal(answer['call_id'], id);
    next.answer(answer['sdp'] ?? '');
    await next.opened.happened;
    client.close();
    await next.received.happened;
    assert.equal((await gateway.call(id)).end_reason, null);
  });

  it('need an offer that can be used', async () => {
    const wrong: readonly (readonly [number, string, string])[] = [
      [400, 'application/sdp', 'v=0'],
      [400, 'application/json', '{"sdp":""}'],
      [400, 'application/json', '{'],
      [413, 'application/sdp', 'x'.repeat(70_000)],
      [415, 'text/plain', BROWSER_OFFER],
    ];
    for (const [status, type, body] of wrong) {
      const response = await fetch(`${gateway.httpUrl}${PATH}`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      });
      assert.equal(response.status, status, `${type} ${body.slice(0, 20)}`);
    }
    assert.deepEqual(await gateway.calls(), []);
    const response = await fetch(`${gateway.httpUrl}${PATH}`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: BROWSER_OFFER,
    });
    assert.equal(response.status, 200);
  });

  it('are refused to an address that asks too often', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 31; i += 1) {
      statuses.push((await offer({ sdp: 'v=0' })).status);
    }
    assert.deepEqual(
      statuses.slice(0, 30),
      Array.from({ length: 30 }, () => 400),
    );
    assert.equal(statuses[30], 429);
  });

  it('hear why they ended when the daemon stops', async () => {
    const { client } = await call();
    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await gateway.line(/asked to stop/);
    gateway.process.kill('SIGTERM');
    // Not cut off: a thread that is terminated would take the process with it.
    assert.deepEqual(await exited, [0, null]);
    assert.deepEqual(JSON.parse(client.messages.at(-1) ?? ''), {
      type: 'ended',
      reason: 'stopped-by-operator',
    });
  });
});
