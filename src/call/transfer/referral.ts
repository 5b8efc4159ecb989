import type { Logger } from '../../observability/logger.ts';
import type { EndReason } from '../../model/end-reason.ts';
import type { CodecName } from '../../model/media.ts';
import type { TransferRecord } from '../../model/transfer.ts';
import { SdpError } from '../../signaling/sdp/sdp-error.ts';
import type { InboundRefer, ReferReports } from '../../signaling/transfer/refer.ts';
import { destinationThrough } from '../../signaling/trunk/outbound-policy.ts';
import { TrunkDialError, type TrunkDialResult } from '../../signaling/trunk/trunk-dialer.ts';
import type { TrunkService } from '../../signaling/trunk/trunk-service.ts';
import type { Trunk } from '../../signaling/trunk/trunk.ts';
import { negotiationFor } from '../media-negotiation.ts';
import type { MeteredLeg } from '../call-gate.ts';
import type { CallDesk, Party } from '../party.ts';
import { PhoneDialog } from '../phone-dialog.ts';
import { failureOfStatus } from './transfer.ts';

export interface ReferralOptions {
  readonly party: Party;
  readonly desk: CallDesk;
  readonly trunks: Pick<TrunkService, 'dial'>;
  readonly codecs: readonly CodecName[];
  readonly nowMs: () => number;
  readonly meter: MeteredLeg;
  readonly log: Logger;
  readonly onStage: (record: TransferRecord) => void;
}

/** Whoever has handed us over hangs up by itself; who does not within this is hung up on. */
const FAREWELL_MS = 5_000;

/** Whom we are to call, by the rules of the caller's trunk; null: there is none, or they forbid it. */
export function referredNumber({ to }: InboundRefer, { dialog }: Party): string | null {
  const trunk = dialog?.trunk ?? null;
  return trunk === null ? null : destinationThrough(trunk, to.user);
}

/**
 * The far side has asked us to call somebody in its place (RFC 5589 §6, we are the transferee).
 * The agent talks on with the far side until the other has answered; then the same conversation
 * goes on with the other, on the same port.
 */
export class Referral {
  readonly #options: ReferralOptions;
  readonly #old: PhoneDialog;
  readonly #next: PhoneDialog;
  readonly #refer: InboundRefer;
  readonly #reports: ReferReports;
  readonly #cancel = new AbortController();
  #record: TransferRecord;
  #dialing: Promise<unknown> = Promise.resolve();

  private constructor(
    refer: InboundRefer,
    options: ReferralOptions,
    old: PhoneDialog,
    trunk: Trunk,
    toNumber: string,
  ) {
    this.#refer = refer;
    this.#options = options;
    this.#old = old;
    this.#next = new PhoneDialog(negotiationFor(options.codecs, trunk), trunk);
    this.#next.voice = old.voice;
    this.#reports = refer.accept();
    this.#record = {
      by: 'caller',
      mode: refer.to.replaces === null ? 'blind' : 'attended',
      way: null,
      toNumber,
      stage: 'started',
      failure: null,
      sipStatus: null,
      startedAtMs: options.nowMs(),
      joinedAtMs: null,
      endedAtMs: null,
    };
  }

  /** Null: it was refused, since the caller is no phone of a trunk. */
  static accept(refer: InboundRefer, toNumber: string, options: ReferralOptions): Referral | null {
    const old = options.party.dialog ?? null;
    const trunk = old?.trunk ?? null;
    if (old !== null && trunk !== null) return new Referral(refer, options, old, trunk, toNumber);
    refer.refuse(403);
    return null;
  }

  get record(): TransferRecord {
    return this.#record;
  }

  /** Call once. Never rejects. */
  async run(): Promise<void> {
    const { log, onStage } = this.#options;
    onStage(this.#record);
    try {
      const dialing = this.#dial();
      this.#dialing = dialing.catch(() => {});
      await this.#onDialed(await dialing);
    } catch (error) {
      if (!(error instanceof TrunkDialError)) log.warn({ err: error }, 'a referral failed');
      this.#failed(error instanceof TrunkDialError ? 403 : 503);
    }
  }

  reasonAtEnd(reason: EndReason): EndReason {
    return reason;
  }

  /** The call is over. Never rejects. */
  async close(): Promise<void> {
    this.#cancel.abort();
    await this.#dialing;
    if (this.#record.endedAtMs === null) this.#failed(487);
  }

  #dial(): Promise<TrunkDialResult> {
    const { trunks, desk } = this.#options;
    const { to, referredBy } = this.#refer;
    const { voice, negotiation, trunk } = this.#next;
    const headers = {
      ...(referredBy === null ? {} : { 'Referred-By': referredBy }),
      ...(to.replaces === null ? {} : { Replaces: to.replaces, Require: 'replaces' }),
    };
    return trunks.dial(
      {
        to: this.#record.toNumber,
        caller: { number: null },
        trunk: trunk?.name ?? null,
        headers,
        offerFor: () => {
          if (voice !== null) negotiation.bind(voice.local);
          return negotiation.offer();
        },
        signal: this.#cancel.signal,
      },
      {
        ...this.#next.events(desk),
        onProgress: ({ sipStatus }) => this.#ringing(sipStatus),
      },
    );
  }

  async #onDialed(result: TrunkDialResult): Promise<void> {
    const { desk, party, nowMs } = this.#options;
    if (result.type === 'ended') return this.#failed(result.sipStatus ?? 503);
    const { leg, answerSdp } = result;
    this.#options.meter.answered(nowMs());
    this.#next.negotiation.signalingAddress = result.answerAddress ?? null;
    const parameters = this.#answered(answerSdp);
    if (parameters === null || desk.isEnding) {
      this.#next.retire();
      await leg.hangUp();
      return this.#failed(desk.isEnding ? 487 : 488);
    }
    this.#next.leg = leg;
    this.#old.retire();
    party.dialog = this.#next;
    this.#next.voice?.update(parameters);
    this.#reports.report(200);
    this.#enter({ stage: 'completed', way: 'call', sipStatus: 200, joinedAtMs: nowMs() });
    this.#hangUpOld();
  }

  #answered(answerSdp: string) {
    try {
      return this.#next.negotiation.readAnswer(answerSdp);
    } catch (error) {
      if (error instanceof SdpError) return null;
      throw error;
    }
  }

  /** Usually it is faster: RFC 5589 leaves the BYE to whoever has sent the REFER. */
  #hangUpOld(): void {
    setTimeout(() => void this.#old.hangUp('transferred'), FAREWELL_MS).unref();
  }

  #ringing(sipStatus: number): void {
    this.#reports.report(sipStatus);
    if (this.#record.stage === 'ringing') return;
    this.#record = { ...this.#record, stage: 'ringing', sipStatus };
    this.#options.onStage(this.#record);
  }

  #failed(sipStatus: number): void {
    this.#reports.report(sipStatus);
    this.#options.meter.ended(this.#options.nowMs());
    const failure = sipStatus === 487 ? 'abandoned' : failureOfStatus(sipStatus);
    this.#enter({ stage: 'failed', failure, sipStatus });
  }

  #enter(facts: Partial<TransferRecord>): void {
    if (this.#record.endedAtMs !== null) return;
    this.#record = { ...this.#record, ...facts, endedAtMs: this.#options.nowMs() };
    this.#options.onStage(this.#record);
  }
}
