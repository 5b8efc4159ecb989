import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CallPhone } from '../../support/call-phone.ts';
import { type CarrierCall, FakeCarrier } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { TestPhone } from '../../support/test-phone.ts';

const NUMBER = '+34911222333';
const DESK = '+34955666777';
type Json = Readonly<Record<string, unknown>>;

describe('what a transfer costs', function () {
  this.timeout(60_000);
  let carrier: FakeCarrier;
  let gateway: Gateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let phone: CallPhone;
  let desk: TestPhone;
  let id: string;

  before(async () => {
    [carrier, folder] = await Promise.all([FakeCarrier.listen(), temporaryFolder()]);
    const configFile = join(folder.path, 'trunkline.yaml');
    const trunk = [
      'trunks:',
      '  - name: north',
      `    hosts: ["127.0.0.1:${carrier.port}"]`,
      '    transport: udp',
      '    domain: carrier.test',
      '    outbound_prefixes: ["+34"]',
      '    country: ES',
      '    channels_max: 4',
      '    options_seconds: 0',
      '    caller_id_policy: any',
      `    numbers: { "${NUMBER}": agt_demo }`,
      '',
    ];
    await writeFile(configFile, trunk.join('\n'));
    gateway = await Gateway.startByEngine({ env: { TRUNKLINE_CONFIG: configFile } });
    await gateway.changeAgent({ greeting_text: 'Hi.', time_limit_seconds: 300 });
    const minute = { first_seconds: 60, next_seconds: 60 };
    const rates = [
      { direction: 'inbound', per_minute_micros: 10_000, ...minute },
      { direction: 'outbound', prefix: '+34', per_minute_micros: 200_000, ...minute },
    ];
    await ask('/v1/workspaces/ws_demo/rates', 'PUT', { currency: 'EUR', rates });
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await folder?.remove();
  });
  beforeEach(async () => {
    phone = await CallPhone.open(gateway.sipPort, { codec: 'pcmu' });
    desk = await TestPhone.open({ codec: 'pcma' });
    carrier.onInvite = () => assert.fail('nobody is to be called');
    await phone.call({ user: NUMBER });
    ({ call_id: id } = await gateway.nextCall());
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
  });
  afterEach(async () => {
    await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
    await gateway.endOf(id);
    phone.close();
    desk.close();
  });

  async function ask(path: string, method = 'GET', body?: Json): Promise<Json> {
    const response = await gateway.api(path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Json;
    assert.ok(response.status < 300, JSON.stringify(answer));
    return answer;
  }
  const invited = (): Promise<CarrierCall> =>
    new Promise((resolve) => {
      carrier.onInvite = resolve;
    });
  const answeredBy = async (call: CarrierCall) => {
    call.respond(180);
    call.answer(desk.sdp());
    await call.acked();
    desk.connectTo(call.invite.body);
  };
  const bridge = () => ask(`/v1/calls/${id}/transfer`, 'POST', { to_number: DESK, mode: 'bridge' });
  const entriesOf = async (callId: string) => {
    const { entries } = (await ask('/v1/usage/ledger')) as { entries: Json[] };
    return entries
      .filter((entry) => entry['call_id'] === callId)
      .map((entry) =>
        ['kind', 'direction', 'answered', 'amount_micros', 'list_price_micros']
          .map((name) => String(entry[name]))
          .join(' '),
      )
      .toSorted();
  };
  const BOTH = ['call inbound true 0 10000', 'transfer-leg outbound true 0 200000'];

  it('is that of both legs of a bridge', async () => {
    const next = invited();
    await bridge();
    await answeredBy(await next);
    await phone.hangUp();
    await gateway.endOf(id);
    assert.deepEqual(await entriesOf(id), BOTH);
  });

  it('is that of whom the far side hands the agent over to', async () => {
    const next = invited();
    const referTo = [`Refer-To: <sip:${DESK}@carrier.test>`];
    assert.equal((await phone.sip.request('REFER', '', '', referTo)).status, 202);
    const call = await next;
    await answeredBy(call);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal((await call.request('BYE')).status, 200);
    await gateway.endOf(id);
    assert.deepEqual(await entriesOf(id), BOTH);
  });

  it('is nothing but an entry when nobody answers, and nobody is called past a cap', async () => {
    const next = invited();
    await bridge();
    (await next).respond(486);
    await gateway.callWhen(id, 'sorry', (_, turns) => turns.length > 1);
    assert.deepEqual(await entriesOf(id), ['transfer-leg outbound false 0 0']);

    // The call holds 0.06 already, and the rest of it by telephone would be 1.20.
    carrier.onInvite = () => assert.fail('nobody is to be called');
    await ask('/v1/workspaces/ws_demo/caps', 'PUT', { micros_per_day: 1_000_000 });
    const { length } = (await gateway.call(id)).transcript ?? [];
    await bridge();
    await gateway.callWhen(id, 'refused', (_, turns) => turns.length > length);
    await phone.hangUp();
    const call = await gateway.endOf(id);
    const transfers = call['transfers'] as Json[];
    assert.deepEqual(
      transfers.map(({ stage, failure }) => [stage, failure]),
      [
        ['failed', 'busy'],
        ['failed', 'spend-cap-reached'],
      ],
    );
    assert.equal((await entriesOf(id)).length, 2);
  });
});
