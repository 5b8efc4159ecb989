/** How whom to call is written, as a pattern without its ends. */
export const BROWSER_ADDRESS = 'sip:[a-z0-9_-]{1,32}';

const WHOLE = new RegExp(`^${BROWSER_ADDRESS}$`);

/** Of somebody at a browser, not at a telephone, the name: `sip:anna`; null: it is a number. */
export function browserUserOf(address: string): string | null {
  return WHOLE.test(address) ? address.slice('sip:'.length) : null;
}
