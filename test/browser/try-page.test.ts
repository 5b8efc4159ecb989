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
import { type TryCall, TryServer } from '../support/try-server.ts';

const MICROPHONE_HZ = 700;
const AGENT_HZ = 1200;

function tone(hz: number, ms: number, sampleRateHz: number): Int16Array {
  return Int16Array.from({ length: (sampleRateHz * ms) / 1000 }, (_, index) =>
    Math.round(9000 * Math.sin((2 * Math.PI * hz * index) / sampleRateHz)),
  );
}

/** Frequency of the strongest of some candidates (Goertzel). */
function strongest(
  samples: readonly number[],
  sampleRateHz: number,
  candidates: readonly number[],
) {
  const power = (hz: number) => {
    const coefficient = 2 * Math.cos((2 * Math.PI * hz) / sampleRateHz);
    let [a, b] = [0, 0];
    for (const sample of samples) [a, b] = [sample + coefficient * a - b, a];
    return a * a + b * b - coefficient * a * b;
  };
  return candidates.toSorted((x, y) => power(y) - power(x))[0];
}

/** Lets the test look at the page's own peer connection. */
function keepPeers(): void {
  const Native = window.RTCPeerConnection;
  const peers: RTCPeerConnection[] = [];
  Object.assign(window, { peers });
  window.RTCPeerConnection = class extends Native {
    constructor(options?: RTCConfiguration) {
      super(options);
      peers.push(this);
    }
  };
}

/** Loudest frequency of what the page receives, once anything is heard. */
async function heardHz(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const { peers } = window as unknown as { peers: RTCPeerConnection[] };
    const track = peers.at(-1)!.getReceivers()[0]!.track;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 4096;
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const bins = new Float32Array(analyser.frequencyBinCount);
    for (;;) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      analyser.getFloatFrequencyData(bins);
      const loudest = bins.indexOf(Math.max(...bins));
      if (bins[loudest]! > -40) return (loudest * context.sampleRate) / analyser.fftSize;
    }
  });
}

describe('the try page', function () {
  this.timeout(30_000);
  let server: TryServer;
  let browser: TestBrowser | null = null;
  let page: Page;
  const faults: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-try-'));
  const microphone = join(folder, 'microphone.wav');

  before(async function () {
    if (findChromium() === null) this.skip();
    writeWav(microphone, tone(MICROPHONE_HZ, 2000, 48000), 48000);
    server = await TryServer.start();
  });

  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  afterEach(async () => {
    await browser?.close();
    browser = null;
    assert.deepEqual(faults.splice(0), [], 'the page threw, or broke its own content policy');
  });

  async function open(agent: string, options: BrowserOptions = {}): Promise<void> {
    browser = await startBrowser({ microphone, ...options });
    page = await browser.context.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) faults.push(message.text());
    });
    await page.addInitScript(keepPeers);
    await page.goto(`${server.url}/try/${agent}`);
  }

  async function startCall(): Promise<TryCall> {
    server.expectCall();
    await page.getByRole('button', { name: 'Start the call' }).click();
    const call = await server.nextCall;
    await page.locator('[data-state=listening]').waitFor();
    return call;
  }

  function tell(call: TryCall, event: unknown): void {
    assert.ok(call.leg.sendMessage(JSON.stringify(event)));
  }

  function waitFor(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (!isTrue()) return;
        clearInterval(timer);
        resolve();
      }, 20);
    });
  }

  function say(call: TryCall, ms: number): void {
    call.leg.sink.write({ samples: tone(AGENT_HZ, ms, 24000), sampleRateHz: 24000 });
    call.leg.sink.flush();
  }

  it('carries sound both ways', async () => {
    await open('agt_demo');
    const call = await startCall();
    await waitFor(() => call.levels.filter((level) => level > 500).length > 25);
    const candidates = [300, 500, MICROPHONE_HZ, 1000, AGENT_HZ];
    assert.equal(strongest(call.samples.slice(-8000), 16000, candidates), MICROPHONE_HZ);
    say(call, 3000);
    const hz = await heardHz(page);
    assert.ok(Math.abs(hz - AGENT_HZ) < 30, `heard ${hz} Hz`);
    assert.equal(call.leg.report().packetsMalformed, 0);
  });

  it('sends key presses, and silence while muted', async () => {
    await open('agt_demo');
    const call = await startCall();
    await page.getByRole('button', { name: 'Keypad' }).click();
    await page.getByRole('button', { name: '4 GHI' }).click();
    await page.keyboard.press('2');
    await page.getByRole('button', { name: 'pound' }).click();
    await waitFor(() => call.digits.length === 3);
    assert.deepEqual(call.digits, ['4', '2', '#']);
    await page.getByRole('button', { name: 'Mute' }).click();
    await waitFor(() => call.levels.slice(-20).every((level) => level < 50));
    await page.getByRole('button', { name: 'Unmute' }).click();
    await waitFor(() => (call.levels.at(-1) ?? 0) > 500);
  });

  it('shows what both sides say and do, and why the call ended', async () => {
    await open('agt_demo');
    const call = await startCall();
    tell(call, { type: 'activity', activity: 'thinking' });
    await page.locator('[data-state=thinking]').waitFor();
    const caption = { type: 'caption', turn_id: 'trn_1', role: 'agent' };
    tell(call, { ...caption, text: 'Good', is_final: false });
    tell(call, { ...caption, text: 'Good morning <b>you</b>', is_final: true });
    tell(call, { type: 'later-version', what: 'unknown' });
    await page.getByText('Agent: Good morning <b>you</b>').waitFor({ state: 'attached' });
    assert.equal(await page.locator('.caption').count(), 1);
    tell(call, { type: 'ended', reason: 'time-limit' });
    await page.getByText('The time for this call was up.').waitFor();
    await page.getByRole('button', { name: 'Call again' }).waitFor();
  });

  it('tells the gateway when the person hangs up, or leaves', async () => {
    await open('agt_demo');
    const first = await startCall();
    await page.getByRole('button', { name: 'Hang up' }).click();
    await page.getByText('You hung up.').waitFor();
    await waitFor(() => first.messages.length === 1);
    assert.deepEqual(first.messages, ['{"type":"hang-up"}']);
    await page.reload();
    const second = await startCall();
    await page.close();
    await waitFor(() => second.endedBy !== null || second.messages.length > 0);
  });

  it('goes on with the same call after the network has changed', async () => {
    await open('agt_demo');
    const call = await startCall();
    await page.evaluate(() => {
      const { peers } = window as unknown as { peers: RTCPeerConnection[] };
      const [peer] = peers;
      Object.defineProperty(peer, 'connectionState', { value: 'failed' });
      peer!.dispatchEvent(new Event('connectionstatechange'));
    });
    await waitFor(() => call.connectedAtMs.length === 2);
    await page.locator('[data-state=listening]').waitFor();
    say(call, 3000);
    assert.ok(Math.abs((await heardHz(page)) - AGENT_HZ) < 30);
    assert.equal(server.calls.at(-1), call, 'it is not a new call');
  });

  const FAILURES: readonly (readonly [string, string, BrowserOptions, string])[] = [
    ['the link is off', 'agt_off', {}, 'This link is not active'],
    ['all lines are taken', 'agt_busy', {}, 'You can try again in 30 seconds.'],
    ['there were too many calls', 'agt_limited', {}, 'You can try again in 60 seconds.'],
    ['the gateway has failed', 'agt_broken', {}, 'The call could not be set up'],
    ['the microphone is refused', 'agt_demo', { access: 'refused' }, 'The microphone is blocked'],
    ['there is no microphone', 'agt_demo', { access: 'none' }, 'No microphone found'],
  ];
  for (const [what, agent, options, words] of FAILURES) {
    it(`says what to do when ${what}`, async () => {
      await open(agent, options);
      await page.getByRole('button', { name: 'Start the call' }).click();
      await page.getByRole('alert').getByText(words).waitFor();
      assert.deepEqual(await seriousFaults(page), []);
    });
  }

  it('says that plain HTTP will not do', async () => {
    await open('agt_demo');
    await page.goto(`${server.url.replace('127.0.0.1', 'gateway.test')}/try/agt_demo`);
    await page.getByRole('button', { name: 'Start the call' }).click();
    await page.getByRole('alert').getByText('This page needs a secure address').waitFor();
  });

  it('says that the network is down', async () => {
    await open('agt_demo');
    await page.context().setOffline(true);
    await page.getByRole('button', { name: 'Start the call' }).click();
    await page.getByRole('alert').getByText('No connection').waitFor();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has no serious fault for assistive technology, ${colorScheme}`, async () => {
      await open('agt_demo', { colorScheme, viewport: { width: 390, height: 844 } });
      const check = async (state: string): Promise<void> => {
        await page.locator(`[data-state=${state}]`).waitFor();
        assert.deepEqual(await seriousFaults(page), [], state);
        assert.equal(await isTooWide(page), false, `${state} scrolls sideways`);
      };
      await check('idle');
      await page.getByRole('button', { name: 'Check your microphone' }).click();
      await page.getByText('Your microphone works.').waitFor();
      await check('checking');
      const call = await startCall();
      tell(call, { type: 'caption', turn_id: '1', role: 'user', text: 'Hello?', is_final: false });
      await page.locator('.caption').waitFor();
      await check('listening');
      tell(call, { type: 'activity', activity: 'speaking' });
      await page.getByRole('button', { name: 'Keypad' }).click();
      await check('speaking');
      tell(call, { type: 'ended', reason: 'agent-hung-up' });
      await check('ended');
    });
  }

  it('opens from a button in a page of somebody else', async () => {
    await open('agt_demo');
    await page.goto(`${server.url}/host`);
    await page.getByRole('button', { name: 'Talk to us' }).click();
    const frame = page.frameLocator('trunkline-call iframe');
    server.expectCall();
    await frame.getByRole('button', { name: 'Start the call' }).click();
    const call = await server.nextCall;
    await frame.locator('[data-state=listening]').waitFor();
    await page.getByRole('button', { name: 'Close and hang up' }).click();
    await waitFor(() => call.endedBy !== null || call.messages.length > 0);
    assert.deepEqual(await seriousFaults(page), []);
  });
});
