import type { EndReason } from '../model/end-reason.ts';
import { SdpError } from '../signaling/sdp/sdp-error.ts';
import type { SipInvite } from '../signaling/sip-leg.ts';
import type { VoicePool } from '../voice/voice-pool.ts';
import type { CallDesk, Party } from './party.ts';
import { onLegEnded } from './phone-dialog.ts';
import { type RefusalReason, refusalStatus } from './refusal-status.ts';
import { WebDialog } from './web-dialog.ts';

/** A browser that called by an INVITE over WebSocket: signaling is SIP, media WebRTC. */
export class WebSipParty implements Party {
  readonly #invite: SipInvite;
  readonly #pool: Pick<VoicePool, 'openWebLeg'>;
  readonly #dialog = new WebDialog();

  constructor(invite: SipInvite, pool: Pick<VoicePool, 'openWebLeg'>) {
    this.#invite = invite;
    this.#pool = pool;
  }

  async join(desk: CallDesk): Promise<void> {
    const invite = this.#invite;
    const dialog = this.#dialog;
    invite.onCanceled((end) => onLegEnded(desk, end));
    if (invite.offerSdp === null) {
      throw new SdpError('SDP_NO_COMMON_CODEC', 'a browser offers first');
    }
    const voice = await this.#pool.openWebLeg(desk.record.id, desk.legId, invite.offerSdp, {
      ...desk.voiceEvents,
      onConnected: () => dialog.onConnected(desk),
    });
    if (!(await desk.holdVoice(voice))) return;
    dialog.leg = await invite.answer(dialog.begin(voice), dialog.events(desk));
    if (desk.isEnding) await dialog.leg.hangUp();
  }

  refuse(reason: RefusalReason): number {
    const { status, retryAfterSeconds } = refusalStatus(reason);
    this.#invite.refuse(status, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    return status;
  }

  leave(reason: EndReason): Promise<void> {
    return this.#dialog.hangUp(reason);
  }
}
