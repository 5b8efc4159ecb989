import assert from 'node:assert/strict';
import { Gateway } from '../../support/gateway.ts';
import { WebCallers } from '../../support/web-caller.ts';

interface Link {
  readonly id: string;
  readonly token: string;
  readonly url: string;
  readonly usedSessions: number;
  readonly status: string;
}

/** How long a browser may take to connect, and some more for a busy machine. */
const NEVER_CONNECTED_MS = 25_000;

describe('calls by an instant voice link', function () {
  this.timeout(120_000);
  let gateway: Gateway;
  const callers = new WebCallers(() => gateway);

  beforeEach(async () => {
    gateway = await Gateway.start({ env: { TRUNKLINE_HTTP_TRUSTED_PROXIES: '127.0.0.1' } });
  });
  afterEach(async () => {
    callers.close();
    await gateway.stop();
  });

  async function send(method: string, path: string, body: object): Promise<Response> {
    return gateway.api(`/v1/instant-voice-links${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async function link(options: object = {}): Promise<Link> {
    const response = await send('POST', '', {
      labels: ['Anna'],
      expiryPreset: '1_day',
      prompt: 'Ask how the visit was.',
      landingPageTitle: 'Your visit',
      ...options,
    });
    const { links } = (await response.json()) as { links: Link[] };
    const [made] = links;
    assert.ok(made !== undefined);
    return made;
  }

  async function find(id: string): Promise<Link> {
    const { links } = (await (await gateway.api('/v1/instant-voice-links')).json()) as {
      links: Link[];
    };
    const found = links.find((one) => one.id === id);
    assert.ok(found !== undefined);
    return found;
  }

  const doorOf = ({ token }: Link) => `/v1/public/voice-links/${token}/offer`;

  it('SEED-63: have no agent but the link, and are recorded with its own', async () => {
    const made = await link();
    assert.equal(made.url, `${gateway.httpUrl.replace('127.0.0.1', 'localhost')}/v/${made.token}`);
    const { id, client } = await callers.call(doorOf(made));
    const live = await gateway.callWhen(id, 'greeted', (_, turns) => turns.length === 1);
    assert.equal(live['door'], 'instant-link');
    assert.equal(live['agent_id'], made.id);
    assert.equal(live.transcript?.[0]?.text, 'Hello!');
    assert.equal((await find(made.id)).usedSessions, 1);
    client.sendMessage('{"type":"hang-up"}');
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
  });

  it('SEED-98: begin by no link that is unknown, off or used; those that run go on [R6, R12]', async () => {
    const made = await link({ maxSessions: 2 });
    const { id } = await callers.call(doorOf(made));
    await send('POST', `/${made.id}/disable`, {});
    const off = await callers.offer(doorOf(made));
    const unknown = await callers.offer('/v1/public/voice-links/nothing/offer');
    assert.deepEqual([off.status, unknown.status], [404, 404]);
    const bodyOf = async (response: Response) => {
      const { request_id: _, ...body } = (await response.json()) as Record<string, string>;
      return body;
    };
    assert.deepEqual(await bodyOf(off), await bodyOf(unknown));
    assert.equal((await gateway.call(id)).end_reason, null);
  });

  it('are counted only once media connects, and never one too many [R13]', async () => {
    const made = await link({ maxSessions: 1 });
    assert.equal((await callers.offer(doorOf(made))).status, 200);
    const [never] = await gateway.endedCalls(1, NEVER_CONNECTED_MS);
    assert.equal(never?.end_reason, 'media-never-connected');
    assert.equal((await find(made.id)).usedSessions, 0);

    const calls = await Promise.allSettled([1, 2, 3].map(() => callers.call(doorOf(made))));
    const ids = calls.flatMap((one) => (one.status === 'fulfilled' ? [one.value.id] : []));
    assert.ok(ids.length >= 1);
    const ended = await gateway.endedCalls(ids.length, 10_000);
    const usedUp = ended.filter(({ end_reason: reason }) => reason === 'link-used-up');
    assert.equal(usedUp.length, ids.length - 1, 'one call of those that connected goes on');
    const after = await find(made.id);
    assert.deepEqual([after.usedSessions, after.status], [1, 'used']);
    assert.equal((await callers.offer(doorOf(made))).status, 404);
  });

  it('are ten at once by one link, and others are not touched by that [R5]', async () => {
    const [first, second] = [await link(), await link()];
    await Promise.all(Array.from({ length: 10 }, () => callers.call(doorOf(first))));
    const refused = await callers.offer(doorOf(first));
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    await callers.call(doorOf(second));
    await callers.call('/v1/public/try/agt_demo/offer');
  });

  it('go on from another network, also when the link is gone', async () => {
    const made = await link();
    const { id, resumeToken } = await callers.call(doorOf(made));
    await send('DELETE', `/${made.id}`, {});
    const body = { call_id: id, resume_token: resumeToken };
    await callers.call(doorOf(made), { body });
    assert.equal((await gateway.call(id)).end_reason, null);
  });
});
