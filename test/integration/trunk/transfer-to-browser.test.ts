import assert from 'node:assert/strict';
import { RECEPTIONIST } from '../../../src/dialogue/templates/receptionist.ts';
import { toPhrasebookView } from '../../../src/http/phrasebook-shape.ts';
import { CallPhone } from '../../support/call-phone.ts';
import { Gateway, type CallView } from '../../support/gateway.ts';
import { openPhoneCodec } from '../../support/phone-codec.ts';
import { heardBy, RegisteredBrowser } from '../../support/registered-browser.ts';
import { assertTone, toneOf } from '../../support/tones.ts';
import { WebCallers } from '../../support/web-caller.ts';

const CALLER_HZ = 700;
const ANNA_HZ = 1_300;

describe("a call that is transferred to somebody's browser", function () {
  this.timeout(60_000);
  let gateway: Gateway;
  let phone: CallPhone;
  let anna: RegisteredBrowser;
  let id: string;
  const webCallers = new WebCallers(() => gateway);

  before(async () => {
    gateway = await Gateway.start({ env: { TRUNKLINE_MEDIA_WORKERS: '2' } });
    await gateway.changeAgent({
      greeting_text: 'Hi.',
      phrasebook: toPhrasebookView(RECEPTIONIST.phrasebook),
      transfer_targets: [{ name: 'Anna', number: 'sip:anna' }],
    });
  });
  after(() => gateway?.stop());
  beforeEach(async () => {
    anna = await RegisteredBrowser.signIn(gateway, 'anna');
    phone = await CallPhone.open(gateway.sipPort, { codec: 'pcmu' });
    await phone.call();
    ({ call_id: id } = await gateway.nextCall());
    await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
  });
  afterEach(async () => {
    await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
    await gateway.endOf(id);
    webCallers.close();
    phone.close();
    await anna.close();
  });

  const post = (path: string, body: Readonly<Record<string, unknown>>) =>
    gateway.api(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const transfer = async (body: Readonly<Record<string, unknown>>, callId = id) => {
    const response = await post(`/v1/calls/${callId}/transfer`, body);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const toAnna = async (body: Readonly<Record<string, unknown>> = {}, callId = id) => {
    const reply = await transfer({ to_number: 'sip:anna', ...body }, callId);
    assert.equal(reply.status, 202, JSON.stringify(reply.body));
    return reply.body;
  };
  const transfersOf = (call: CallView) => call['transfers'] as Record<string, unknown>[];
  /** Each side sends its own tone, and hears that of the other. */
  const talkBothWays = async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    phone.heardPcm8k();
    const before = anna.heardPcm8k().length;
    await Promise.all([phone.play(toneOf(CALLER_HZ, 1_500)), anna.play(toneOf(ANNA_HZ, 1_500))]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assertTone(phone.heardPcm8k(), ANNA_HZ, CALLER_HZ, 'the caller hears Anna');
    const heard = anna.heardPcm8k();
    assert.ok(heard.length > before + 8_000, 'Anna is sent sound');
    assertTone(heard.slice(-12_000), CALLER_HZ, ANNA_HZ, 'Anna hears the caller');
  };
  const saysSorry = () =>
    gateway.callWhen(id, 'sorry', (_, turns) =>
      turns.some(({ role, text }) => role === 'agent' && text.includes('could not put you')),
    );

  it('rings there, and both hear each other until she hangs up', async () => {
    const begun = await toAnna();
    assert.deepEqual(
      [begun['by'], begun['to_number'], begun['stage']],
      ['owner', 'sip:anna', 'started'],
    );
    const invite = await anna.rings();
    assert.match(invite.headers.first('from') ?? '', /sip:\+34600111222@/);
    await anna.pickUp();
    await talkBothWays();
    assert.equal((await transfer({ to_number: 'sip:anna' })).status, 409);
    assert.equal(await anna.request('BYE'), 200);
    await phone.sip.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'transferred');
    const [done] = transfersOf(call);
    assert.deepEqual(
      [done?.['stage'], done?.['way'], done?.['to_number'], done?.['sip_status']],
      ['completed', 'bridge', 'sip:anna', 200],
    );
    assert.ok(done?.['joined_at'] !== null && done?.['ended_at'] !== null);
  });

  it('passes her keys on, and ends with the caller', async () => {
    await toAnna({ mode: 'attended' });
    await anna.rings();
    await anna.pickUp();
    await talkBothWays();
    const key = 'Signal=5\r\nDuration=160\r\n';
    assert.equal(await anna.request('INFO', key, 'application/dtmf-relay'), 200);
    await phone.media.waitFor(() => phone.media.heardDigits.includes('5'), 5_000);
    await phone.hangUp();
    await anna.nextRequest('BYE');
    assert.equal((await gateway.endOf(id)).end_reason, 'transferred');
  });

  it('rings at all of her browsers, and stops at the others once one has answered', async () => {
    const other = await RegisteredBrowser.signIn(gateway, 'anna');
    await toAnna();
    await Promise.all([anna.rings(), other.rings()]);
    const canceled = anna.nextRequest('CANCEL').then(() => anna.respond(487));
    await Promise.all([other.pickUp(), canceled]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal(await other.request('BYE'), 200);
    assert.equal((await gateway.endOf(id)).end_reason, 'transferred');
    await other.close();
  });

  it('is what the agent does when it is asked to', async () => {
    await phone.press('0');
    await anna.rings();
    await anna.pickUp();
    await talkBothWays();
    await phone.hangUp();
    await anna.nextRequest('BYE');
    const call = await gateway.endOf(id);
    assert.equal(transfersOf(call)[0]?.['by'], 'agent');
  });

  it('comes back to the agent when she is busy, who says so and goes on', async () => {
    await toAnna();
    await anna.rings();
    anna.respond(486);
    await saysSorry();
    await phone.hangUp();
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'caller-hung-up');
    const [failed] = transfersOf(call);
    assert.deepEqual(
      [failed?.['stage'], failed?.['failure'], failed?.['sip_status']],
      ['failed', 'busy', 486],
    );
  });

  it('comes back to the agent when nobody answers', async () => {
    await toAnna();
    await anna.rings();
    anna.respond(480);
    await saysSorry();
    assert.equal((await gateway.call(id)).status, 'in-progress');
  });

  it('is canceled when the caller hangs up meanwhile', async () => {
    await toAnna();
    await anna.rings();
    await phone.hangUp();
    await anna.nextRequest('CANCEL');
    anna.respond(487);
    const call = await gateway.endOf(id);
    assert.deepEqual(transfersOf(call)[0]?.['failure'], 'abandoned');
  });

  it('may be the call of a web page, too', async () => {
    const given = await post('/v1/webrtc/token', { agent_id: 'agt_demo' });
    const { token } = (await given.json()) as { token: string };
    const web = await webCallers.call('/v1/webrtc/offer', { token });
    // It is this test's own call, not the next one's.
    assert.equal((await gateway.nextCall()).call_id, web.id);
    await toAnna({}, web.id);
    await anna.rings();
    await anna.pickUp();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await anna.play(toneOf(ANNA_HZ, 1_500));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const codec = await openPhoneCodec('opus');
    const heard = heardBy(web.client, codec).slice(-12_000);
    codec.close();
    assertTone(heard, ANNA_HZ, CALLER_HZ, 'the page hears Anna');
    assert.equal(await anna.request('BYE'), 200);
    assert.equal((await gateway.endOf(web.id)).end_reason, 'transferred');
  });

  it('is refused before anything happens when she is at no browser of that workspace', async () => {
    const nobody = await transfer({ to_number: 'sip:bob' });
    assert.deepEqual([nobody.status, nobody.body['error_code']], [404, 'NOT_FOUND']);
    assert.match(String(nobody.body['message']), /No browser is registered/);
    const made = await post('/v1/workspaces', { name: 'Other' });
    const { key } = (await made.json()) as { key: { key: string } };
    const stranger = await RegisteredBrowser.signIn(gateway, 'bob', key.key);
    assert.equal((await transfer({ to_number: 'sip:bob' })).status, 404);
    await stranger.close();
    for (const to_number of ['sip:', 'sip:anna@elsewhere.test', 'sip:Anna', 'sips:anna']) {
      assert.equal((await transfer({ to_number })).status, 400, to_number);
    }
    assert.deepEqual(transfersOf(await gateway.call(id)) ?? [], []);
    assert.equal((await gateway.call(id)).status, 'in-progress');
  });
});
