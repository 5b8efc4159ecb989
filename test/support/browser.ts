import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';

const EXECUTABLES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Path of an installed Chromium, null when there is none: tests then report themselves skipped. */
export function findChromium(): string | null {
  return EXECUTABLES.find((path) => existsSync(path)) ?? null;
}

export interface BrowserOptions {
  /** WAV file that the fake microphone plays in a loop. */
  readonly microphone?: string;
  /** `none`: no device at all; `refused`: the person says no. */
  readonly access?: 'granted' | 'refused' | 'none';
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: 'light' | 'dark';
}

export interface TestBrowser {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** A fresh Chromium with a profile of its own. */
export async function startBrowser(options: BrowserOptions = {}): Promise<TestBrowser> {
  const executablePath = findChromium();
  if (executablePath === null) throw new Error('no Chromium is installed');
  const profile = mkdtempSync(join(tmpdir(), 'trunkline-browser-'));
  const access = options.access ?? 'granted';
  const args = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // A name that is not the machine itself, so that plain HTTP is not a secure context.
    '--host-resolver-rules=MAP gateway.test 127.0.0.1',
  ];
  if (access !== 'none') args.push('--use-fake-device-for-media-stream');
  if (access !== 'refused') args.push('--use-fake-ui-for-media-stream');
  if (access === 'refused') args.push('--deny-permission-prompts');
  if (options.microphone !== undefined) {
    args.push(`--use-file-for-fake-audio-capture=${options.microphone}`);
  }
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args,
    viewport: options.viewport ?? { width: 1280, height: 800 },
    colorScheme: options.colorScheme ?? 'light',
  });
  return {
    context,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Writes mono 16-bit PCM as a WAV file. */
export function writeWav(path: string, samples: Int16Array, sampleRateHz: number): void {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(sampleRateHz, 24);
  head.writeUInt32LE(sampleRateHz * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.byteLength, 40);
  writeFileSync(path, Buffer.concat([head, Buffer.from(samples.buffer)]));
}
