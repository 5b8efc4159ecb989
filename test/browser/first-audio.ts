import type { Page } from 'playwright-core';
import { startBrowser } from '../support/browser.ts';
import { Gateway } from '../support/gateway.ts';
import { recordPage } from './page-recorder.ts';
import { openSoftphone, type SoftphoneLibrary } from './softphone-page.ts';
import type { SoftphoneAccount } from './softphones/softphone.ts';

type BrowserTransport = 'offer' | SoftphoneLibrary;

/**
 * `node --import ts-blank-space/register test/browser/first-audio.ts offer|sip-js|js-sip [CALLS]`:
 * how long a person waits in a real browser from asking for the call until something is heard, in
 * milliseconds: by one offer over HTTP, or by SIP over WebSocket with either library. The agent's
 * greeting has been rendered before.
 */
async function measureFirstAudio(
  transport: BrowserTransport,
  calls: number,
): Promise<readonly number[]> {
  const env = { TRUNKLINE_HTTP_TRUSTED_PROXIES: '127.0.0.1' };
  const gateway = await Gateway.start({ env });
  const browser = await startBrowser();
  try {
    const waits: number[] = [];
    for (let at = 0; at < calls; at += 1) {
      const page = await browser.context.newPage();
      await recordPage(page);
      if (transport === 'offer') await page.goto(`${gateway.httpUrl}/try/agt_demo`);
      else await signIn(page, transport, gateway);
      waits.push(await timeOne(page, transport));
      const { call_id: id } = await gateway.nextCall();
      await gateway.api(`/v1/calls/${id}`, { method: 'DELETE' });
      await page.close();
    }
    return waits;
  } finally {
    await browser.close();
    await gateway.stop();
  }
}

async function signIn(page: Page, library: SoftphoneLibrary, gateway: Gateway): Promise<void> {
  const response = await gateway.api('/v1/webrtc/sip-credentials', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"user":"bench"}',
  });
  const account = (await response.json()) as SoftphoneAccount;
  await openSoftphone(page, library, gateway.httpUrl);
  await page.evaluate((given) => window.phone.start(given), account);
}

function timeOne(page: Page, transport: BrowserTransport): Promise<number> {
  return page.evaluate(async (how) => {
    const { heard } = window as unknown as { heard: Float32Array[] };
    const askedAtMs = performance.now();
    if (how === 'offer') document.querySelector<HTMLElement>('.call-button')?.click();
    else void window.phone.call('sip:agt_demo@localhost');
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const isHeard = heard.some((block) => block.some((sample) => Math.abs(sample) > 0.02));
      if (isHeard) return performance.now() - askedAtMs;
    }
  }, transport);
}

const [transport = 'offer', calls = '5'] = process.argv.slice(2);
if (transport !== 'offer' && transport !== 'sip-js' && transport !== 'js-sip') {
  throw new TypeError(`no such transport: ${transport}`);
}
process.stdout.write(JSON.stringify(await measureFirstAudio(transport, Number(calls))));
