import type { SrfRequest } from './drachtio.ts';
import { reasonText } from './sip-headers.ts';
import type { SipLegEnd } from './sip-leg.ts';

/** The connection to the engine is gone, and all its calls with it. */
export const ENGINE_LOST_END: SipLegEnd = {
  reason: 'sip-engine-lost',
  sipStatus: null,
  detail: null,
};

/**
 * Why a BYE came. Those that the engine made itself carry source `application`: our 200 was
 * never acknowledged, or the session timer ran out.
 */
export function endOfBye(bye: SrfRequest, engineReason: string): SipLegEnd {
  const detail = reasonText(bye);
  if (bye.source !== 'application') return { reason: 'caller-hung-up', sipStatus: null, detail };
  const isAckTimeout = /ack[ -]?timeout/i.test(`${engineReason} ${detail ?? ''}`);
  return { reason: isAckTimeout ? 'ack-timeout' : 'caller-lost', sipStatus: null, detail };
}

/**
 * How an outbound call that was not answered ended. 480 is what many carriers make of Q.850
 * causes 18 and 19, which say that nobody answered (RFC 3398 §7.2.4.1).
 */
export function endOfRefusal(sipStatus: number, reasonHeader: string | undefined): SipLegEnd {
  const cause = Number(
    /Q\.850\s*;[^,]*cause\s*=\s*([0-9]{1,3})/i.exec(reasonHeader ?? '')?.[1] ?? 0,
  );
  const detail = reasonHeader?.slice(0, 128) ?? null;
  if (sipStatus === 486 || sipStatus === 600 || cause === 17) {
    return { reason: 'callee-busy', sipStatus, detail };
  }
  const isUnanswered = sipStatus === 408 || cause === 18 || cause === 19;
  return { reason: isUnanswered ? 'no-answer' : 'callee-refused', sipStatus, detail };
}
