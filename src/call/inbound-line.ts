import type { NetworkFacts } from '../model/call.ts';
import type { SipInvite } from '../signaling/sip-leg.ts';
import {
  identityOf,
  identityVariables,
  networkFactsOf,
} from '../signaling/trunk/caller-identity.ts';
import type { Trunk } from '../signaling/trunk/trunk.ts';

/** By which trunk an INVITE came, and who calls whom by that trunk's word. */
export interface InboundLine {
  /** null: from this machine, or from one of `sip.allowed_sources`. */
  readonly trunk: Trunk | null;
  readonly fromNumber: string;
  readonly toNumber: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Null without a trunk: nobody vouches for what such an INVITE says. */
  readonly networkFacts: NetworkFacts | null;
}

/** What stands for the number of a caller who hides it. */
const HIDDEN = 'anonymous';

export function lineOf(invite: SipInvite, trunk: Trunk | null): InboundLine {
  if (trunk === null) {
    const [fromNumber, toNumber] = [invite.from.user, invite.dialed.user];
    return { trunk, fromNumber, toNumber, variables: {}, networkFacts: null };
  }
  const identity = identityOf(invite, trunk);
  return {
    trunk,
    fromNumber: identity.isPrivate ? HIDDEN : identity.caller,
    toNumber: identity.dialed,
    variables: identityVariables(identity, invite),
    networkFacts: networkFactsOf(identity, invite),
  };
}
