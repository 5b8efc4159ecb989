/** First wait before connecting again, and the longest; each is up to a fifth shorter or longer. */
export const BACK_OFF_FIRST_MS = 100;
export const BACK_OFF_MAX_MS = 5_000;
/** A connection that held this long starts the waits anew. */
export const STABLE_AFTER_MS = 10_000;

/**
 * Wait before the attempt after `failures` (1 or more) in a row. `random` is in [0, 1): many
 * daemons of one engine shall not come back in the same instant.
 */
export function backOffMs(failures: number, random: number): number {
  const exponent = Math.min(failures - 1, 16);
  const waitMs = Math.min(BACK_OFF_FIRST_MS * 1.8 ** exponent, BACK_OFF_MAX_MS);
  return Math.round(waitMs * (0.8 + 0.4 * random));
}
