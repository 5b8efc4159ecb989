import type { EndReason } from '../model/end-reason.ts';
import type { MachineDetection } from '../model/machine-detection.ts';
import type { CodecName } from '../model/media.ts';
import type { DialProgress } from '../signaling/outbound-dial.ts';
import type { WantedCaller } from '../signaling/trunk/outbound-policy.ts';
import type { Trunk } from '../signaling/trunk/trunk.ts';
import { TrunkDialError, type TrunkDialResult } from '../signaling/trunk/trunk-dialer.ts';
import type { TrunkService } from '../signaling/trunk/trunk-service.ts';
import type { PhoneVoiceLeg } from '../voice/voice-leg.ts';
import type { VoicePool } from '../voice/voice-pool.ts';
import { negotiationFor } from './media-negotiation.ts';
import type { CallDesk, Party } from './party.ts';
import { PhoneDialog } from './phone-dialog.ts';

/** Whom to call, as whom, and what the agent shall know. */
export interface OutboundTarget {
  readonly to: string;
  readonly caller: WantedCaller;
  readonly variables: Readonly<Record<string, string>>;
  readonly machineDetection?: MachineDetection | null;
}

/**
 * Somebody whom we call through the trunks. Media is reserved before anything is sent, so that
 * who answers is never left without a voice.
 */
export class OutboundParty implements Party {
  readonly variables: Readonly<Record<string, string>>;
  readonly machineDetection: MachineDetection | null;
  readonly #target: OutboundTarget;
  readonly #trunks: Pick<TrunkService, 'dial'>;
  readonly #pool: Pick<VoicePool, 'openLeg'> & { readonly codecs: readonly CodecName[] };
  dialog: PhoneDialog;
  readonly #cancel = new AbortController();
  /** Settles once no INVITE is on its way any more. */
  #dialing: Promise<unknown> = Promise.resolve();

  constructor(
    target: OutboundTarget,
    trunks: Pick<TrunkService, 'dial'>,
    pool: Pick<VoicePool, 'openLeg'> & { readonly codecs: readonly CodecName[] },
  ) {
    this.variables = target.variables;
    this.machineDetection = target.machineDetection ?? null;
    this.#target = target;
    this.#trunks = trunks;
    this.#pool = pool;
    this.dialog = new PhoneDialog(negotiationFor(pool.codecs, null));
  }

  async join(desk: CallDesk): Promise<void> {
    const voice = await this.#pool.openLeg(desk.record.id, desk.legId, desk.voiceEvents);
    if (!(await desk.holdVoice(voice))) return;
    this.dialog.voice = voice;
    const dialing = this.#dial(desk, voice);
    this.#dialing = dialing.catch(() => {});
    try {
      await this.#onDialed(desk, await dialing);
    } catch (error) {
      if (!(error instanceof TrunkDialError)) throw error;
      // It was allowed a moment ago: the last channel is gone, or the settings have changed.
      const isFull = error.code === 'TRUNK_AT_CAPACITY';
      desk.end(isFull ? 'at-capacity' : 'trunk-unavailable', { sipStatus: null, detail: null });
    }
  }

  /** Nobody waits for a status: what cannot be had has not been dialed. */
  refuse(): null {
    return null;
  }

  /** CANCEL while it rings, BYE once it was answered. */
  async leave(reason: EndReason): Promise<void> {
    this.#cancel.abort();
    await this.#dialing;
    await this.dialog.hangUp(reason);
  }

  #dial(desk: CallDesk, voice: PhoneVoiceLeg): Promise<TrunkDialResult> {
    const { to, caller } = this.#target;
    return this.#trunks.dial(
      {
        to,
        caller,
        trunk: null,
        offerFor: (trunk) => this.#offerFor(trunk, voice),
        signal: this.#cancel.signal,
      },
      {
        ...this.dialog.events(desk),
        onAttempt: (attempt) => desk.dialing(attempt.trunk, attempt.number),
        onProgress: (progress) => this.#onProgress(desk, progress),
      },
    );
  }

  #onProgress(desk: CallDesk, progress: DialProgress): void {
    const { sipStatus } = progress;
    // 183 may be an announcement of the network's; a telephone rings with 180.
    if (progress.type === 'ringing' || sipStatus === 180) desk.ringing(sipStatus);
    if (progress.type !== 'early-media') return;
    const isHeard = desk.hearsEarlyMedia === true;
    if (!isHeard || this.dialog.hearEarly(progress.sdp, desk.log)) desk.earlyMedia(sipStatus);
  }

  #offerFor(trunk: Trunk, { local }: PhoneVoiceLeg): string {
    const negotiation = negotiationFor(this.#pool.codecs, trunk);
    negotiation.bind(local);
    this.dialog.negotiation = negotiation;
    return negotiation.offer();
  }

  async #onDialed(desk: CallDesk, result: TrunkDialResult): Promise<void> {
    if (result.type === 'ended') {
      const { reason, sipStatus, detail } = result;
      // Without a reason it was ours: the call has ended already.
      desk.end(reason ?? 'internal-error', { sipStatus, detail });
      return;
    }
    this.dialog.leg = result.leg;
    this.dialog.trunk = result.trunk;
    this.dialog.settleDigits();
    this.dialog.negotiation.signalingAddress = result.answerAddress ?? null;
    if (desk.isEnding) return result.leg.hangUp();
    desk.answered();
    this.dialog.onRemoteAnswer(desk, result.answerSdp);
  }
}
