import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RECEPTIONIST } from '../../../src/dialogue/templates/receptionist.ts';
import { toPhrasebookView } from '../../../src/http/phrasebook-shape.ts';
import { CallPhone } from '../../support/call-phone.ts';
import { type CarrierCall, FakeCarrier, first } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { header, type SipText } from '../../support/sip-phone.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { TestPhone } from '../../support/test-phone.ts';
import { assertTone, toneOf } from '../../support/tones.ts';

const NUMBER = '+34911222333';
const DESK = '+34955666777';
const CALLER_HZ = 700;
const DESK_HZ = 1_300;

/** One NOTIFY about a REFER. */
const news = (status: string, state = 'active;expires=60') => ({
  headers: ['Event: refer', `Subscription-State: ${state}`],
  body: `SIP/2.0 ${status}\r\n`,
});

describe('a call that is transferred', function () {
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
      '    codecs: [pcma, pcmu]',
      '    channels_max: 4',
      '    calls_per_second: 100',
      '    options_seconds: 0',
      '    caller_id_policy: any',
      `    caller_id_number: "${NUMBER}"`,
      `    numbers: { "${NUMBER}": agt_demo }`,
      '',
    ];
    await writeFile(configFile, trunk.join('\n'));
    gateway = await Gateway.startByEngine({ env: { TRUNKLINE_CONFIG: configFile } });
    await gateway.changeAgent({
      greeting_text: 'Hi.',
      phrasebook: toPhrasebookView(RECEPTIONIST.phrasebook),
      transfer_targets: [{ name: 'the front desk', number: DESK }],
    });
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
    assert.equal(await channels(), 0);
  });

  const channels = async () => {
    const { trunks } = (await (await gateway.api('/v1/trunks')).json()) as {
      trunks: { channels: number }[];
    };
    return trunks[0]?.channels;
  };
  const transfer = async (body: Readonly<Record<string, unknown>> = {}) => {
    const response = await gateway.api(`/v1/calls/${id}/transfer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ to_number: DESK, ...body }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const accepted = async (body: Readonly<Record<string, unknown>> = {}) => {
    const reply = await transfer(body);
    assert.equal(reply.status, 202, JSON.stringify(reply.body));
    return reply.body;
  };
  const nextInvite = (): Promise<CarrierCall> =>
    new Promise((resolve) => {
      carrier.onInvite = resolve;
    });
  const says = (status: number) => {
    phone.sip.onRequest = ({ method }) => ({ status: method === 'REFER' ? status : 200 });
  };
  const notify = ({ headers, body }: ReturnType<typeof news>) =>
    phone.sip.request('NOTIFY', body, 'message/sipfrag;version=2.0', headers);
  const transfers = async () => {
    const call = await gateway.endOf(id);
    return { call, transfers: call['transfers'] as Record<string, unknown>[] };
  };
  const refer = (): Promise<SipText> => phone.sip.nextRequest('REFER');
  const answeredBy = async (carrierCall: CarrierCall) => {
    carrierCall.respond(180);
    carrierCall.answer(desk.sdp());
    await carrierCall.acked();
    desk.connectTo(carrierCall.invite.body);
  };
  /** Each side sends its own tone, and hears that of the other. */
  const talkBothWays = async () => {
    const [callerTone, deskTone] = [CALLER_HZ, DESK_HZ].map((hz) => toneOf(hz, 1_500));
    assert.ok(callerTone && deskTone);
    const deskFrom = desk.arrivals.length;
    phone.heardPcm8k();
    await Promise.all([
      phone.play(callerTone),
      desk.say({ samples: deskTone, sampleRateHz: 8_000 }),
    ]);
    await desk.waitFor(() => desk.arrivals.length > deskFrom + 50, 10_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assertTone(phone.heardPcm8k(), DESK_HZ, CALLER_HZ, 'the caller hears the desk');
    const heard = desk.recording().samples.slice(-12_000);
    assertTone(heard, CALLER_HZ, DESK_HZ, 'the desk hears the caller');
  };

  describe('blindly, by its owner', () => {
    it('asks the far side to call, follows its news, and hangs up when it is done', async () => {
      says(202);
      const begun = await accepted();
      assert.deepEqual(
        [begun['by'], begun['mode'], begun['to_number'], begun['stage']],
        ['owner', 'blind', DESK, 'started'],
      );
      const request = await refer();
      assert.equal(header(request, 'refer-to'), `<sip:${DESK}@carrier.test>`);
      assert.match(header(request, 'referred-by'), /@carrier\.test>/);
      assert.equal((await transfer()).body['error_code'], 'TRANSFER_IN_PROGRESS');
      assert.equal((await notify(news('100 Trying'))).status, 200);
      assert.equal((await notify(news('180 Ringing'))).status, 200);
      assert.equal((await notify(news('200 OK', 'terminated;reason=noresource'))).status, 200);
      await phone.sip.nextRequest('BYE');
      const { call, transfers: all } = await transfers();
      assert.equal(call.end_reason, 'transferred');
      assert.equal(call.blame, 'none');
      const [done] = all;
      assert.deepEqual(
        [done?.['stage'], done?.['way'], done?.['sip_status']],
        ['completed', 'refer', 200],
      );
      assert.ok(done?.['joined_at'] !== null && done?.['ended_at'] !== null);
    });

    it('is told that the desk is busy, and the agent says so and goes on', async () => {
      says(202);
      await accepted();
      await refer();
      await notify(news('486 Busy Here', 'terminated;reason=noresource'));
      await gateway.callWhen(id, 'sorry', (_, turns) =>
        turns.some(({ text }) => text.includes('could not put you through')),
      );
      await phone.press('1');
      await gateway.callWhen(
        id,
        'answered',
        (_, turns) => turns.at(-1)?.role === 'agent' && turns.length > 3,
      );
      await phone.hangUp();
      const { call, transfers: all } = await transfers();
      assert.equal(call.end_reason, 'caller-hung-up');
      assert.deepEqual([all[0]?.['stage'], all[0]?.['failure']], ['failed', 'busy']);
    });

    it('takes a far side that hangs up after it has accepted to be on its way', async () => {
      says(202);
      await accepted();
      await refer();
      await notify(news('100 Trying'));
      await phone.hangUp();
      assert.equal((await transfers()).call.end_reason, 'transferred');
    });

    it('stays in the middle when the far side refuses REFER, and both hear each other', async () => {
      says(405);
      const invited = nextInvite();
      await accepted();
      const carrierCall = await invited;
      assert.match(carrierCall.invite.uri, /^sip:\+34955666777@carrier\.test/);
      assert.match(first(carrierCall.invite, 'from'), /sip:\+34600111222@/);
      await answeredBy(carrierCall);
      assert.equal(await channels(), 2);
      await talkBothWays();
      assert.equal((await carrierCall.request('BYE')).status, 200);
      await phone.sip.nextRequest('BYE');
      const { call, transfers: all } = await transfers();
      assert.equal(call.end_reason, 'transferred');
      assert.deepEqual([all[0]?.['stage'], all[0]?.['way']], ['completed', 'bridge']);
    });
  });

  describe('by a bridge', () => {
    it('passes keys on, and the caller ends both', async () => {
      const invited = nextInvite();
      await accepted({ mode: 'bridge' });
      const carrierCall = await invited;
      await answeredBy(carrierCall);
      await talkBothWays();
      await phone.press('5');
      await desk.waitFor(() => desk.heardDigits.includes('5'), 5_000);
      const turns = (await gateway.call(id)).transcript?.length;
      await phone.hangUp();
      await carrierCall.nextRequest('BYE');
      const { call } = await transfers();
      assert.equal(call.end_reason, 'transferred');
      assert.equal(call.transcript?.length, turns, 'the agent kept silent');
    });

    it('lets the caller hear that it rings, and goes on when nobody answers', async () => {
      const invited = nextInvite();
      await accepted({ mode: 'bridge' });
      const carrierCall = await invited;
      carrierCall.respond(180);
      phone.heardPcm8k();
      await phone.untilSound();
      await new Promise((resolve) => setTimeout(resolve, 700));
      assertTone(phone.heardPcm8k(), 425, 1_300, 'the caller hears ringing');
      carrierCall.respond(480);
      await gateway.callWhen(id, 'sorry', (_, turns) =>
        turns.some(({ text }) => text.includes('could not put you through')),
      );
    });

    for (const isAnswered of [true, false]) {
      it(`lets the caller hear the tone of the one called, who ${isAnswered ? 'answers' : 'is busy'}`, async () => {
        const invited = nextInvite();
        await accepted({ mode: 'bridge' });
        const carrierCall = await invited;
        carrierCall.respond(180);
        await phone.untilSound();
        carrierCall.respond(183, { sdp: desk.sdp() });
        desk.connectTo(carrierCall.invite.body);
        await phone.media.waitFor(() => desk.arrivals.length > 5, 5_000);
        phone.heardPcm8k();
        await desk.say({ samples: toneOf(DESK_HZ, 1_500), sampleRateHz: 8_000 });
        await new Promise((resolve) => setTimeout(resolve, 300));
        assertTone(phone.heardPcm8k(), DESK_HZ, 425, 'the tone of the far side, and not ours');
        if (isAnswered) {
          carrierCall.answer(desk.sdp());
          await carrierCall.acked();
          await talkBothWays();
          assert.equal((await carrierCall.request('BYE')).status, 200);
          const { transfers: all } = await transfers();
          assert.deepEqual([all[0]?.['stage'], all[0]?.['way']], ['completed', 'bridge']);
          return;
        }
        carrierCall.respond(486);
        await gateway.callWhen(id, 'sorry', (_, turns) =>
          turns.some(({ text }) => text.includes('could not put you through')),
        );
        phone.heardPcm8k();
        await phone.press('1');
        assert.ok((await phone.listenUntilQuiet()).length > 4_000, 'the agent is heard again');
      });
    }

    it('is canceled when the caller hangs up meanwhile', async () => {
      const invited = nextInvite();
      await accepted({ mode: 'bridge' });
      const carrierCall = await invited;
      carrierCall.respond(180);
      await phone.hangUp();
      await carrierCall.nextRequest('CANCEL');
      const { call, transfers: all } = await transfers();
      assert.equal(call.end_reason, 'caller-hung-up');
      assert.deepEqual([all[0]?.['stage'], all[0]?.['failure']], ['failed', 'abandoned']);
    });
  });

  describe('with the desk asked first', () => {
    it('brings the two together by Replaces', async () => {
      says(202);
      const invited = nextInvite();
      await accepted({ mode: 'attended' });
      const carrierCall = await invited;
      await answeredBy(carrierCall);
      const referTo = header(await refer(), 'refer-to');
      const replaces = decodeURIComponent(/\?Replaces=([^>]*)>/.exec(referTo)?.[1] ?? '');
      const callId = first(carrierCall.invite, 'call-id');
      const ours = /tag=([^;]+)/.exec(first(carrierCall.invite, 'from'))?.[1];
      assert.equal(replaces, `${callId};to-tag=carrier;from-tag=${ours}`);
      assert.match(referTo, new RegExp(`^<sip:carrier@127\\.0\\.0\\.1:${carrier.port}\\?`));
      await notify(news('200 OK', 'terminated;reason=noresource'));
      await Promise.all([phone.sip.nextRequest('BYE'), carrierCall.nextRequest('BYE')]);
      const { call, transfers: all } = await transfers();
      assert.equal(call.end_reason, 'transferred');
      assert.equal(all[0]?.['way'], 'refer-replaces');
    });

    it('stays in the middle when the far side cannot', async () => {
      says(501);
      const invited = nextInvite();
      await accepted({ mode: 'attended' });
      const carrierCall = await invited;
      await answeredBy(carrierCall);
      await refer();
      const heardFrom = desk.arrivals.length;
      const isHeard = () => desk.arrivals.slice(heardFrom).some(({ rms }) => rms > 1_000);
      await Promise.all([phone.play(toneOf(CALLER_HZ, 2_000)), desk.waitFor(isHeard, 10_000)]);
      await talkBothWays();
      await phone.hangUp();
      await carrierCall.nextRequest('BYE');
      assert.equal((await transfers()).call.end_reason, 'transferred');
    });
  });

  describe('by its agent', () => {
    it('is put through by a template that needs no key', async () => {
      says(603);
      const invited = nextInvite();
      await phone.press('0');
      const carrierCall = await invited;
      const saidBefore = (await gateway.call(id)).transcript ?? [];
      assert.ok(saidBefore.length >= 2, 'the key was heard');
      await answeredBy(carrierCall);
      await talkBothWays();
      await phone.hangUp();
      await carrierCall.nextRequest('BYE');
      const { call, transfers: all } = await transfers();
      assert.equal(call.end_reason, 'transferred');
      assert.equal(all[0]?.['by'], 'agent');
      assert.match(call.transcript?.at(-1)?.text ?? '', /connecting you with the front desk/);
    });

    it('hears from the agent that nobody took the call', async () => {
      says(202);
      await phone.press('0');
      await refer();
      await notify(news('480 Away', 'terminated;reason=noresource'));
      await gateway.callWhen(id, 'sorry', (_, turns) =>
        turns.some(
          ({ role, text }) => role === 'agent' && text.includes('nobody could take your call'),
        ),
      );
    });
  });

  it('is refused before anything is sent: numbers, calls, keys', async () => {
    for (const [body, status, code] of [
      [{ to_number: '+15551234567' }, 403, 'DESTINATION_NOT_ALLOWED'],
      [{ to_number: '00000' }, 400, 'INVALID_ARGUMENT'],
      [{ mode: 'magic' }, 400, 'INVALID_ARGUMENT'],
    ] as const) {
      const reply = await transfer(body);
      assert.deepEqual([reply.status, reply.body['error_code']], [status, code]);
    }
    const live = id;
    id = 'call_nobody';
    assert.equal((await transfer()).body['error_code'], 'NOT_FOUND');
    id = live;
    await phone.hangUp();
    await gateway.endOf(id);
    assert.equal((await transfer()).body['error_code'], 'CALL_NOT_ACTIVE');
    const log = gateway.lines.filter((line) => line.startsWith('{')).join('\n');
    assert.equal(log.includes('955666777'), false, 'no number stands in the log');
  });

  describe('by the far side', () => {
    it('goes on with whom it was handed over to, who hears the agent', async () => {
      const invited = nextInvite();
      const referring = await phone.sip.request('REFER', '', '', [
        `Refer-To: <sip:${DESK}@carrier.test>`,
        'Referred-By: <sip:boss@carrier.test>',
      ]);
      assert.equal(referring.status, 202);
      const carrierCall = await invited;
      assert.equal(first(carrierCall.invite, 'referred-by'), '<sip:boss@carrier.test>');
      await answeredBy(carrierCall);
      await new Promise((resolve) => setTimeout(resolve, 200));
      const told = phone.sip.received
        .filter(({ method }) => method === 'NOTIFY')
        .map(({ body }) => body.trim());
      assert.deepEqual(told, ['SIP/2.0 100 Trying', 'SIP/2.0 180 Ringing', 'SIP/2.0 200 OK']);
      assert.equal(await channels(), 2);
      await phone.hangUp();
      assert.equal((await gateway.call(id)).status, 'in-progress');
      const said = await gateway.api(`/v1/calls/${id}/say`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text: 'You are with the agent now.' }),
      });
      assert.ok(said.ok, await said.text());
      await desk.nextSound(10_000);
      await desk.press('7');
      await gateway.callWhen(id, 'heard', (_, turns) => turns.some(({ via }) => via === 'digits'));
      const deadline = Date.now() + 5_000;
      while ((await channels()) !== 1 && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal(await channels(), 1, 'the channel of who handed over is free again');
      assert.equal((await carrierCall.request('BYE')).status, 200);
      const { call, transfers: all } = await transfers();
      assert.equal(call.end_reason, 'caller-hung-up');
      assert.deepEqual(
        [all[0]?.['by'], all[0]?.['stage'], all[0]?.['way']],
        ['caller', 'completed', 'call'],
      );
    });

    it('is refused where its trunk may not call, and told when the desk is busy', async () => {
      const forbidden = await phone.sip.request('REFER', '', '', [
        'Refer-To: <sip:+15551234567@carrier.test>',
      ]);
      assert.equal(forbidden.status, 403);
      const invited = nextInvite();
      await phone.sip.request('REFER', '', '', [`Refer-To: <sip:${DESK}@carrier.test>`]);
      (await invited).respond(486);
      const isLast = ({ method, body }: SipText) => method === 'NOTIFY' && body.includes('486');
      const deadline = Date.now() + 5_000;
      while (!phone.sip.received.some(isLast)) {
        assert.ok(Date.now() < deadline, 'it is told');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.equal((await gateway.call(id)).status, 'in-progress');
    });

    it('is taken over by an INVITE that replaces it', async () => {
      const other = await CallPhone.open(gateway.sipPort, { codec: 'pcma' });
      const { callId, fromTag } = phone.sip;
      const to = phone.sip.received.find(({ status }) => status === 200);
      const ourTag = /tag=([^;]+)/.exec(to === undefined ? '' : header(to, 'to'))?.[1];
      const wrong = await other.dial({
        user: NUMBER,
        headers: [`Replaces: ${callId};to-tag=nothing;from-tag=${fromTag}`],
      });
      assert.equal(wrong.status, 481);
      const next = await CallPhone.open(gateway.sipPort, { codec: 'pcma' });
      await next.call({
        user: NUMBER,
        headers: ['Require: replaces', `Replaces: ${callId};to-tag=${ourTag};from-tag=${fromTag}`],
      });
      await phone.sip.nextRequest('BYE');
      await next.press('1');
      assert.ok((await next.listenUntilQuiet()).length > 4_000, 'the agent answers');
      assert.equal((await gateway.call(id)).status, 'in-progress');
      await next.hangUp();
      const { call, transfers: all } = await transfers();
      assert.equal(call.end_reason, 'caller-hung-up');
      assert.equal(all[0]?.['way'], 'takeover');
      for (const one of [other, next]) one.close();
    });
  });
});
