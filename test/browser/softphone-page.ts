import { build } from 'esbuild';
import type { Page } from 'playwright-core';

export type SoftphoneLibrary = 'sip-js' | 'js-sip';

const bundles = new Map<SoftphoneLibrary, Promise<string>>();

/** The library with our few lines around it, as one script for the page. */
function bundleOf(library: SoftphoneLibrary): Promise<string> {
  const known = bundles.get(library);
  if (known !== undefined) return known;
  const entry = new URL(`softphones/${library}.ts`, import.meta.url).pathname;
  const made = build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    define: { global: 'globalThis' },
    logLevel: 'error',
  }).then(({ outputFiles }) => outputFiles[0]?.text ?? '');
  bundles.set(library, made);
  return made;
}

/** Puts the softphone into a page of the gateway's own origin, under that page's strict policy. */
export async function openSoftphone(
  page: Page,
  library: SoftphoneLibrary,
  origin: string,
): Promise<void> {
  const script = await bundleOf(library);
  await page.goto(`${origin}/try/agt_demo`);
  // Through the debugger, as the policy rightly forbids any other script.
  await page.evaluate(script);
}
