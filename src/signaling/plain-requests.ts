import type { SrfRequest, SrfResponse, SrfSendOptions } from './drachtio.ts';
import { ACCEPT, ALLOW, SUPPORTED } from './sip-settings.ts';

/** Methods that may reach us outside a call; each gets an answer of ours, never srf's default. */
export const ROUTED_METHODS = [
  'invite',
  'options',
  'register',
  'message',
  'info',
  'notify',
  'subscribe',
  'publish',
  'refer',
] as const;

const ABILITIES = { Allow: ALLOW, Accept: ACCEPT, Supported: SUPPORTED.join(', ') };

/** Sends a final response; a status that srf refuses, or a gone transaction, is no matter of ours. */
export function respond(res: SrfResponse, status: number, options: SrfSendOptions = {}): void {
  try {
    res.send(status, options, () => {});
  } catch {
    res.send(500, {}, () => {});
  }
}

/** OPTIONS: 200 with what we can do; 503 while we take no calls, so that trunks look elsewhere. */
export function answerOptions(res: SrfResponse, isDraining: boolean): void {
  if (isDraining) respond(res, 503, { headers: { 'Retry-After': '30' } });
  else respond(res, 200, { headers: ABILITIES });
}

/**
 * Everything that is not a call: what we know and do not take is 405, a NOTIFY that nobody
 * subscribed to and what belongs to a dialog we do not have is 481, REFER outside of one is 403, the
 * rest is 501.
 */
export function answerPlainRequest(req: SrfRequest, res: SrfResponse, isDraining: boolean): void {
  switch (req.method) {
    case 'OPTIONS':
      return answerOptions(res, isDraining);
    case 'PRACK':
      // srf reports the PRACK of a reliable 180 here as well; it is answered once, here.
      return respond(res, 200);
    case 'ACK':
    case 'CANCEL':
      return;
    case 'NOTIFY':
    case 'BYE':
    case 'INFO':
    case 'UPDATE':
      return respond(res, 481);
    case 'REFER':
      // Only whoever talks to us may hand us over.
      return respond(res, 403);
    case 'MESSAGE':
    case 'SUBSCRIBE':
    case 'PUBLISH':
    case 'REGISTER':
      return respond(res, 405, { headers: { Allow: ALLOW } });
    default:
      return respond(res, 501, { headers: { Allow: ALLOW } });
  }
}
