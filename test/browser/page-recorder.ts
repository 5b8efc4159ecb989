import type { Page } from 'playwright-core';

const SAMPLE_RATE_HZ = 8000;

interface RecorderWindow {
  readonly heard: Float32Array[];
  readonly peers: RTCPeerConnection[];
}

/**
 * Keeps what the latest peer connection of a page receives, at 8 kHz, before anything plays it. To be
 * called before the page is opened.
 */
export async function recordPage(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const heard: Float32Array[] = [];
    const peers: RTCPeerConnection[] = [];
    Object.assign(window, { heard, peers });
    let context: AudioContext | null = null;
    const Native = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Native {
      constructor(options?: RTCConfiguration) {
        super(options);
        peers.push(this);
        this.addEventListener('track', ({ track }) => {
          // A call that goes on over another connection is one recording.
          void context?.close();
          context = new AudioContext({ sampleRate: 8000 });
          // Worklets are loaded by address, which the page's policy rightly forbids.
          const tap = context.createScriptProcessor(1024, 1, 1);
          tap.onaudioprocess = ({ inputBuffer }) =>
            void heard.push(inputBuffer.getChannelData(0).slice());
          context.createMediaStreamSource(new MediaStream([track])).connect(tap);
          tap.connect(context.destination);
        });
      }
    };
  });
}

/** What was heard from sample `from` on, as 16-bit PCM at 8 kHz. */
export async function heardByPage(page: Page, from = 0): Promise<Int16Array> {
  const samples = await page.evaluate((first) => {
    const { heard } = window as unknown as RecorderWindow;
    return heard.flatMap((block) => [...block]).slice(first);
  }, from);
  return Int16Array.from(samples, (sample) => Math.max(-1, Math.min(1, sample)) * 32_767);
}

/** Waits until there was sound after sample `from` and then a pause; gives the sample it ended at. */
export function quietAgain(page: Page, from = 0): Promise<number> {
  return page.evaluate(
    async ({ first, pause }) => {
      const { heard } = window as unknown as RecorderWindow;
      const isLoud = (block: Float32Array) => block.some((sample) => Math.abs(sample) > 0.02);
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const blocks = heard.slice(Math.ceil(first / 1024));
        const last = blocks.findLastIndex(isLoud);
        if (last >= 0 && (blocks.length - last) * 1024 > pause) return heard.length * 1024;
      }
    },
    { first: from, pause: SAMPLE_RATE_HZ },
  );
}
