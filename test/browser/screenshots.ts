import { once } from 'node:events';
import { createServer } from 'node:http';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { startBrowser, writeWav } from '../support/browser.ts';
import { Gateway } from '../support/gateway.ts';
import { callerSays, joined, lineSilence } from '../support/test-caller.ts';

/**
 * Pictures of every page in every state, on a phone and on a desk, light and dark, for people to
 * look at: `node --import ts-blank-space/register test/browser/screenshots.ts FOLDER`
 */
const folder = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'trunkline-screenshots-'));
mkdirSync(folder, { recursive: true });

const SIZES = {
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  'phone-dark': { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  narrow: { viewport: { width: 320, height: 640 }, colorScheme: 'light' },
  desk: { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  'desk-dark': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
} as const;

const microphone = join(folder, 'microphone.wav');
const speech = [lineSilence(5500), callerSays('flip a coin', 'slt'), lineSilence(12_000)];
writeWav(microphone, joined(...speech), 8000);
const gateway = await Gateway.start({ env: { TRUNKLINE_HTTP_TRUSTED_PROXIES: '127.0.0.1' } });

async function links(): Promise<Record<string, string>> {
  const made: Record<string, string> = {};
  for (const label of ['active', 'disabled', 'used', 'long']) {
    const response = await gateway.api('/v1/instant-voice-links', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        labels: [label],
        expiryPreset: '1_day',
        prompt: 'Ask how the visit was.',
        landingPageTitle:
          label === 'long'
            ? 'A conversation about your experience at our clinic last week'
            : 'How was your visit?',
        landingPageInfo:
          label === 'long'
            ? 'Thank you for coming.\n\nThis takes about five minutes:\n• how you were received\n• how long you waited\n• what we could do better\n\nYour answers are read by our staff only.'
            : 'We would like to hear from you. It takes five minutes.',
      }),
    });
    const body = (await response.json()) as { links: { id: string; token: string }[] };
    const [link] = body.links;
    made[label] = link?.token ?? '';
    if (label === 'disabled') {
      await gateway.api(`/v1/instant-voice-links/${link?.id}/disable`, { method: 'POST' });
    }
  }
  return made;
}

async function pictures(name: string, page: Page, tokens: Record<string, string>): Promise<void> {
  const shoot = async (state: string, { isWhole = false } = {}) => {
    await page.waitForTimeout(350);
    await page.screenshot({ path: join(folder, `${name}-${state}.png`), fullPage: isWhole });
  };
  const press = (label: string) => page.getByRole('button', { name: label }).click();

  await page.goto(`${gateway.httpUrl}/try/agt_demo`);
  await shoot('try-1-idle');
  await press('Share this link');
  await page.getByRole('img', { name: /QR/ }).waitFor();
  await shoot('try-2-share', { isWhole: true });
  await press('Share this link');
  await press('Check your microphone');
  await page.getByText('Your microphone works.').waitFor();
  await shoot('try-3-checked');
  await page.route('**/offer', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await route.continue();
  });
  await press('Start the call');
  await shoot('try-4-connecting');
  await page.locator('[data-state=speaking]').waitFor();
  await shoot('try-5-speaking');
  await page.locator('[data-state=listening]').waitFor();
  await shoot('try-6-listening');
  await page.locator('.caption').nth(2).waitFor();
  await press('Mute');
  await shoot('try-7-captions-muted');
  await press('Keypad');
  await page.keyboard.press('4');
  await shoot('try-8-keypad');
  await press('Hang up');
  await page.getByText('You hung up.').waitFor();
  await shoot('try-9-ended');
  await page.unroute('**/offer');
  const refusals = { 'link-off': 404, busy: 503, failed: 500 };
  for (const [what, status] of Object.entries(refusals)) {
    const headers = status === 503 ? { 'retry-after': '30' } : undefined;
    await page.route('**/offer', (route) => route.fulfill({ status, headers, body: '{}' }));
    await page.goto(`${gateway.httpUrl}/try/agt_demo`);
    await press('Start the call');
    await page.getByRole('alert').getByRole('heading').waitFor();
    await shoot(`try-${what}`);
    await page.unroute('**/offer');
  }

  await page.goto(host.url);
  await shoot('embed-1-closed');
  await press('Talk to us');
  const frame = page.frameLocator('trunkline-call iframe');
  await frame.getByRole('button', { name: 'Start the call' }).waitFor();
  await shoot('embed-2-open');
  await frame.getByRole('button', { name: 'Start the call' }).click();
  await frame.locator('[data-state=speaking]').waitFor();
  await shoot('embed-3-speaking');
  await press('Close and hang up');

  for (const [label, token] of Object.entries({ ...tokens, unknown: 'nothing' })) {
    if (label === 'used') {
      await page.route('**/public/*', async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, json: { ...(await response.json()), status: 'expired' } });
      });
    }
    await page.goto(`${gateway.httpUrl}/v/${token}`);
    await page.locator('[data-link]').waitFor();
    await shoot(`link-${label === 'used' ? 'expired' : label}`, { isWhole: true });
    await page.unroute('**/public/*');
  }
}

/** A page of somebody else that has the button. */
async function hostPage(): Promise<{ readonly url: string; close(): void }> {
  const script = `<script src="${gateway.httpUrl}/embed.js" data-agent="agt_demo"></script>`;
  const text =
    '<p>A shop, with things to buy and a button for those who have a question.</p>'.repeat(30);
  const html = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">
    <title>A shop</title><body style="font-family: sans-serif">${text}${script}</body></html>`;
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(html);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://localhost:${port}/`, close: () => server.close() };
}

const host = await hostPage();
try {
  const tokens = await links();
  for (const [name, size] of Object.entries(SIZES)) {
    const browser = await startBrowser({ microphone, ...size });
    const page = await browser.context.newPage();
    await page.setExtraHTTPHeaders({ 'x-forwarded-for': `192.0.2.${name.length}` });
    await pictures(name, page, tokens);
    await browser.close();
  }
  process.stdout.write(`${folder}\n`);
} finally {
  host.close();
  await gateway.stop();
}
