import assert from 'node:assert/strict';
import { asAgentId, asCallId, asWorkspaceId } from '../../../src/model/ids.ts';
import { billedCalls } from '../../support/billed-calls.ts';
import { testServer } from '../../support/http-server.ts';

type Server = Awaited<ReturnType<typeof testServer>>;
type Method = 'GET' | 'PUT' | 'PATCH' | 'POST';

/** 15 January 2027. */
const NOW_MS = Date.UTC(2027, 0, 15, 12);
const at = (day: number, hour = 10) => Date.UTC(2027, 0, day, hour);
const SHOP = asWorkspaceId('ws_shop');
const RATES = {
  currency: 'EUR',
  rates: [
    { direction: 'inbound', per_minute_micros: 30_000, first_seconds: 60, next_seconds: 60 },
    {
      direction: 'outbound',
      prefix: '+34',
      per_minute_micros: 60_000,
      first_seconds: 1,
      next_seconds: 1,
    },
    {
      direction: 'outbound',
      prefix: '+346',
      per_minute_micros: 120_000,
      setup_micros: 5000,
      first_seconds: 30,
      next_seconds: 6,
    },
  ],
};

describe('usage and rates', () => {
  let server: Server;
  let owner: { authorization: string };
  let calls: ReturnType<typeof billedCalls>;

  const ask = (method: Method, url: string, payload?: object, headers: object = server.headers) =>
    server.app.inject({ method, url, headers: { ...headers }, payload });

  before(async () => {
    server = await testServer({ nowMs: () => NOW_MS });
    owner = await server.keyWith(['usage:read', 'workspace:read'], SHOP);
    calls = billedCalls(server.storage, server.terms);
  });
  after(() => server.close());

  it('are set by the operator and read by the owner', async () => {
    const set = await ask('PUT', '/v1/workspaces/ws_shop/rates', RATES);
    assert.equal(set.statusCode, 200, set.body);
    const read = await ask('GET', '/v1/workspace/rates', undefined, owner);
    assert.deepEqual(read.json(), set.json());
    assert.deepEqual(set.json().rates[1], {
      direction: 'outbound',
      door: null,
      prefix: '+34',
      per_minute_micros: 60_000,
      setup_micros: 0,
      first_seconds: 1,
      next_seconds: 1,
    });
    const refused = await ask('PUT', '/v1/workspaces/ws_shop/rates', RATES, owner);
    assert.equal(refused.statusCode, 403);
    assert.equal((await ask('PUT', '/v1/workspace/rates', RATES, owner)).statusCode, 403);
    assert.equal((await ask('PUT', '/v1/workspaces/ws_none/rates', RATES)).statusCode, 404);
  });

  it('are refused when two rates are for the same calls, or a number is out of range', async () => {
    const inbound = { direction: 'inbound', per_minute_micros: 1 };
    for (const rates of [
      [inbound, inbound],
      [{ ...inbound, prefix: '+34' }],
      [{ ...inbound, per_minute_micros: -1 }],
      [{ ...inbound, per_minute_micros: 1.5 }],
      [{ ...inbound, per_minute_micros: 1e12 }],
      [{ ...inbound, first_seconds: 0 }],
      [{ ...inbound, door: 'window' }],
    ]) {
      const answer = await ask('PUT', '/v1/workspaces/ws_shop/rates', { currency: 'EUR', rates });
      assert.equal(answer.json().error_code, 'INVALID_ARGUMENT', JSON.stringify(rates));
    }
    const body = { ...RATES, currency: 'euro' };
    assert.equal((await ask('PUT', '/v1/workspaces/ws_shop/rates', body)).statusCode, 400);
  });

  it('add up calls by day, agent, door and direction', async () => {
    const of = { workspaceId: SHOP } as const;
    const out = { ...of, direction: 'outbound', door: 'api' } as const;
    // 61 s inbound: 2 minutes. 61 s to a landline: 61 s. 31 s to a mobile: setup and 36 s.
    await calls.past('call_u1', { ...of, startedAtMs: at(3), talkMs: 61_000 });
    await calls.past('call_u2', { ...out, startedAtMs: at(3), toNumber: '+34911', talkMs: 61_000 });
    await calls.past('call_u3', { ...out, startedAtMs: at(4), toNumber: '+34611', talkMs: 31_000 });
    await calls.past('call_u4', { ...out, startedAtMs: at(4), toNumber: '+34611', talkMs: null });
    await calls.past('call_u5', {
      ...of,
      agentId: asAgentId('agt_other'),
      door: 'web-offer',
      startedAtMs: at(14, 23),
      talkMs: 3_600_000,
    });
    const usage = (await ask('GET', '/v1/usage', undefined, owner)).json();
    const micros = 60_000 + 61_000 + 77_000 + 1_800_000;
    assert.deepEqual(usage, {
      workspace_id: 'ws_shop',
      period: { from: '2027-01-01', to: '2027-01-15' },
      currency: 'EUR',
      calls: 5,
      answered_calls: 4,
      voice_minutes: 62.55,
      voice_seconds: 61 + 61 + 31 + 3600,
      billed_seconds: 120 + 61 + 36 + 3600,
      total_cost_minor: 200,
      total_cost_micros: micros,
      list_price_minor: 200,
      list_price_micros: micros,
      group_by: null,
      groups: [],
      has_more_groups: false,
    });
    const keys = async (by: string) => {
      const { groups } = (await ask('GET', `/v1/usage?group_by=${by}`, undefined, owner)).json();
      type Group = { key: string; calls: number; total_cost_micros: number };
      assert.equal(
        groups.reduce((sum: number, group: Group) => sum + group.total_cost_micros, 0),
        micros,
      );
      return groups.map(({ key, calls: count }: Group) => `${key} ${count}`);
    };
    // A call belongs to the day on which it began, also when it ends on the next.
    assert.deepEqual(await keys('day'), ['2027-01-03 2', '2027-01-04 2', '2027-01-14 1']);
    assert.deepEqual(await keys('agent'), ['agt_demo 4', 'agt_other 1']);
    assert.deepEqual(await keys('door'), ['api 3', 'trunk 1', 'web-offer 1']);
    assert.deepEqual(await keys('direction'), ['inbound 2', 'outbound 3']);
    const query = '/v1/usage?from=2027-01-04&to=2027-01-04';
    assert.equal((await ask('GET', query, undefined, owner)).json().calls, 2);
  });

  it('come as CSV, by address or by Accept', async () => {
    const byAddress = await ask('GET', '/v1/usage.csv?group_by=direction', undefined, owner);
    assert.match(String(byAddress.headers['content-type']), /^text\/csv/);
    assert.equal(
      byAddress.body,
      [
        'direction,calls,answered_calls,voice_seconds,billed_seconds,total_cost_micros,list_price_micros,currency',
        'inbound,2,2,3661,3720,1860000,1860000,EUR',
        'outbound,3,2,92,97,138000,138000,EUR',
        '',
      ].join('\r\n'),
    );
    const accept = { ...owner, accept: 'text/csv' };
    const byAccept = await ask('GET', '/v1/usage?group_by=direction', undefined, accept);
    assert.equal(byAccept.body, byAddress.body);
    const whole = await ask('GET', '/v1/usage.csv', undefined, owner);
    assert.equal(whole.body.split('\r\n').length, 3);
  });

  it('list the ledger, newest call first, in pages that neither miss nor repeat', async () => {
    const seen: string[] = [];
    let token: string | null = null;
    do {
      const page: string = token === null ? '' : `&page_token=${token}`;
      const url = `/v1/usage/ledger?page_size=2${page}`;
      const { entries, next_page_token } = (await ask('GET', url, undefined, owner)).json();
      seen.push(...entries.map((entry: { call_id: string }) => entry.call_id));
      token = next_page_token;
    } while (token !== null);
    assert.equal(seen[0], 'call_u5');
    assert.deepEqual([...seen].sort(), ['call_u1', 'call_u2', 'call_u3', 'call_u4', 'call_u5']);
    const url = '/v1/usage/ledger?from=2027-01-04&to=2027-01-04';
    const { entries } = (await ask('GET', url, undefined, owner)).json();
    const mobile = entries.find((entry: { call_id: string }) => entry.call_id === 'call_u3');
    assert.deepEqual(mobile, {
      entry_id: 'led_u3',
      kind: 'call',
      call_id: 'call_u3',
      agent_id: 'agt_demo',
      direction: 'outbound',
      door: 'api',
      started_at: '2027-01-04T10:00:00.000Z',
      answered: true,
      seconds: 31,
      billed_seconds: 36,
      amount_micros: 77_000,
      list_price_micros: 77_000,
      currency: 'EUR',
      tariff: {
        per_minute_micros: 120_000,
        setup_micros: 5000,
        first_seconds: 30,
        next_seconds: 6,
      },
      created_at: '2027-01-04T10:00:31.500Z',
    });
    const file = await ask('GET', '/v1/usage/ledger.csv', undefined, owner);
    assert.equal(file.body.split('\r\n').length, 7);
    assert.ok(
      file.body.includes(
        'led_u3,call_u3,agt_demo,outbound,api,2027-01-04T10:00:00.000Z,true,31,36,77000,77000,EUR,call\r\n',
      ),
    );
  });

  it('refuse days that are none', async () => {
    for (const query of [
      'from=2027-02-30',
      'from=yesterday',
      'from=2027-01-10&to=2027-01-09',
      'from=2020-01-01',
      'group_by=colour',
    ]) {
      const answer = await ask('GET', `/v1/usage?${query}`, undefined, owner);
      assert.equal(answer.json().error_code, 'INVALID_ARGUMENT', query);
    }
  });

  it('keep to their workspace', async () => {
    const other = await server.keyWith(['usage:read'], server.otherWorkspace);
    const usage = (await ask('GET', '/v1/usage', undefined, other)).json();
    assert.deepEqual([usage.calls, usage.currency], [0, 'USD']);
    assert.deepEqual((await ask('GET', '/v1/usage/ledger', undefined, other)).json().entries, []);
    const reader = await server.keyWith(['calls:*'], SHOP);
    assert.equal((await ask('GET', '/v1/usage', undefined, reader)).statusCode, 403);
  });

  it('of a demo workspace cost nothing and say what they would cost [SEED-40, SEED-42, R35]', async () => {
    const headers = await server.keyWith(['usage:read'], asWorkspaceId('ws_landing'));
    await ask('PATCH', '/v1/workspaces/ws_landing', { type: 'demo' });
    await ask('PUT', '/v1/workspaces/ws_landing/rates', RATES);
    const workspaceId = asWorkspaceId('ws_landing');
    await calls.past('call_d1', { workspaceId, startedAtMs: at(5), talkMs: 60_000 });
    const free = (await ask('GET', '/v1/usage', undefined, headers)).json();
    assert.deepEqual([free.voice_minutes, free.total_cost_micros], [1, 0]);
    assert.equal(free.list_price_micros, 30_000);

    // A change of type re-rates nothing: neither what has ended nor what has begun.
    const begun = await calls.begin('call_d2', { workspaceId, startedAtMs: at(6) });
    await ask('PATCH', '/v1/workspaces/ws_landing', { type: 'standard' });
    await calls.end(begun, 60_000);
    await calls.past('call_d3', { workspaceId, startedAtMs: at(7), talkMs: 60_000 });
    const paid = (await ask('GET', '/v1/usage?group_by=day', undefined, headers)).json();
    assert.deepEqual(
      paid.groups.map((group: { total_cost_micros: number }) => group.total_cost_micros),
      [0, 0, 30_000],
    );
    assert.equal(paid.list_price_micros, 90_000);
  });

  it('take new rates for the next call, not for one that has begun', async () => {
    const begun = await calls.begin('call_r1', { workspaceId: SHOP, startedAtMs: at(8) });
    const dearer = {
      currency: 'EUR',
      rates: [{ direction: 'inbound', per_minute_micros: 90_000 }],
    };
    assert.equal((await ask('PUT', '/v1/workspaces/ws_shop/rates', dearer)).statusCode, 200);
    await calls.end(begun, 1000);
    await calls.past('call_r2', { workspaceId: SHOP, startedAtMs: at(8), talkMs: 1000 });
    const { ledger } = server.storage;
    const [old, fresh] = await Promise.all(
      ['call_r1', 'call_r2'].map((id) => ledger.find(SHOP, asCallId(id))),
    );
    assert.deepEqual([old?.amountMicros, fresh?.amountMicros], [30_000, 90_000]);
  });

  it('keep their currency once a call was charged in it', async () => {
    const answer = await ask('PUT', '/v1/workspaces/ws_shop/rates', { ...RATES, currency: 'USD' });
    assert.equal(answer.statusCode, 409);
    assert.equal(answer.json().error_code, 'CURRENCY_FIXED');
    const read = await ask('GET', '/v1/workspace/rates', undefined, owner);
    assert.equal(read.json().currency, 'EUR');
  });

  it('charge a call once, whoever ends it and however often', async () => {
    const call = await calls.begin('call_once', { workspaceId: SHOP, startedAtMs: at(9) });
    const ends = await Promise.all([1000, 120_000, 5000].map((talkMs) => calls.end(call, talkMs)));
    assert.deepEqual(ends, [true, false, false]);
    const entry = await server.storage.ledger.find(SHOP, asCallId('call_once'));
    assert.equal(entry?.seconds, 1);
    const query = '/v1/usage?from=2027-01-09&to=2027-01-09';
    assert.equal((await ask('GET', query, undefined, owner)).json().calls, 1);
  });
});
