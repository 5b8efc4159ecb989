import type { CallRecord } from '../model/call.ts';
import type { SipInvite } from '../signaling/sip-leg.ts';
import type { InboundLine } from './inbound-line.ts';

/** Where a call came from. */
export type CallOrigin = Pick<
  CallRecord,
  'direction' | 'door' | 'fromNumber' | 'toNumber' | 'sipCallId' | 'networkFacts'
>;

/** Nobody knows who sits at a browser. */
export const WEB_ORIGIN: Omit<CallOrigin, 'door'> = {
  direction: 'inbound',
  fromNumber: '',
  toNumber: '',
  sipCallId: null,
};

export function originOf(
  invite: SipInvite,
  { fromNumber, toNumber, networkFacts }: InboundLine,
): CallOrigin {
  return {
    direction: 'inbound',
    door: invite.transport.startsWith('ws') ? 'sip-websocket' : 'trunk',
    fromNumber,
    toNumber,
    networkFacts,
    sipCallId: invite.sipCallId,
  };
}
