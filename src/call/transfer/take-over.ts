import type { CodecName } from '../../model/media.ts';
import type { TransferRecord } from '../../model/transfer.ts';
import { SdpError } from '../../signaling/sdp/sdp-error.ts';
import { SignalingError } from '../../signaling/signaling-error.ts';
import type { SipInvite } from '../../signaling/sip-leg.ts';
import { negotiationFor } from '../media-negotiation.ts';
import type { CallDesk, Party } from '../party.ts';
import { PhoneDialog } from '../phone-dialog.ts';

export interface TakeOverOptions {
  readonly party: Party;
  readonly desk: CallDesk;
  readonly codecs: readonly CodecName[];
  readonly nowMs: () => number;
}

/**
 * An INVITE with Replaces (RFC 3891): the conversation goes on with whoever sent it, on the same
 * port, and the dialog before is hung up. Null: it was refused, and nothing has changed.
 */
export async function takeOver(
  invite: SipInvite,
  { party, desk, codecs, nowMs }: TakeOverOptions,
): Promise<TransferRecord | null> {
  const old = party.dialog;
  const voice = old?.voice ?? null;
  if (old === undefined || voice === null || !isOfSameOrigin(invite, old)) {
    invite.refuse(403);
    return null;
  }
  const startedAtMs = nowMs();
  const next = new PhoneDialog(negotiationFor(codecs, old.trunk), old.trunk, old.signedInAs);
  next.voice = voice;
  const { negotiation } = next;
  negotiation.signalingAddress = invite.sourceAddress;
  negotiation.bind(voice.local);
  try {
    const offered = invite.offerSdp === null ? null : negotiation.readOffer(invite.offerSdp);
    const sdp = offered === null ? negotiation.offer() : negotiation.answer();
    next.leg = await invite.answer(sdp, next.events(desk));
    // A late offer's answer comes with the ACK, and changes the media then.
    if (offered !== null) voice.update(offered);
  } catch (error) {
    if (error instanceof SdpError) invite.refuse(488);
    else if (!(error instanceof SignalingError)) throw error;
    return null;
  }
  old.retire();
  // One channel for both: the trunk moves it from the one to the other.
  next.releaseChannel = old.releaseChannel;
  old.releaseChannel = () => {};
  party.dialog = next;
  void old.hangUp('transferred');
  return {
    by: 'caller',
    mode: 'attended',
    way: 'takeover',
    toNumber: invite.from.user,
    stage: 'completed',
    failure: null,
    sipStatus: 200,
    startedAtMs,
    joinedAtMs: nowMs(),
    endedAtMs: nowMs(),
  };
}

/** RFC 3891 §3: only whoever could have sent the requests of the dialog may replace it. */
function isOfSameOrigin({ trunk, signedInAs, transport }: SipInvite, old: PhoneDialog): boolean {
  const isByWebSocket = transport.startsWith('ws');
  if (isByWebSocket) return signedInAs !== null && signedInAs === old.signedInAs;
  return old.signedInAs === null && trunk === (old.trunk?.name ?? null);
}
