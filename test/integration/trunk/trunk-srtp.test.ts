import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SrtpKeys } from '../../../src/model/media.ts';
import { CallPhone } from '../../support/call-phone.ts';
import { type CarrierCall, FakeCarrier } from '../../support/fake-carrier.ts';
import { Gateway } from '../../support/gateway.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../../support/test-caller.ts';
import { assertTone, toneOf } from '../../support/tones.ts';
import { TestPhone } from '../../support/test-phone.ts';
import { Transcriber } from '../../support/transcriber.ts';

const NUMBER = '+34911222333';
const GREETING = 'Hello there, how can I help?';
const QUESTION = hasTestCaller
  ? joined(lineSilence(400), callerSays('flip a coin', 'slt'))
  : new Int16Array(0);
const HEADS = 'Clink. It is heads!';
const TAILS = 'Clink. Tails this time!';
const SUITES: readonly SrtpKeys['suite'][] = [
  'AES_CM_128_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_32',
  'AEAD_AES_128_GCM',
];

/** Every call is checked by what was heard at both its ends. */
describe('a trunk with encrypted audio', function () {
  this.timeout(90_000);
  let carrier: FakeCarrier;
  let gateway: Gateway;
  let transcriber: Transcriber;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let configFile: string;

  const write = (srtp: 'off' | 'optional' | 'required') =>
    writeFile(
      configFile,
      [
        'trunks:',
        '  - name: north',
        `    hosts: ["127.0.0.1:${carrier.port}"]`,
        '    transport: udp',
        '    outbound_prefixes: ["+34"]',
        '    country: ES',
        '    codecs: [pcmu]',
        `    srtp: ${srtp}`,
        `    numbers: { "${NUMBER}": agt_demo }`,
        '',
      ].join('\n'),
    );
  const reload = async (srtp: 'off' | 'optional' | 'required') => {
    const reloads = () => gateway.lines.filter((line) => line.includes('trunks reloaded')).length;
    const before = reloads();
    await write(srtp);
    gateway.process.kill('SIGHUP');
    while (reloads() === before) await new Promise((resolve) => setTimeout(resolve, 20));
  };

  before(async function () {
    if (!hasTestCaller) {
      process.stderr.write('skipped: needs the Debian package flite\n');
      this.skip();
    }
    [carrier, folder] = await Promise.all([FakeCarrier.listen(), temporaryFolder()]);
    configFile = join(folder.path, 'trunkline.yaml');
    await write('required');
    [gateway, transcriber] = await Promise.all([
      Gateway.startByEngine({ env: { TRUNKLINE_CONFIG: configFile } }),
      Transcriber.load(),
    ]);
    await gateway.changeAgent({ greeting_text: GREETING });
  });
  after(async () => {
    await gateway?.stop();
    await carrier?.close();
    await folder?.remove();
    transcriber?.close();
  });

  /** Greets, is asked, answers; the phone hears both, the daemon understands the question. */
  async function converse(phone: CallPhone, id: string): Promise<void> {
    const greeting = await phone.listenUntilQuiet();
    await phone.play(QUESTION);
    const reply = await phone.listenUntilQuiet();
    const call = await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 3);
    assert.equal(call.transcript?.[1]?.text, 'flip a coin');
    const said = call.transcript?.[2]?.text ?? '';
    // Transcribing stops this process for a while, so it waits until nobody speaks any more.
    assert.equal(transcriber.whichOf([GREETING, HEADS, TAILS], greeting), GREETING);
    assert.equal(transcriber.whichOf([GREETING, HEADS, TAILS], reply), said);
    assert.equal(phone.media.unauthenticCount, 0);
  }

  /** A test that failed must not leave its call to the next one. */
  afterEach(async () => {
    for (const call of (await gateway?.calls()) ?? []) {
      if (call.end_reason !== null) continue;
      await gateway.api(`/v1/calls/${call.call_id}`, { method: 'DELETE' });
      await gateway.endOf(call.call_id);
    }
  });

  const ended488 = async () => {
    for (;;) {
      const [newest] = await gateway.calls();
      if (newest?.sip_status === 488) return newest;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  /** The only call there is at a time. */
  const liveId = async (): Promise<string> => {
    for (;;) {
      const live = (await gateway.calls()).find(({ end_reason: reason }) => reason === null);
      if (live !== undefined) return live.call_id;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  const ended = async (id: string, encryption: string | null) => {
    const call = await gateway.endOf(id);
    assert.equal(call.end_reason, 'caller-hung-up');
    assert.equal(call.media?.encryption, encryption);
    assert.equal(call.media?.packets_unauthenticated, 0);
  };

  const dial = async (): Promise<{ id: string; carrierCall: CarrierCall }> => {
    const invited = new Promise<CarrierCall>((resolve) => {
      carrier.onInvite = resolve;
    });
    const response = await gateway.api('/v1/calls', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent_id: 'agt_demo', to_number: '+34955666777' }),
    });
    const { call_id: id } = (await response.json()) as { call_id: string };
    assert.equal(response.status, 201);
    return { id, carrierCall: await invited };
  };

  describe('that is required', () => {
    for (const suite of SUITES) {
      it(`talks with a caller in ${suite}`, async () => {
        const srtp = { suite, protocol: 'RTP/SAVP' } as const;
        const phone = await CallPhone.open(gateway.sipPort, { srtp });
        const answer = await phone.dial({ user: NUMBER });
        assert.match(answer.body, /^m=audio \d+ RTP\/SAVP 0 101\r$/m);
        assert.match(answer.body, new RegExp(`^a=crypto:1 ${suite} inline:`, 'm'));
        const id = await liveId();
        await converse(phone, id);
        await phone.hangUp();
        phone.close();
        await ended(id, suite);
      });

      it(`talks with a callee who picks ${suite}`, async () => {
        const { id, carrierCall } = await dial();
        assert.match(carrierCall.invite.body, /^m=audio \d+ RTP\/SAVP 0 101\r$/m);
        const srtp = { suite, protocol: 'RTP/SAVP' } as const;
        const phone = await TestPhone.open({ codec: 'pcmu', srtp });
        phone.connectTo(carrierCall.invite.body);
        carrierCall.answer(phone.sdp());
        await phone.nextSound(20_000);
        await phone.quietFor(1000);
        const greeting = phone.recording().samples;
        await phone.say({ samples: QUESTION, sampleRateHz: 8000 });
        const call = await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 3);
        assert.equal(call.transcript?.[1]?.text, 'flip a coin');
        assert.equal(transcriber.whichOf([GREETING, HEADS], greeting), GREETING);
        assert.equal((await carrierCall.request('BYE')).status, 200);
        phone.close();
        await ended(id, suite);
      });
    }

    for (const suite of SUITES) {
      it(`understands a caller whose packets bear an MKI, in ${suite}`, async () => {
        const phone = await CallPhone.open(gateway.sipPort, {
          srtp: { suite, protocol: 'RTP/SAVP', mki: Buffer.from([0, 0, 0, 1]) },
        });
        await phone.call({ user: NUMBER });
        const id = await liveId();
        await converse(phone, id);
        await phone.hangUp();
        await ended(id, suite);
        phone.close();
      });
    }

    it('takes RTP/AVP with a crypto line, for it is encrypted', async () => {
      const srtp = { suite: 'AES_CM_128_HMAC_SHA1_80', protocol: 'RTP/AVP' } as const;
      const phone = await CallPhone.open(gateway.sipPort, { srtp });
      await phone.call({ user: NUMBER });
      const id = await liveId();
      await converse(phone, id);
      await phone.hangUp();
      phone.close();
      await ended(id, 'AES_CM_128_HMAC_SHA1_80');
    });

    it('changes its keys when the caller does, and both still hear each other', async () => {
      const srtp = { suite: 'AES_CM_128_HMAC_SHA1_80', protocol: 'RTP/SAVP' } as const;
      const phone = await CallPhone.open(gateway.sipPort, { srtp });
      const first = await phone.dial({ user: NUMBER });
      const id = await liveId();
      await phone.listenUntilQuiet();
      phone.media.rekey();
      const second = await phone.reoffer();
      assert.equal(second.status, 200);
      const key = /^a=crypto:1 \S+ (\S+)/m;
      assert.notEqual(key.exec(first.body)?.[1], key.exec(second.body)?.[1]);
      phone.media.connectTo(second.body);
      await phone.play(QUESTION);
      const reply = await phone.listenUntilQuiet();
      const call = await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 3);
      assert.equal(call.transcript?.[1]?.text, 'flip a coin');
      assert.equal(transcriber.whichOf([HEADS, TAILS], reply), call.transcript?.[2]?.text);
      // The same key again is no change.
      const third = await phone.reoffer();
      assert.equal(key.exec(second.body)?.[1], key.exec(third.body)?.[1]);
      await phone.hangUp();
      phone.close();
      await ended(id, 'AES_CM_128_HMAC_SHA1_80');
    });

    it('refuses a caller with plain audio by 488', async () => {
      const phone = await CallPhone.open(gateway.sipPort);
      assert.equal((await phone.dial({ user: NUMBER })).status, 488);
      phone.close();
      const refusal = (await ended488()) ?? assert.fail();
      assert.equal(refusal.end_reason, 'encryption-required');
      assert.equal(refusal.blame, 'caller');
    });

    it('refuses a re-INVITE to plain audio and stays encrypted', async () => {
      const srtp = { suite: 'AEAD_AES_128_GCM', protocol: 'RTP/SAVP' } as const;
      const phone = await CallPhone.open(gateway.sipPort, { srtp });
      await phone.call({ user: NUMBER });
      const id = await liveId();
      const plain = (sdp: string) =>
        sdp.replace('RTP/SAVP', 'RTP/AVP').replace(/^a=crypto.*\r\n/m, '');
      assert.equal((await phone.reoffer('sendrecv', plain)).status, 488);
      await converse(phone, id);
      await phone.hangUp();
      phone.close();
      await ended(id, 'AEAD_AES_128_GCM');
    });

    it('ends a call whose callee answers with plain audio', async () => {
      const { id, carrierCall } = await dial();
      const phone = await TestPhone.open({ codec: 'pcmu' });
      carrierCall.answer(phone.sdp());
      await carrierCall.nextRequest('BYE');
      assert.equal((await gateway.endOf(id)).end_reason, 'encryption-required');
      phone.close();
    });

    it('counts plain packets on an encrypted call, and plays none of them', async () => {
      const srtp = { suite: 'AES_CM_128_HMAC_SHA1_80', protocol: 'RTP/SAVP' } as const;
      const phone = await CallPhone.open(gateway.sipPort, { srtp });
      const answer = await phone.dial({ user: NUMBER });
      const id = await liveId();
      await phone.listenUntilQuiet();
      const stranger = await TestPhone.open({ codec: 'pcmu' });
      stranger.start('127.0.0.1', Number(/^m=audio (\d+)/m.exec(answer.body)?.[1]));
      await stranger.say({ samples: callerSays('flip a coin', 'slt'), sampleRateHz: 8000 });
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await phone.hangUp();
      phone.close();
      const call = await gateway.endOf(id);
      assert.equal(stranger.arrivals.length, 0);
      stranger.close();
      assert.deepEqual(
        call.transcript?.map(({ role }) => role),
        ['agent'],
      );
      assert.ok((call.media?.packets_unauthenticated ?? 0) > 50);
      const bad = 'trunkline_rtp_packets_bad_total';
      assert.ok((await gateway.metric(bad, /fate="unauthenticated"/)) > 50);
    });
  });

  describe('that is optional', () => {
    before(() => reload('optional'));

    it('encrypts with a caller who offers it', async () => {
      const srtp = { suite: 'AEAD_AES_128_GCM', protocol: 'RTP/AVP' } as const;
      const phone = await CallPhone.open(gateway.sipPort, { srtp });
      const answer = await phone.dial({ user: NUMBER });
      assert.match(answer.body, /^m=audio \d+ RTP\/AVP 0 101\r$/m);
      const id = await liveId();
      await converse(phone, id);
      await phone.hangUp();
      phone.close();
      await ended(id, 'AEAD_AES_128_GCM');
    });

    it('talks with a caller who cannot', async () => {
      const phone = await CallPhone.open(gateway.sipPort);
      await phone.call({ user: NUMBER });
      const id = await liveId();
      await converse(phone, id);
      await phone.hangUp();
      phone.close();
      await ended(id, null);
    });

    for (const encrypts of [true, false]) {
      it(`talks with a callee who ${encrypts ? 'encrypts' : 'does not'}`, async () => {
        const { id, carrierCall } = await dial();
        assert.match(carrierCall.invite.body, /^m=audio \d+ RTP\/AVP 0 101\r$/m);
        const srtp = { suite: 'AES_CM_128_HMAC_SHA1_80', protocol: 'RTP/AVP' } as const;
        const phone = await TestPhone.open({ codec: 'pcmu', ...(encrypts ? { srtp } : {}) });
        phone.connectTo(carrierCall.invite.body);
        carrierCall.answer(phone.sdp());
        await phone.nextSound(20_000);
        await phone.quietFor(1000);
        assert.equal(transcriber.whichOf([GREETING, HEADS], phone.recording().samples), GREETING);
        assert.equal((await carrierCall.request('BYE')).status, 200);
        phone.close();
        await ended(id, encrypts ? 'AES_CM_128_HMAC_SHA1_80' : null);
      });
    }
  });

  describe('that is off', () => {
    before(() => reload('off'));

    it('refuses RTP/SAVP, and offers no keys', async () => {
      const srtp = { suite: 'AES_CM_128_HMAC_SHA1_80', protocol: 'RTP/SAVP' } as const;
      const phone = await CallPhone.open(gateway.sipPort, { srtp });
      assert.equal((await phone.dial({ user: NUMBER })).status, 488);
      phone.close();
      const { id, carrierCall } = await dial();
      assert.doesNotMatch(carrierCall.invite.body, /crypto|SAVP/);
      await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
      await gateway.endOf(id);
    });
  });

  describe('of any kind', () => {
    it('has logged no key', () => {
      assert.equal(gateway.lines.join('\n').includes('inline:'), false);
    });
  });

  describe('puts an encrypted caller through', () => {
    const SRTP = { suite: 'AES_CM_128_HMAC_SHA1_80', protocol: 'RTP/SAVP' } as const;
    const CALLEE = '+34955666777';
    const [CALLER_HZ, DESK_HZ] = [700, 1_300];
    let phone: CallPhone;
    let desk: TestPhone | null;
    let id: string;

    before(() => reload('optional'));
    beforeEach(async () => {
      phone = await CallPhone.open(gateway.sipPort, { srtp: SRTP });
      await phone.call({ user: NUMBER });
      id = await liveId();
      await gateway.callWhen(id, 'greeted', (_, turns) => turns.length > 0);
    });
    afterEach(() => {
      phone.close();
      desk?.close();
      desk = null;
    });

    /** The call to the desk, where one is made. */
    const transfer = async (mode: string): Promise<{ invited: Promise<CarrierCall> }> => {
      const invited = new Promise<CarrierCall>((resolve) => {
        carrier.onInvite = resolve;
      });
      const response = await gateway.api(`/v1/calls/${id}/transfer`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ to_number: CALLEE, mode }),
      });
      assert.equal(response.status, 202, await response.text());
      return { invited };
    };
    const answered = async (call: CarrierCall, srtp: typeof SRTP | undefined) => {
      desk = await TestPhone.open({ codec: 'pcmu', ...(srtp === undefined ? {} : { srtp }) });
      desk.connectTo(call.invite.body);
      call.answer(desk.sdp());
      await call.acked();
    };
    const talkBothWays = async () => {
      assert.ok(desk !== null);
      const { arrivals } = desk;
      const heardFrom = arrivals.length;
      const isHeard = () => arrivals.slice(heardFrom).some(({ rms }) => rms > 1_000);
      await Promise.all([phone.play(toneOf(CALLER_HZ, 2_000)), desk.waitFor(isHeard, 10_000)]);
      phone.heardPcm8k();
      await Promise.all([
        phone.play(toneOf(CALLER_HZ, 1_500)),
        desk.say({ samples: toneOf(DESK_HZ, 1_500), sampleRateHz: 8_000 }),
      ]);
      await new Promise((resolve) => setTimeout(resolve, 300));
      assertTone(phone.heardPcm8k(), DESK_HZ, CALLER_HZ, 'the caller hears the desk');
      assertTone(desk.recording().samples.slice(-12_000), CALLER_HZ, DESK_HZ, 'the desk hears');
      assert.ok(phone.media.isEncrypted);
      assert.deepEqual([phone.media.unauthenticCount, desk.unauthenticCount], [0, 0]);
    };
    const isOver = async () => {
      await phone.hangUp();
      const { end_reason: reason, media } = await gateway.endOf(id);
      assert.equal(reason, 'transferred');
      assert.equal(media?.encryption, SRTP.suite);
    };

    for (const [what, srtp] of [
      ['that is encrypted too', SRTP],
      ['in the clear', undefined],
    ] as const) {
      it(`by a bridge to a desk ${what}`, async () => {
        const call = await (await transfer('bridge')).invited;
        await answered(call, srtp);
        assert.equal(desk?.isEncrypted, srtp !== undefined);
        await talkBothWays();
        await isOver();
      });
    }

    it('by a bridge when it refuses REFER, and when it refuses Replaces', async () => {
      phone.sip.onRequest = ({ method }) => ({ status: method === 'REFER' ? 405 : 200 });
      const call = await (await transfer('attended')).invited;
      await answered(call, SRTP);
      await phone.sip.nextRequest('REFER');
      await talkBothWays();
      await isOver();
    });

    it('by REFER, and is with somebody else then', async () => {
      phone.sip.onRequest = ({ method }) => ({ status: method === 'REFER' ? 202 : 200 });
      await transfer('blind');
      await phone.sip.nextRequest('REFER');
      await phone.sip.request('NOTIFY', 'SIP/2.0 200 OK\r\n', 'message/sipfrag;version=2.0', [
        'Event: refer',
        'Subscription-State: terminated;reason=noresource',
      ]);
      await phone.sip.nextRequest('BYE');
      assert.equal((await gateway.endOf(id)).end_reason, 'transferred');
    });
  });
});
