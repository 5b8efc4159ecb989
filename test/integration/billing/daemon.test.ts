import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BROWSER_OFFER } from '../../support/browser-offer.ts';
import { type CallView, Gateway } from '../../support/gateway.ts';
import { SipPhone } from '../../support/sip-phone.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

type Json = Readonly<Record<string, unknown>>;

/** The demo workspace of the running daemon, called by real SIP. */
describe('a daemon that keeps accounts', function () {
  this.timeout(300_000);
  let gateway: Gateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const phones: SipPhone[] = [];

  before(async () => {
    folder = await temporaryFolder();
    const file = join(folder.path, 'trunkline.yaml');
    // Nobody listens there: what is refused never gets so far.
    const trunk = [
      'trunks:',
      '  - name: north',
      '    hosts: ["127.0.0.9:5060"]',
      '    numbers: { "+34911222333": agt_demo }',
      '    outbound_prefixes: ["+"]',
      '',
    ];
    await writeFile(file, trunk.join('\n'));
    gateway = await Gateway.start({ env: { TRUNKLINE_CONFIG: file } });
  });
  after(async () => {
    for (const phone of phones) phone.close();
    await gateway?.stop();
    await folder?.remove();
  });

  const ask = async (path: string, method = 'GET', body?: Json) => {
    const response = await gateway.api(path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Json };
  };
  const invite = async () => {
    const phone = await SipPhone.open(gateway.sipPort);
    phones.push(phone);
    const answer = await phone.invite({
      sdp: [
        'v=0',
        'o=- 1 1 IN IP4 127.0.0.1',
        's=-',
        'c=IN IP4 127.0.0.1',
        't=0 0',
        'm=audio 9 RTP/AVP 0',
        '',
      ].join('\r\n'),
    });
    return { phone, status: answer.status };
  };
  const setCaps = async (caps: Json) => {
    const { status, body } = await ask('/v1/workspaces/ws_demo/caps', 'PUT', caps);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const dial = (to: string) => ask('/v1/calls', 'POST', { agent_id: 'agt_demo', to_number: to });

  it('makes real calls for a demo workspace, at no cost, and says what they would cost [SEED-40…43]', async () => {
    const rates = [{ direction: 'inbound', per_minute_micros: 45_000, setup_micros: 1000 }];
    await ask('/v1/workspace/rates', 'PUT', { currency: 'EUR', rates });
    assert.equal((await ask('/v1/workspace')).body.type, 'demo');
    const { phone, status } = await invite();
    assert.equal(status, 200);
    await phone.bye();
    const call = await gateway.nextEndedCall();
    const { entries } = (await ask('/v1/usage/ledger')).body as { entries: Json[] };
    assert.equal(entries.length, 1);
    const [entry] = entries;
    assert.equal(entry?.call_id, call.call_id);
    assert.deepEqual(
      [entry?.answered, entry?.amount_micros, entry?.list_price_micros, entry?.billed_seconds],
      [true, 0, 46_000, 60],
    );
    const usage = (await ask('/v1/usage')).body;
    assert.deepEqual(
      [usage.calls, usage.total_cost_minor, usage.list_price_minor, usage.currency],
      [1, 0, 5, 'EUR'],
    );
  });

  it('holds demo workspaces to caps from the first start [R35]', async () => {
    const caps = (await ask('/v1/workspace/caps')).body;
    assert.deepEqual(
      [caps.minutes_per_day, caps.calls_at_once, caps.call_seconds_max, caps.destination_lists],
      [3000, 100, 900, [['+']]],
    );
  });

  it('refuses a call beyond the calls at once with 486, and says so in its record', async () => {
    await setCaps({ calls_at_once: 1 });
    const first = await invite();
    assert.equal(first.status, 200);
    assert.equal((await invite()).status, 486);
    const refused = await gateway.nextEndedCall();
    assert.deepEqual([refused.end_reason, refused.blame], ['workspace-busy', 'operator']);
    await first.phone.bye();
    await gateway.nextEndedCall();
    // The place is free again.
    const again = await invite();
    assert.equal(again.status, 200);
    await again.phone.bye();
    await gateway.nextEndedCall();
  });

  it('refuses calls with 480, 402 and 403 once the day or the money is used up, and warns in log and metrics', async () => {
    await setCaps({ calls_per_day: 3 });
    assert.equal((await invite()).status, 480);
    const refused = await gateway.nextEndedCall();
    assert.deepEqual([refused.end_reason, refused.sip_status], ['quota-exceeded', 480]);
    const outbound = await dial('+34911222444');
    assert.deepEqual([outbound.status, outbound.body.error_code], [402, 'QUOTA_EXCEEDED']);
    const warning = JSON.parse(
      await gateway.line(/"level":"?(40|warn).*a workspace comes to a cap/),
    );
    assert.equal(warning.cap, 'callsPerDay');
    assert.ok((await gateway.metric('trunkline_cap_notices_total', /callsPerDay/)) >= 1);
    await setCaps({ micros_per_day: 47_000 });
    const spent = await invite();
    assert.equal(spent.status, 480);
    assert.equal((await gateway.nextEndedCall()).end_reason, 'spend-cap-reached');
    const rates = ['inbound', 'outbound'].map((direction) => ({
      direction,
      per_minute_micros: 45_000,
      setup_micros: direction === 'inbound' ? 1000 : 48_000,
    }));
    await ask('/v1/workspace/rates', 'PUT', { currency: 'EUR', rates });
    const dear = await dial('+34911222444');
    assert.deepEqual([dear.status, dear.body.error_code], [403, 'SPEND_CAP_REACHED']);
    await setCaps({});
  });

  it('is busy at every public door while a cap is reached, and takes callers again after', async () => {
    const made = await ask('/v1/instant-voice-links', 'POST', {
      labels: ['Anna'],
      expiryPreset: '1_day',
      prompt: 'Ask how the visit was.',
      landingPageTitle: 'Your visit',
    });
    const [link] = (made.body.links ?? []) as { readonly token: string }[];
    assert.ok(link !== undefined, JSON.stringify(made.body));
    const token = (await ask('/v1/webrtc/token', 'POST', { agent_id: 'agt_demo' })).body.token;
    const doors: readonly (readonly [path: string, headers: Record<string, string>])[] = [
      ['/v1/public/try/agt_demo/offer', {}],
      [`/v1/public/voice-links/${link.token}/offer`, {}],
      ['/v1/public/try/agt_demo/offer', { authorization: `Bearer ${String(token)}` }],
    ];
    const offer = ([path, headers]: (typeof doors)[number]) =>
      fetch(`${gateway.httpUrl}${path}`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ sdp: BROWSER_OFFER }),
      });
    const live = await invite();
    assert.equal(live.status, 200);
    for (const caps of [{ calls_at_once: 1 }, { calls_per_day: 1 }]) {
      await setCaps(caps);
      for (const door of doors) {
        const response = await offer(door);
        assert.equal(response.status, 503, door[0]);
        assert.ok(Number(response.headers.get('retry-after')) > 0, door[0]);
        assert.equal(((await response.json()) as Json).error_code, 'AGENT_BUSY', door[0]);
      }
    }
    await setCaps({});
    for (const door of doors) assert.equal((await offer(door)).status, 200, door[0]);
    await live.phone.bye();
    await gateway.nextEndedCall();
  });

  it('calls only where the workspace may call', async () => {
    await setCaps({ destinations: ['+34'] });
    const outside = await dial('+49301234567');
    assert.deepEqual([outside.status, outside.body.error_code], [403, 'DESTINATION_NOT_ALLOWED']);
    // An owner may ask for less, and not for more.
    await ask('/v1/workspace/caps', 'PUT', {
      destinations: ['+346', '+49'],
      minutes_per_day: 9999,
    });
    assert.equal((await dial('+49301234567')).status, 403);
    assert.equal((await dial('+34911222444')).status, 403);
    const caps = (await ask('/v1/workspace/caps')).body;
    assert.equal(caps.minutes_per_day, 3000);
    await setCaps({});
    await ask('/v1/workspace/caps', 'PUT', {});
  });

  it('gives a call of a daemon that was killed its entry, once', async () => {
    const { status } = await invite();
    assert.equal(status, 200);
    // Its answer must be on the disk: of one that was not, nobody could know.
    const isLive = ({ status: now, end_reason: end }: CallView) =>
      now === 'in-progress' && end === null;
    let live: CallView | undefined;
    for (let asked = 0; asked < 50 && live === undefined; asked += 1) {
      live = (await gateway.calls()).find(isLive);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(live !== undefined, JSON.stringify(await gateway.calls()));
    await gateway.kill();
    const env = { TRUNKLINE_CONFIG: join(folder.path, 'trunkline.yaml') };
    const { dataDir } = gateway;
    const second = await Gateway.start({ env, dataDir });
    const third = await Gateway.start({ env, dataDir });
    const ledger = await second.api('/v1/usage/ledger');
    const { entries } = (await ledger.json()) as { entries: Json[] };
    const mine = entries.filter((entry) => entry.call_id === live.call_id);
    assert.equal(mine.length, 1);
    assert.equal(mine[0]?.answered, true);
    assert.ok(Number(mine[0]?.list_price_micros) >= 46_000);
    const record = await second.call(live.call_id);
    assert.equal(record.end_reason, 'daemon-crashed');
    await Promise.all([second.stop(), third.stop()]);
  });
});
