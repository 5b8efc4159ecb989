import type { SrfMessage } from '../drachtio.ts';

/** The part of NOTIFY that tells how a referred call is doing (RFC 3420, RFC 3515 §2.4.5). */
export function sipfragStatus(notify: SrfMessage): number | null {
  const type = notify.get('content-type') ?? 'message/sipfrag';
  if (!/^\s*message\/sipfrag\b/i.test(type)) return null;
  const status = /^\s*SIP\/2\.0\s+([1-6][0-9]{2})\b/.exec(notify.body ?? '')?.[1];
  return status === undefined ? null : Number(status);
}

const PHRASES: Readonly<Record<number, string>> = {
  100: 'Trying',
  180: 'Ringing',
  183: 'Session Progress',
  200: 'OK',
  403: 'Forbidden',
  408: 'Request Timeout',
  480: 'Temporarily Unavailable',
  486: 'Busy Here',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  503: 'Service Unavailable',
  603: 'Decline',
};

export const sipfrag = (status: number): string =>
  `SIP/2.0 ${status} ${PHRASES[status] ?? 'Answer'}\r\n`;

/** The subscription is over: no NOTIFY follows. */
export const isTerminated = (notify: SrfMessage): boolean =>
  /^\s*terminated\b/i.test(notify.get('subscription-state') ?? '');
