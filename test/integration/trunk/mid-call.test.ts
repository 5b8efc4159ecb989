import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CallPhone, fromTelephoneRate, toTelephoneRate } from '../../support/call-phone.ts';
import { type CarrierCall, type CarrierMessage, FakeCarrier } from '../../support/fake-carrier.ts';
import { Gateway, type TurnView } from '../../support/gateway.ts';
import { header, type SipText } from '../../support/sip-phone.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { TestPhone } from '../../support/test-phone.ts';
import { assertTone, toneOf } from '../../support/tones.ts';

const NUMBER = '+34911222333';
const DESK = '+34955666777';
const CALLER_HZ = 700;
const DESK_HZ = 1_300;

/** Two people talk through us, so that each change in mid-call can be heard on both ends. */
describe('in the middle of a call', function () {
  this.timeout(120_000);
  let carrier: FakeCarrier;
  let gateway: Gateway;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

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
      '    codecs: [pcma, pcmu, opus]',
      '    dtmf: info',
      '    options_seconds: 0',
      `    caller_id_number: "${NUMBER}"`,
      `    numbers: { "${NUMBER}": agt_demo }`,
      '',
    ];
    await writeFile(configFile, trunk.join('\n'));
    gateway = await Gateway.startByEngine({ env: { TRUNKLINE_CONFIG: configFile } });
    await gateway.changeAgent({ greeting_text: 'Hi.' });
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await folder?.remove();
  });

  describe('between two people', () => {
    let phone: CallPhone;
    let desk: TestPhone;
    let deskCall: CarrierCall;
    let id: string;
    let deskVersion = 1;

    /** Each may say further headers: the caller in its INVITE, the desk in its answer. */
    const meet = async (headers: readonly string[] = [], deskHeaders: readonly string[] = []) => {
      phone = await CallPhone.open(gateway.sipPort, { codec: 'pcmu' });
      desk = await TestPhone.open({ codec: 'pcma' });
      await phone.call({ user: NUMBER, headers });
      ({ call_id: id } = await gateway.nextCall());
      await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
      const invited = new Promise<CarrierCall>((resolve) => {
        carrier.onInvite = resolve;
      });
      const response = await gateway.api(`/v1/calls/${id}/transfer`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ to_number: DESK, mode: 'bridge' }),
      });
      assert.equal(response.status, 202, await response.text());
      deskCall = await invited;
      deskCall.answer(desk.sdp(), { headers: deskHeaders });
      await deskCall.acked();
      desk.connectTo(deskCall.invite.body);
    };
    afterEach(async () => {
      await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
      await gateway.endOf(id);
      phone.close();
      desk.close();
    });

    const deskOffer = (direction: string, from = desk) => {
      deskVersion += 1;
      const body = from.sdp(direction).replace(/^(o=phone \d+) 1 /m, `$1 ${deskVersion} `);
      return deskCall.request('INVITE', { body });
    };
    const talk = async () => {
      phone.heardPcm8k();
      const before = toTelephoneRate(desk.recording()).length;
      const { sampleRateHz } = desk.codec;
      const samples = fromTelephoneRate(toneOf(DESK_HZ, 1_200), sampleRateHz);
      await Promise.all([
        phone.play(toneOf(CALLER_HZ, 1_200)),
        desk.say({ samples, sampleRateHz }),
      ]);
      await new Promise((resolve) => setTimeout(resolve, 400));
      const deskHeard = toTelephoneRate(desk.recording()).slice(before);
      return { caller: phone.heardPcm8k(), desk: deskHeard };
    };
    const bothHear = async () => {
      const heard = await talk();
      assertTone(heard.caller, DESK_HZ, CALLER_HZ, 'the caller hears the desk');
      assertTone(heard.desk, CALLER_HZ, DESK_HZ, 'the desk hears the caller');
    };

    it('the caller holds and comes back, and both hear each other again', async () => {
      await meet();
      await bothHear();
      const held = await phone.reoffer('sendonly');
      assert.match(held.body, /a=recvonly/);
      const heard = await talk();
      assert.ok(
        heard.caller.every((sample) => Math.abs(sample) < 500),
        'nothing is sent on hold',
      );
      assertTone(heard.desk, CALLER_HZ, DESK_HZ, 'what the caller plays on hold is heard');
      assert.equal((await phone.reoffer('sendrecv')).status, 200);
      await bothHear();
    });

    it('the desk is put away and comes back', async () => {
      await meet();
      assert.match((await deskOffer('inactive')).body, /a=inactive/);
      const heard = await talk();
      assert.ok(
        heard.desk.every((sample) => Math.abs(sample) < 500),
        'the desk hears nothing',
      );
      assert.equal((await deskOffer('sendrecv')).status, 200);
      await bothHear();
    });

    for (const codec of ['pcma', 'opus'] as const) {
      it(`the caller changes to ${codec} on another port`, async () => {
        await meet();
        await bothHear();
        assert.equal((await phone.moveTo(codec)).status, 200);
        await bothHear();
      });
    }

    for (const codec of ['pcmu', 'opus'] as const) {
      it(`the desk changes to ${codec} on another port`, async () => {
        await meet();
        await bothHear();
        const next = await TestPhone.open({ codec });
        desk.mute();
        const answer = await deskOffer('sendrecv', next);
        assert.equal(answer.status, 200);
        next.connectTo(answer.body);
        desk.close();
        desk = next;
        await bothHear();
      });
    }

    describe('when all offer at once', () => {
      before(function () {
        // drachtio-server refreshes by itself, and takes an offer meanwhile.
        if ((process.env['DRACHTIO_BIN'] ?? '') !== '') this.skip();
      });

      it('each is told 491, and then each is heard in turn', async () => {
        const timer = (refresher: string) => [
          'Supported: timer',
          `Session-Expires: 90;refresher=${refresher}`,
        ];
        await meet(timer('uas'), timer('uac'));
        await bothHear();
        const refreshes = { phone: 0, desk: 0 };
        // Their offers leave before our refresh is answered.
        const phoneCrossed = new Promise<SipText>((resolve) => {
          phone.sip.onRequest = ({ method }) => {
            if (method !== 'INVITE') return { status: 200 };
            refreshes.phone += 1;
            if (refreshes.phone > 1) return { status: 200, body: phone.sdp() };
            resolve(phone.reoffer('sendonly'));
            return { status: 491 };
          };
        });
        const deskCrossed = new Promise<CarrierMessage>((resolve) => {
          deskCall.answerTo = ({ method }) => {
            if (method !== 'INVITE') return { line: '200 OK' };
            refreshes.desk += 1;
            if (refreshes.desk > 1) return { line: '200 OK', body: desk.sdp() };
            resolve(deskOffer('inactive'));
            return { line: '491 Request Pending' };
          };
        });
        assert.equal((await phoneCrossed).status, 491);
        assert.equal((await deskCrossed).status, 491);
        const deadline = Date.now() + 10_000;
        while (refreshes.phone < 2 || refreshes.desk < 2) {
          assert.ok(Date.now() < deadline, 'we offer again, within four seconds');
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        await bothHear();
        assert.match((await phone.reoffer('sendonly')).body, /a=recvonly/);
        assert.match((await deskOffer('inactive')).body, /a=inactive/);
        assert.equal((await phone.reoffer('sendrecv')).status, 200);
        assert.equal((await deskOffer('sendrecv')).status, 200);
        await bothHear();
      });
    });

    it('a re-INVITE without a description is offered ours, and audio goes on', async () => {
      await meet();
      const response = await phone.sip.reinvite('', () => phone.sdp());
      assert.equal(response.status, 200);
      assert.match(response.body, /^m=audio/m);
      await bothHear();
    });

    it('keys go on by INFO, as the trunk wants them', async () => {
      await meet();
      await phone.press('7');
      const info = await deskCall.nextRequest('INFO');
      assert.match(info.body, /^Signal=7\r$/m);
      assert.equal(desk.heardDigits, '');
    });
  });

  describe('whose session has a timer', () => {
    /** Refreshes by re-INVITE alone, and waits to the very end of the interval. */
    const isDrachtio = (process.env['DRACHTIO_BIN'] ?? '') !== '';
    /** Half of the shortest interval there may be, and then some. */
    const REFRESHED_WITHIN_MS = 60_000;
    const EXPIRED_WITHIN_MS = isDrachtio ? 110_000 : 80_000;
    const withTimer = async (who: string, further: readonly string[] = []) => {
      const phone = await CallPhone.open(gateway.sipPort, { codec: 'pcma' });
      phone.sip.onRequest = ({ method }) =>
        method === 'INVITE' ? { status: 200, body: phone.sdp() } : { status: 200 };
      const headers = ['Supported: timer', `Session-Expires: 90;refresher=${who}`, ...further];
      const answer = await phone.dial({ user: NUMBER, headers });
      assert.equal(answer.status, 200);
      assert.match(header(answer, 'session-expires'), new RegExp(`^90;refresher=${who}$`));
      const { call_id: id } = await gateway.nextCall();
      return { phone, id };
    };
    const next = async ({ sip }: CallPhone, method: string, withinMs: number): Promise<SipText> => {
      const late = setTimeout(() => sip.emit(method, null), withinMs);
      const [request] = (await once(sip, method)) as [SipText | null];
      clearTimeout(late);
      return request ?? assert.fail(`no ${method} came`);
    };

    it('is refused with 422 when that is too short', async () => {
      const phone = await CallPhone.open(gateway.sipPort, { codec: 'pcma' });
      const headers = ['Supported: timer', 'Session-Expires: 30'];
      const answer = await phone.dial({ user: NUMBER, headers });
      phone.close();
      assert.equal(answer.status, 422);
      assert.equal(header(answer, 'min-se'), '90');
    });

    it('is refreshed by us or by the caller, and lost when the caller does not', async () => {
      await gateway.changeAgent({ idle_after_ms: 120_000 });
      const refreshedBy = isDrachtio ? 'INVITE' : 'UPDATE';
      const allows = ['Allow: INVITE, ACK, BYE, CANCEL, UPDATE'];
      const [updated, reinvited, lost, updating, reinviting] = [
        await withTimer('uas', allows),
        await withTimer('uas', ['Allow: INVITE, ACK, BYE, CANCEL']),
        await withTimer('uac'),
        await withTimer('uac'),
        await withTimer('uac'),
      ];
      const [update, reinvite] = await Promise.all([
        next(updated.phone, refreshedBy, REFRESHED_WITHIN_MS).then(async (request) => {
          const headers = ['Supported: timer', 'Session-Expires: 90;refresher=uac'];
          const refreshed = await updating.phone.sip.request('UPDATE', '', '', headers);
          assert.match(header(refreshed, 'session-expires'), /^90;refresher=uac$/);
          const again = await reinviting.phone.sip.reinvite(
            reinviting.phone.sdp(),
            undefined,
            headers,
          );
          assert.match(header(again, 'session-expires'), /^90;refresher=uac$/);
          return request;
        }),
        next(reinvited.phone, 'INVITE', REFRESHED_WITHIN_MS),
        next(lost.phone, 'BYE', EXPIRED_WITHIN_MS),
      ]);
      assert.match(header(update, 'session-expires'), /^90;refresher=uac$/);
      if (!isDrachtio) assert.equal(update.body, '');
      assert.match(reinvite.body, /^m=audio/m);
      assert.equal((await gateway.endOf(lost.id)).end_reason, 'caller-lost');
      for (const { phone, id } of [updated, reinvited, updating, reinviting]) {
        await phone.press('7');
        const hasPressed = (_: unknown, turns: readonly TurnView[]) =>
          turns.some(({ via }) => via === 'digits');
        await gateway.callWhen(id, 'heard', hasPressed);
        phone.heardPcm8k();
        const said = await gateway.api(`/v1/calls/${id}/say`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ text: 'We are still here.' }),
        });
        assert.ok(said.ok, await said.text());
        assert.ok((await phone.listenUntilQuiet()).length > 4_000, 'audio goes on');
        await phone.hangUp();
        await gateway.endOf(id);
      }
      for (const { phone } of [updated, reinvited, lost, updating, reinviting]) phone.close();
    });
  });
});
