import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { isTooWide, seriousFaults } from './axe.ts';
import {
  type BrowserOptions,
  findChromium,
  startBrowser,
  type TestBrowser,
  writeWav,
} from '../support/browser.ts';
import { Gateway } from '../support/gateway.ts';
import { callerSays, hasTestCaller, joined, lineSilence } from '../support/test-caller.ts';

const PHONE = { width: 390, height: 844 };
const TITLE = 'How was your visit?';
const INFO = 'We would like to hear from you.\n<b>Nothing</b> is recorded.';

describe('the page of an instant voice link', function () {
  this.timeout(150_000);
  let gateway: Gateway;
  let browser: TestBrowser | null = null;
  let page: Page;
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-link-'));
  const microphone = join(folder, 'microphone.wav');
  const faults: string[] = [];

  before(async function () {
    if (findChromium() === null || !hasTestCaller) this.skip();
    const speech = joined(lineSilence(4000), callerSays('good morning', 'slt'), lineSilence(3000));
    writeWav(microphone, speech, 8000);
    gateway = await Gateway.start();
  });
  after(async () => {
    await gateway?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    await browser?.close();
    browser = null;
    assert.deepEqual(faults.splice(0), [], 'the page threw, or broke its own content policy');
  });

  async function send(path: string, body: object): Promise<Record<string, unknown>> {
    const response = await gateway.api(`/v1/instant-voice-links${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200);
    return (await response.json()) as Record<string, unknown>;
  }

  async function link(
    options: object = {},
  ): Promise<{ readonly id: string; readonly token: string }> {
    const made = await send('', {
      labels: ['for Anna Secret'],
      expiryPreset: '1_day',
      prompt: 'The password is swordfish.',
      landingPageTitle: TITLE,
      landingPageInfo: INFO,
      ...options,
    });
    const [first] = made['links'] as { id: string; token: string }[];
    assert.ok(first !== undefined);
    return first;
  }

  async function open(token: string, options: BrowserOptions = {}): Promise<void> {
    browser ??= await startBrowser({ microphone, ...options });
    page = await browser.context.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) faults.push(message.text());
    });
    await page.goto(`${gateway.httpUrl}/v/${token}`);
  }

  it('SEED-97: shows title and words, calls, and says when the link has been used', async () => {
    const { id, token } = await link({ maxSessions: 1 });
    await open(token);
    await page.getByRole('heading', { name: TITLE }).waitFor();
    assert.equal(await page.locator('#info').textContent(), INFO);
    await page.getByText('up to 5 minutes').waitFor();
    await page.getByRole('button', { name: 'Start the call' }).click();
    const call = await gateway.nextCall();
    assert.equal(call['agent_id'], id);
    const { transcript = [] } = await gateway.callWhen(call.call_id, 'heard', (_, turns) =>
      turns.some(({ role }) => role === 'user'),
    );
    const heard = transcript.find(({ role }) => role === 'user')?.text ?? '';
    await page.getByText('of 5:00').waitFor();
    await page.getByText(`You: ${heard}`).waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Hang up' }).click();
    await page.getByRole('alert').getByText('This link has been used').waitFor();
    assert.equal((await gateway.endOf(call.call_id)).end_reason, 'caller-hung-up');
  });

  it('SEED-99: is ended by the gateway when its time is up, whoever is still talking', async function () {
    this.timeout(150_000);
    // Played over and over: somebody who never stops talking.
    const talking = join(folder, 'talking.wav');
    const said = [lineSilence(3000), callerSays('what time is it', 'slt'), lineSilence(4000)];
    writeWav(talking, joined(...said), 8000);
    const { token } = await link({ timeLimitMinutes: 1 });
    browser = await startBrowser({ microphone: talking });
    await open(token);
    await page.getByText('up to 1 minute.').waitFor();
    await page.getByRole('button', { name: 'Start the call' }).click();
    const call = await gateway.nextCall();
    await page.locator('.clock.is-short').waitFor({ timeout: 60_000 });
    await page.getByText('The time for this call was up.').waitFor({ timeout: 60_000 });
    const ended = await gateway.endOf(call.call_id);
    assert.equal(ended.end_reason, 'time-limit');
    // At the latest five seconds after; and some for a busy machine to write it down.
    assert.ok(Number(ended['duration_seconds']) < 68, String(ended['duration_seconds']));
  });

  it('SEED-98: says that a link is off, unknown, or cannot be asked for', async () => {
    const { id, token } = await link();
    await send(`/${id}/disable`, {});
    await open(token, { viewport: PHONE });
    await page.getByRole('alert').getByText('This link has been switched off').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Start the call' }).count(), 0);
    assert.deepEqual(await seriousFaults(page), []);
    await open('nothing');
    await page.getByRole('alert').getByText('does not lead anywhere').waitFor();
    assert.deepEqual(await seriousFaults(page), []);
    await page.route('**/v1/instant-voice-links/public/*', (route) => route.abort());
    await page.reload();
    await page.getByRole('alert').getByText('could not be loaded').waitFor();
    await page.unroute('**/v1/instant-voice-links/public/*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('alert').getByText('does not lead anywhere').waitFor();
  });

  it('says so when the link is turned off between reading and calling', async () => {
    const { id, token } = await link();
    await open(token);
    await page.getByRole('button', { name: 'Start the call' }).waitFor();
    await send(`/${id}/disable`, {});
    await page.getByRole('button', { name: 'Start the call' }).click();
    await page.getByRole('alert').getByText('This link').first().waitFor();
  });

  it('SEED-39: tells nothing of prompt, label and owner', async () => {
    const { token } = await link();
    const answers: string[] = [];
    browser = await startBrowser({ microphone });
    browser.context.on('response', (response) => {
      const isText = /json|html|sdp/.test(response.headers()['content-type'] ?? '');
      if (isText)
        void response.text().then(
          (text) => answers.push(text),
          () => {},
        );
    });
    await open(token);
    await page.getByRole('button', { name: 'Start the call' }).click();
    await page.locator('[data-state=speaking], [data-state=listening]').first().waitFor();
    await page.getByRole('button', { name: 'Hang up' }).click();
    await page.getByText('You hung up.').waitFor();
    assert.ok(answers.length >= 3);
    for (const text of answers) assert.doesNotMatch(text, /swordfish|Anna Secret|ws_|"ivl_/);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`can be used by keyboard alone and by assistive technology, ${colorScheme}`, async () => {
      const { token } = await link();
      await open(token, { colorScheme, viewport: PHONE });
      await page.getByRole('button', { name: 'Share this link' }).waitFor();
      assert.deepEqual(await seriousFaults(page), []);
      await page.keyboard.press('Tab');
      const focused = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
      assert.equal(focused, 'Start the call');
      await page.getByRole('button', { name: 'Share this link' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('img', { name: /QR code/ }).waitFor();
      const width = await page
        .getByRole('img', { name: /QR code/ })
        .evaluate((image) =>
          image instanceof HTMLImageElement && image.complete ? image.naturalWidth : 0,
        );
      assert.ok(width > 0, 'the code is a picture');
      assert.deepEqual(await seriousFaults(page), []);
      assert.equal(await isTooWide(page), false, 'it scrolls sideways');
      const address = await page.getByRole('textbox').inputValue();
      assert.equal(address, `${gateway.httpUrl}/v/${token}`);
    });
  }
});
