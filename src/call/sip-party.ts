import type { EndReason } from '../model/end-reason.ts';
import type { CodecName } from '../model/media.ts';
import type { SipInvite } from '../signaling/sip-leg.ts';
import type { VoicePool } from '../voice/voice-pool.ts';
import type { InboundLine } from './inbound-line.ts';
import { negotiationFor } from './media-negotiation.ts';
import type { CallDesk, Party } from './party.ts';
import { onLegEnded, PhoneDialog } from './phone-dialog.ts';
import { type RefusalReason, refusalStatus } from './refusal-status.ts';

/** A caller who came by an INVITE: its dialog, and what offer and answer agreed on. */
export class SipParty implements Party {
  readonly variables: Readonly<Record<string, string>>;
  readonly #invite: SipInvite;
  readonly #pool: Pick<VoicePool, 'openLeg'>;
  dialog: PhoneDialog;

  constructor(
    invite: SipInvite,
    { trunk, variables }: Pick<InboundLine, 'trunk' | 'variables'>,
    pool: Pick<VoicePool, 'openLeg'> & { readonly codecs: readonly CodecName[] },
  ) {
    this.variables = variables;
    this.#invite = invite;
    this.#pool = pool;
    this.dialog = new PhoneDialog(negotiationFor(pool.codecs, trunk), trunk, invite.signedInAs);
  }

  async join(desk: CallDesk): Promise<void> {
    const invite = this.#invite;
    const { negotiation } = this.dialog;
    negotiation.signalingAddress = invite.sourceAddress;
    invite.onCanceled((end) => onLegEnded(desk, end));
    // Read the offer first: a call we cannot speak with must not cost a port.
    const offered = invite.offerSdp === null ? null : negotiation.readOffer(invite.offerSdp);
    const voice = await this.#pool.openLeg(desk.record.id, desk.legId, desk.voiceEvents);
    if (!(await desk.holdVoice(voice))) return;

    this.dialog.voice = voice;
    negotiation.bind(voice.local);
    this.dialog.settleDigits();
    if (offered !== null) voice.update(offered);
    const sdp = offered === null ? negotiation.offer() : negotiation.answer();
    const leg = await invite.answer(sdp, this.dialog.events(desk));
    this.dialog.leg = leg;
    if (desk.isEnding) return leg.hangUp();

    desk.answered();
    if (offered !== null) desk.converse();
  }

  refuse(reason: RefusalReason): number {
    const { status, retryAfterSeconds } = refusalStatus(reason);
    this.#invite.refuse(status, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    return status;
  }

  leave(reason: EndReason): Promise<void> {
    return this.dialog.hangUp(reason);
  }
}
