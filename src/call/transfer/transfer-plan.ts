import type { CallRecord } from '../../model/call.ts';
import type { SipLeg } from '../../signaling/sip-leg.ts';
import { formatParty } from '../../signaling/sip-address.ts';
import { destinationThrough } from '../../signaling/trunk/outbound-policy.ts';
import { normalizeUser, toCarrierFormat } from '../../signaling/trunk/phone-number.ts';
import { TrunkDialError } from '../../signaling/trunk/trunk-dialer.ts';
import type { TrunkService } from '../../signaling/trunk/trunk-service.ts';
import type { TransferMode } from '../../model/transfer.ts';
import { browserUserOf } from '../browser-address.ts';
import type { BrowserLines } from '../call-requests.ts';
import type { CalledBrowser } from '../called-browser-party.ts';
import type { PhoneDialog } from '../phone-dialog.ts';

/** In addresses, where nothing else is ours. */
const OUR_NAME = 'trunkline';

/** What may be done to put a caller through, by the rules of the trunks. */
export interface TransferPlan {
  readonly toNumber: string;
  /** Who calls, where we call; null: the trunk's own number. */
  readonly fromNumber: string | null;
  /** Whom to ask for a blind transfer, and the Refer-To for it; null: it cannot be done so. */
  readonly refer: { readonly leg: SipLeg; readonly to: string } | null;
  /** The caller's leg where it can be referred at all; null: a browser. */
  readonly callerLeg: SipLeg | null;
  readonly referredBy: string;
  readonly mayBridge: boolean;
  /** Whom we call there; null: we call by a trunk. */
  readonly browser: CalledBrowser | null;
}

export interface TransferWish {
  readonly mode: TransferMode;
  readonly toNumber: string;
  /** null: the caller's own number where a trunk lets it be shown, else the trunk's. */
  readonly fromNumber: string | null;
  readonly callerNumber: string;
}

/**
 * A far side is only sent where its trunk may call, and we only call where a trunk may.
 * @throws TrunkDialError why it may not be done at all
 */
export function planTransfer(
  { mode, toNumber, fromNumber, callerNumber }: TransferWish,
  dialog: PhoneDialog | null,
  trunks: Pick<TrunkService, 'preview'>,
): TransferPlan {
  const refer = mode === 'blind' ? referOf(toNumber, dialog) : null;
  const trunk = dialog?.trunk ?? null;
  const us = { user: trunk?.username ?? OUR_NAME, ...hostOf(trunk?.domain) };
  const plan = {
    browser: null,
    refer,
    callerLeg: dialog?.trunk === null ? null : (dialog?.leg ?? null),
    referredBy: formatParty(us),
  };
  try {
    const { to, from } = previewed(toNumber, fromNumber, callerNumber, trunks);
    return { ...plan, toNumber: to, fromNumber: from, mayBridge: true };
  } catch (error) {
    if (refer === null || !(error instanceof TrunkDialError)) throw error;
    const number = trunk === null ? toNumber : normalizeUser(toNumber, trunk);
    return { ...plan, toNumber: number, fromNumber: null, mayBridge: false };
  }
}

/** Somebody of the workspace, at all of their browsers; trunks have no say. Null: they have none. */
export function planToBrowser(
  user: string,
  { fromNumber, callerNumber }: Pick<TransferWish, 'fromNumber' | 'callerNumber'>,
  { workspaceId, agentId }: Pick<CallRecord, 'workspaceId' | 'agentId'>,
  browsers: Pick<BrowserLines, 'bindingsOf'>,
): TransferPlan | null {
  const bindings = browsers.bindingsOf(workspaceId, user);
  if (bindings.length === 0) return null;
  const number = fromNumber ?? browserUserOf(callerNumber) ?? callerNumber;
  // A caller from a web page has no number to show.
  const caller = number === '' ? (agentId ?? OUR_NAME) : number;
  return {
    toNumber: `sip:${user}`,
    fromNumber,
    // No far side may ring there: only we know where that is.
    refer: null,
    callerLeg: null,
    referredBy: '',
    mayBridge: true,
    browser: { bindings, from: { user: caller }, variables: {} },
  };
}

const hostOf = (host: string | undefined) => (host === undefined ? {} : { host });

function referOf(toNumber: string, dialog: PhoneDialog | null): TransferPlan['refer'] {
  const { trunk = null, leg = null } = dialog ?? {};
  // Without a trunk there are no rules for where a far side may be sent.
  if (trunk === null || leg === null) return null;
  const number = destinationThrough(trunk, toNumber);
  if (number === null) return null;
  const to = formatParty({ user: toCarrierFormat(number, trunk), host: trunk.domain });
  return { leg, to };
}

/** The caller's number is shown where that is allowed: whom we call wants to know who it is. */
function previewed(
  to: string,
  fromNumber: string | null,
  callerNumber: string,
  trunks: Pick<TrunkService, 'preview'>,
) {
  const by = (number: string | null) => {
    const { to: dialed } = trunks.preview({ to, caller: { number }, trunk: null });
    return { to: dialed, from: number };
  };
  if (fromNumber !== null) return by(fromNumber);
  if (!/^\+[0-9]+$/.test(callerNumber)) return by(null);
  try {
    return by(callerNumber);
  } catch (error) {
    if (error instanceof TrunkDialError && error.code === 'CALLER_ID_NOT_ALLOWED') return by(null);
    throw error;
  }
}
