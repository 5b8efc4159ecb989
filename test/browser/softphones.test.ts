import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { findChromium, startBrowser, type TestBrowser, writeWav } from '../support/browser.ts';
import { Gateway } from '../support/gateway.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../support/test-caller.ts';
import { startTestEngine, type TestEngine } from '../support/test-engine.ts';
import { Transcriber } from '../support/transcriber.ts';
import { WebCallers } from '../support/web-caller.ts';
import { heardByPage, quietAgain, recordPage } from './page-recorder.ts';
import { openSoftphone } from './softphone-page.ts';
import type { SoftphoneAccount } from './softphones/softphone.ts';

const GREETING = 'Hello there, how can I help?';
const COUNT =
  'Please do, at any moment! I will count slowly: one, two, three, four, five, six, seven, eight, nine, ten.';
const JOKE = 'Why was the telephone always so calm? It was used to being put on hold. Another one?';
const DECOYS = [
  GREETING,
  JOKE,
  COUNT,
  'Clink. It is heads!',
  'Clink. Tails this time!',
  'Trunkline is an open telephony gateway for voice agents.',
  'The caller said nothing at all.',
];

const ENGINES = ['embedded', 'drachtio-server'] as const;
const KINDS = ENGINES.flatMap((engine) => [
  { engine, library: 'sip-js' as const },
  { engine, library: 'js-sip' as const },
]);

/** Of a daemon that works with that drachtio-server. */
function settingsOf({ address: { host, port, secret }, webSocketUrl = '' }: TestEngine) {
  return {
    TRUNKLINE_SIP_ENGINE: `drachtio://:${encodeURIComponent(secret)}@${host}:${port}`,
    TRUNKLINE_SIP_WEBSOCKET_RELAY: webSocketUrl,
  };
}

for (const { engine, library } of KINDS) {
  describe(`a call by ${library} over WebSocket, the SIP engine is ${engine}`, function () {
    this.timeout(240_000);
    let gateway: Gateway;
    let other: TestEngine | null = null;
    let transcriber: Transcriber;
    let browser: TestBrowser | null = null;
    let page: Page;
    const folder = mkdtempSync(join(tmpdir(), 'trunkline-softphone-'));
    const callers = new WebCallers(() => gateway);

    before(async function () {
      if (findChromium() === null || !hasTestCaller) this.skip();
      const isOther = engine === 'drachtio-server';
      if (isOther && (process.env['DRACHTIO_BIN'] ?? '') === '') this.skip();
      other = isOther ? await startTestEngine() : null;
      const settings = other === null ? {} : settingsOf(other);
      const env = { TRUNKLINE_HTTP_TRUSTED_PROXIES: '127.0.0.1', ...settings };
      [gateway, transcriber] = await Promise.all([Gateway.start({ env }), Transcriber.load()]);
      // Nobody is asked whether he is still there while the machine is slow.
      await gateway.changeAgent({ greeting_text: GREETING, idle_after_ms: 60_000 });
    });
    afterEach(async () => {
      await browser?.close();
      browser = null;
      callers.close();
    });
    after(async () => {
      await gateway?.stop();
      await other?.close();
      transcriber?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    async function open(...speech: readonly Int16Array[]): Promise<void> {
      const microphone = join(folder, 'microphone.wav');
      writeWav(microphone, joined(...speech, lineSilence(30_000)), 8000);
      browser = await startBrowser({ microphone });
      page = await browser.context.newPage();
      page.on('pageerror', (error) => assert.fail(error.message));
      await recordPage(page);
      await openSoftphone(page, library, gateway.httpUrl);
    }

    async function post(path: string, body: object): Promise<Response> {
      return gateway.api(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    }

    /** A token for one web call, as a public application gets it. */
    async function mint(): Promise<string> {
      const made = await post('/v1/agents/agt_demo/shared-keys', {});
      const { shared_key: key } = (await made.json()) as { shared_key: string };
      const minted = await post('/v1/calls/public/create-web-call', {
        ai_agent_id: 'agt_demo',
        shared_key: key,
      });
      return ((await minted.json()) as { access_token: string }).access_token;
    }

    async function guest(token: string): Promise<SoftphoneAccount> {
      const response = await fetch(`${gateway.httpUrl}/v1/public/web-call/sip-credentials`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      });
      assert.equal(response.status, 200);
      return (await response.json()) as SoftphoneAccount;
    }

    async function owner(user = 'anna'): Promise<SoftphoneAccount> {
      const response = await post('/v1/webrtc/sip-credentials', { user });
      assert.equal(response.status, 201);
      return (await response.json()) as SoftphoneAccount;
    }

    const start = (account: SoftphoneAccount) =>
      page.evaluate((given) => window.phone.start(given), account);
    const dial = (target = 'sip:agt_demo@localhost') =>
      page.evaluate((address) => window.phone.call(address), target);
    const state = () => page.evaluate(() => window.phone.state());
    const understood = (audio: Int16Array) => transcriber.whichOf(DECOYS, audio);
    const ended = () => page.waitForFunction(() => window.phone.state() === 'ended');

    it('SEED-60: with a token is greeted, understood and answered; and hangs up', async () => {
      await open(lineSilence(6000), callerSays('tell me a joke', 'slt'));
      const token = await mint();
      await start(await guest(token));
      assert.equal(await dial(), 'established');
      const { call_id: id } = await gateway.nextCall();
      const greeted = await quietAgain(page);
      assert.equal(understood(await heardByPage(page)), GREETING);
      await gateway.callWhen(id, 'answered', (_, turns) => turns.length === 3);
      await quietAgain(page, greeted);
      assert.equal(understood(await heardByPage(page, greeted)), JOKE);
      await page.evaluate(() => window.phone.hangUp());
      const call = await gateway.endOf(id);
      assert.equal(call.end_reason, 'caller-hung-up');
      assert.equal(call['door'], 'sip-websocket');
      assert.equal(call.media?.codec, 'opus');
      assert.equal(call.media.packets_malformed, 0);
      // Used up: the same name and password open nothing any more.
      assert.equal(await dial(), '403');
    });

    it('interrupts the agent, whose audio stops', async () => {
      await open(
        lineSilence(6000),
        callerSays('can I interrupt you', 'slt'),
        lineSilence(4500),
        callerSays('tell me a joke', 'slt'),
      );
      await start(await owner());
      assert.equal(await dial(), 'established');
      const { call_id: id } = await gateway.nextCall();
      const call = await gateway.callWhen(id, 'interrupted', (_, turns) => turns.length >= 4);
      const from = (await heardByPage(page)).length;
      const counted = call.transcript?.[2];
      assert.equal(counted?.is_interrupted, true);
      assert.equal(counted.generated_text, COUNT);
      await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 5);
      assert.equal(understood(await heardByPage(page, from)), JOKE);
    });

    it('presses keys, by RTP and by INFO', async () => {
      await open();
      await start(await owner());
      assert.equal(await dial(), 'established');
      const { call_id: id } = await gateway.nextCall();
      await quietAgain(page);
      await page.evaluate(() => window.phone.sendDigit('1', 'info'));
      await gateway.callWhen(id, 'heard 1', (_, turns) =>
        turns.some(({ role, via }) => role === 'user' && via === 'digits'),
      );
      const before = (await gateway.call(id)).transcript?.length ?? 0;
      await page.evaluate(() => window.phone.sendDigit('2', 'rtp'));
      await gateway.callWhen(id, 'heard 2', (_, turns) =>
        turns.slice(before).some(({ role, via }) => role === 'user' && via === 'digits'),
      );
    });

    it('holds and comes back to the same conversation', async () => {
      await open(lineSilence(16_000), callerSays('tell me a joke', 'slt'));
      await start(await owner());
      assert.equal(await dial(), 'established');
      const { call_id: id } = await gateway.nextCall();
      await quietAgain(page);
      assert.equal(await page.evaluate(() => window.phone.hold(true)), 'accepted');
      assert.equal(await page.evaluate(() => window.phone.hold(false)), 'accepted');
      const from = (await heardByPage(page)).length;
      await gateway.callWhen(id, 'answered', (_, turns) => turns.some(({ text }) => text === JOKE));
      await quietAgain(page, from);
      const heard = understood(await heardByPage(page, from));
      assert.ok(heard === JOKE || heard === null, `heard ${heard}`);
      assert.equal(await state(), 'established');
    });

    it('is told when the agent, or its operator, hangs up', async () => {
      await open();
      await start(await owner());
      assert.equal(await dial(), 'established');
      const { call_id: id } = await gateway.nextCall();
      await quietAgain(page);
      const response = await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
      assert.equal(response.status, 204);
      await ended();
      assert.equal((await gateway.endOf(id)).end_reason, 'operator-hung-up');
    });

    it('goes on while its WebSocket is lost and made anew, and then hangs up', async () => {
      await open(lineSilence(9000), callerSays('tell me a joke', 'slt'));
      await start(await owner());
      assert.equal(await page.evaluate(() => window.phone.register()), 'registered');
      assert.equal(await dial(), 'established');
      const { call_id: id } = await gateway.nextCall();
      await quietAgain(page);
      await page.evaluate(() => window.phone.reconnect());
      await gateway.callWhen(id, 'answered', (_, turns) => turns.some(({ text }) => text === JOKE));
      assert.equal(await state(), 'established');
      await page.evaluate(() => window.phone.hangUp());
      assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
    });

    it('comes from the gateway to a browser that registered, and to none that did not', async () => {
      await open(lineSilence(6000), callerSays('tell me a joke', 'slt'));
      await start(await owner('bertha'));
      const call = () => post('/v1/calls', { agent_id: 'agt_demo', to_number: 'sip:bertha' });
      assert.equal((await call()).status, 404);
      assert.equal(await page.evaluate(() => window.phone.register()), 'registered');

      const answered = page.evaluate(() => window.phone.answerNext());
      const response = await call();
      assert.equal(response.status, 201);
      const { call_id: id } = (await response.json()) as { call_id: string };
      await answered;
      await quietAgain(page);
      assert.equal(understood(await heardByPage(page)), GREETING);
      const live = await gateway.callWhen(id, 'answered', (_, turns) => turns.length === 3);
      assert.deepEqual([live['direction'], live['to_number']], ['outbound', 'sip:bertha']);
      assert.equal(live.transcript?.[2]?.text, JOKE);
      assert.equal((await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' })).status, 204);
      await ended();

      const refused = page.evaluate(() => window.phone.refuseNext());
      const busy = (await (await call()).json()) as { call_id: string };
      await refused;
      const end = await gateway.endOf(busy.call_id);
      assert.deepEqual([end.end_reason, end.sip_status], ['callee-busy', 486]);

      await page.evaluate(() => window.phone.unregister());
      assert.equal((await call()).status, 404);
    });

    it('reaches nobody without a right to it', async () => {
      await open();
      const account = await owner();
      await start({ ...account, password: 'wrong' });
      assert.equal(await dial(), '403');
      await page.reload();
      await openSoftphone(page, library, gateway.httpUrl);
      await start(account);
      assert.equal(await dial('sip:agt_other@localhost'), '404');
      await page.reload();
      await openSoftphone(page, library, gateway.httpUrl);
      await start(await guest(await mint()));
      assert.equal(await page.evaluate(() => window.phone.register()), '403');
    });

    it('counts as a call of the public when it came by a token, and gives its place back', async () => {
      await open();
      const live = await Promise.all(
        Array.from({ length: 10 }, () => callers.call('/v1/public/try/agt_demo/offer')),
      );
      await start(await guest(await mint()));
      assert.equal(await dial(), '486');
      live[0]?.client.sendMessage('{"type":"hang-up"}');
      await gateway.endOf(live[0]?.id ?? '');
      assert.equal(await dial(), 'established');
      assert.equal(
        (await callers.offer('/v1/public/try/agt_demo/offer')).status,
        503,
        'the eleventh over both doors',
      );
    });
  });
}
