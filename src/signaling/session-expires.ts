import type { SrfRequest } from './drachtio.ts';
import { optionTags } from './sip-headers.ts';

/** RFC 4028 §5: no session interval is shorter. */
export const MIN_SESSION_SECONDS = 90;

/** Such an INVITE gets 422 (RFC 4028 §9). drachtio-server takes it, and waits longer than asked. */
export function isSessionTooShort(req: SrfRequest): boolean {
  const seconds = askedSeconds(req);
  const isShort = seconds !== null && seconds < MIN_SESSION_SECONDS;
  return isShort && optionTags(req, 'supported').includes('timer');
}

/**
 * What a 200 to an UPDATE says of the session that it has refreshed: who does so the next time,
 * and how often. drachtio-server follows it and leaves the header to us.
 */
export function refreshedSession(req: SrfRequest): Record<string, string> {
  const seconds = askedSeconds(req);
  if (seconds === null || !optionTags(req, 'supported').includes('timer')) return {};
  const header = req.get('session-expires') ?? '';
  const refresher = /;\s*refresher\s*=\s*uas/i.test(header) ? 'uas' : 'uac';
  const interval = Math.max(seconds, MIN_SESSION_SECONDS);
  return { 'Session-Expires': `${interval};refresher=${refresher}` };
}

function askedSeconds(req: SrfRequest): number | null {
  const found = /^\s*([0-9]{1,6})/.exec(req.get('session-expires') ?? '')?.[1];
  return found === undefined ? null : Number(found);
}
