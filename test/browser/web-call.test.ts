import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { findChromium, startBrowser, type TestBrowser, writeWav } from '../support/browser.ts';
import { freeTcpPort } from '../support/free-port.ts';
import { Gateway } from '../support/gateway.ts';
import { heardByPage, quietAgain, recordPage } from './page-recorder.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../support/test-caller.ts';
import { Transcriber } from '../support/transcriber.ts';

const GREETING = 'Hello there, how can I help?';
const HEADS = 'Clink. It is heads!';
const COUNT =
  'Please do, at any moment! I will count slowly: one, two, three, four, five, six, seven, eight, nine, ten.';
const JOKE = 'Why was the telephone always so calm? It was used to being put on hold. Another one?';
const DECOYS = [
  GREETING,
  HEADS,
  JOKE,
  COUNT,
  'Clink. Tails this time!',
  'Why did the phone wear glasses? It had lost all its contacts. Another?',
  'Trunkline is an open telephony gateway for voice agents.',
  'The caller said nothing at all.',
];

describe('a call from the try page to the daemon', function () {
  this.timeout(180_000);
  let gateway: Gateway;
  let transcriber: Transcriber;
  let browser: TestBrowser | null = null;
  let page: Page;
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-web-call-'));
  const faults: string[] = [];

  before(async function () {
    if (findChromium() === null || !hasTestCaller) this.skip();
    [gateway, transcriber] = await Promise.all([Gateway.start(), Transcriber.load()]);
    // On a machine that is quick today the caller would be asked whether they are there.
    await gateway.changeAgent({ greeting_text: GREETING, idle_after_ms: 60_000 });
  });
  after(async () => {
    await gateway?.stop();
    transcriber?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await browser?.close();
    browser = null;
    assert.deepEqual(faults.splice(0), [], 'the page threw, or broke its own content policy');
  });

  /** Opens the page and calls; the microphone plays `speech` from then on. */
  async function call(...speech: readonly Int16Array[]): Promise<string> {
    return callAt('/try/agt_demo', ...speech);
  }

  async function callAt(path: string, ...speech: readonly Int16Array[]): Promise<string> {
    const microphone = join(folder, 'microphone.wav');
    writeWav(microphone, joined(...speech, lineSilence(30_000)), 8000);
    browser = await startBrowser({ microphone });
    page = await browser.context.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) faults.push(message.text());
    });
    await recordPage(page);
    await page.goto(`${gateway.httpUrl}${path}`);
    await page.getByRole('button', { name: 'Start the call' }).click();
    return (await gateway.nextCall()).call_id;
  }

  const understood = (audio: Int16Array) => transcriber.whichOf(DECOYS, audio);
  const captions = () => page.locator('.caption-text').allTextContents();

  it('is greeted, understood and answered, with captions of both sides', async () => {
    const id = await call(lineSilence(9000), callerSays('flip a coin', 'slt'));
    const greeted = await quietAgain(page);
    assert.equal(understood(await heardByPage(page)), GREETING);
    await page.getByText(HEADS).last().waitFor({ state: 'attached' });
    await quietAgain(page, greeted);
    assert.equal(understood(await heardByPage(page, greeted)), HEADS);
    await gateway.callWhen(id, 'answered', (_, turns) => turns.length === 3);
    assert.deepEqual(await captions(), [GREETING, 'flip a coin', HEADS]);

    await page.getByRole('button', { name: 'Hang up' }).click();
    await page.getByText('You hung up.').waitFor();
    const ended = await gateway.endOf(id);
    assert.equal(ended.end_reason, 'caller-hung-up');
    assert.equal(ended.status, 'completed');
    assert.equal(ended['door'], 'web-offer');
    assert.deepEqual(
      ended.transcript?.map(({ role, text }) => [role, text]),
      [
        ['agent', GREETING],
        ['user', 'flip a coin'],
        ['agent', HEADS],
      ],
    );
    assert.equal(ended.media?.codec, 'opus');
    assert.equal(ended.media.packets_malformed, 0);
    assert.equal(gateway.endLines(id).length, 1);
  });

  it('interrupts the agent, and sees what was heard of it', async () => {
    const id = await call(
      lineSilence(9000),
      callerSays('can I interrupt you', 'slt'),
      lineSilence(4500),
      callerSays('tell me a joke', 'slt'),
    );
    const before = await gateway.callWhen(id, 'interrupted', (_, turns) => turns.length >= 4);
    const interruptedAt = (await heardByPage(page)).length;
    const counted = before.transcript?.[2];
    assert.equal(counted?.is_interrupted, true);
    assert.equal(counted.generated_text, COUNT);
    assert.ok(counted.text.length < COUNT.length && COUNT.startsWith(counted.text.slice(0, 20)));
    await gateway.callWhen(id, 'answered', (_, turns) => turns.length >= 5);
    assert.equal(understood(await heardByPage(page, interruptedAt)), JOKE);
    assert.deepEqual(await captions(), [
      GREETING,
      'can i interrupt you',
      counted.text,
      'tell me a joke',
      JOKE,
    ]);
  });

  it('of an agent that is not shared is its owner’s, by a token that is good once', async () => {
    const send = (path: string, method: string, body: object) =>
      gateway.api(path, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    await send('/v1/agents/agt_demo/shareable', 'PATCH', { shareable: false });
    const made = await send('/v1/webrtc/token', 'POST', { agent_id: 'agt_demo' });
    const { token } = (await made.json()) as { token: string };
    const id = await callAt(`/try/agt_demo#token=${token}`);
    await quietAgain(page);
    assert.equal(understood(await heardByPage(page)), GREETING);
    assert.equal(new URL(page.url()).hash, '', 'the token does not stay in the address');
    await page.getByRole('button', { name: 'Hang up' }).click();
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
    const before = (await gateway.calls()).length;
    await page.goto('about:blank');
    await page.goto(`${gateway.httpUrl}/try/agt_demo#token=${token}`);
    await page.getByRole('button', { name: 'Start the call' }).click();
    await page.getByRole('alert').waitFor();
    assert.equal((await gateway.calls()).length, before, 'no call began');
    await send('/v1/agents/agt_demo/shareable', 'PATCH', { shareable: true });
  });

  it('is told when its operator hangs up', async () => {
    const id = await call(lineSilence(1000));
    await quietAgain(page);
    const response = await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
    assert.equal(response.status, 204);
    await page.getByText('The call was ended by its operator.').waitFor();
    assert.equal((await gateway.endOf(id)).end_reason, 'operator-hung-up');
  });

  it('SEED-14: goes on when the link is turned off, and SEED-15: no other begins', async () => {
    const id = await call(lineSilence(12_000), callerSays('flip a coin', 'slt'));
    const share = async (shareable: boolean) => {
      const response = await gateway.api('/v1/agents/agt_demo/shareable', {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ shareable }),
      });
      assert.equal(response.status, 200);
    };
    await share(false);
    try {
      await gateway.callWhen(id, 'answered', (_, turns) =>
        turns.some(({ text }) => text === HEADS),
      );
      await page.getByRole('button', { name: 'Hang up' }).click();
      await page.getByText('You hung up.').waitFor();
      await page.getByRole('button', { name: 'Call again' }).click();
      await page.getByRole('alert').getByText('This link is not active').waitFor();
    } finally {
      await share(true);
    }
  });

  it('ends when the agent hangs up, and the page says so', async () => {
    const id = await call(lineSilence(6000), callerSays('goodbye', 'slt'));
    await page.getByText('The agent hung up.').waitFor({ timeout: 60_000 });
    assert.equal((await gateway.endOf(id)).end_reason, 'agent-hung-up');
  });

  it('ends when the page is closed', async () => {
    const id = await call(lineSilence(1000));
    await quietAgain(page);
    await page.close();
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
  });

  it('goes on with the same call after its network has changed', async () => {
    const id = await call(lineSilence(12_000), callerSays('flip a coin', 'slt'));
    const greeted = await quietAgain(page);
    await page.evaluate(() => {
      const { peers } = window as unknown as { peers: RTCPeerConnection[] };
      const [peer] = peers;
      Object.defineProperty(peer, 'connectionState', { value: 'failed' });
      peer!.dispatchEvent(new Event('connectionstatechange'));
    });
    await gateway.callWhen(id, 'answered', (_, turns) => turns.length === 3);
    await quietAgain(page, greeted);
    assert.equal(understood(await heardByPage(page, greeted)), HEADS);
    assert.equal((await captions()).at(-1), HEADS);
    assert.equal((await gateway.call(id)).end_reason, null);
    await page.getByRole('button', { name: 'Hang up' }).click();
    assert.equal((await gateway.endOf(id)).end_reason, 'caller-hung-up');
  });
});

describe('a call from the try page when the daemon is restarted', function () {
  this.timeout(120_000);

  it('ends with a word, and the page calls the next daemon', async function () {
    if (findChromium() === null) this.skip();
    const folder = mkdtempSync(join(tmpdir(), 'trunkline-restart-'));
    const env = { TRUNKLINE_HTTP_PORT: String(await freeTcpPort()) };
    const start = () => Gateway.start({ env, dataDir: folder });
    let gateway = await start();
    const browser = await startBrowser();
    try {
      const page = await browser.context.newPage();
      await page.goto(`${gateway.httpUrl}/try/agt_demo`);
      await page.getByRole('button', { name: 'Start the call' }).click();
      await page.locator('[data-state=speaking]').waitFor();
      await gateway.stop();
      await page.getByText('The service is being restarted.').waitFor();
      await page.getByRole('button', { name: 'Call again' }).click();
      await page.getByRole('alert').getByText('No connection').waitFor();
      gateway = await start();
      await page.getByRole('button', { name: 'Start the call' }).click();
      await page.locator('[data-state=speaking]').waitFor();
      const reasons = (await gateway.calls()).map(({ end_reason: reason }) => reason);
      assert.deepEqual(reasons, [null, 'stopped-by-operator']);
    } finally {
      await browser.close();
      await gateway.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
