import { setTimeout as wait } from 'node:timers/promises';
import { GatewayError } from '../lib/gateway-error.ts';

/** Before each further try: eight seconds in all, which a stopping daemon can wait for. */
const WAITS_MS: readonly number[] = [250, 500, 1000, 2000, 4000];

/**
 * Writes how a call ended. That row is what is billed, so a failure that may pass (a full disk, a
 * database held by somebody else) is tried again. Rejects with the last failure: the next start
 * then closes the call as one of a dead daemon.
 *
 * @param onRetry told of each failure that is tried again
 */
export async function writeEnding(
  write: () => Promise<unknown>,
  onRetry: (error: unknown) => void,
): Promise<void> {
  for (const waitMs of WAITS_MS) {
    try {
      await write();
      return;
    } catch (error) {
      if (!(error instanceof GatewayError) || !error.retryable) throw error;
      onRetry(error);
    }
    await wait(waitMs);
  }
  await write();
}
