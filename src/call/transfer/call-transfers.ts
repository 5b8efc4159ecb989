import type { Logger } from '../../observability/logger.ts';
import type { CallRecord } from '../../model/call.ts';
import type { EndReason } from '../../model/end-reason.ts';
import type { TransferBy, TransferMode, TransferRecord } from '../../model/transfer.ts';
import type { SipInvite } from '../../signaling/sip-leg.ts';
import type { InboundRefer } from '../../signaling/transfer/refer.ts';
import { TrunkDialError, type TrunkDialErrorCode } from '../../signaling/trunk/trunk-dialer.ts';
import type { TrunkService } from '../../signaling/trunk/trunk-service.ts';
import type { VoiceLeg } from '../../voice/voice-leg.ts';
import type { VoicePool } from '../../voice/voice-pool.ts';
import type { CallDesk, Party } from '../party.ts';
import { Referral } from './referral.ts';
import { failureText } from './second-leg.ts';
import { takeOver } from './take-over.ts';
import { Transfer } from './transfer.ts';
import { planTransfer, type TransferPlan } from './transfer-plan.ts';

/** Of one call; more are refused. */
const TRANSFERS_MAX = 16;

export interface TransferParts {
  readonly trunks: Pick<TrunkService, 'dial' | 'preview'>;
  readonly pool: Pick<VoicePool, 'openLegBeside' | 'codecs'>;
  /** Unix time, with fractions of a millisecond. */
  readonly nowMs: () => number;
}

export interface TransferOrder {
  readonly toNumber: string;
  readonly mode: TransferMode;
  /** null: the caller's number where a trunk lets it be shown, else the trunk's own. */
  readonly fromNumber: string | null;
}

/** Why a transfer cannot even begin. */
export type TransferRefusal =
  /** The call has not been answered, or is over. */
  | 'not-active'
  /** Another one is under way. */
  | 'transfer-pending'
  | TrunkDialErrorCode;

export type TransferReply =
  | { readonly accepted: true; readonly record: TransferRecord }
  | { readonly accepted: false; readonly reason: TransferRefusal };

/** What the transfers of a call need of it. */
export interface TransferringCall {
  readonly record: CallRecord;
  readonly party: Party;
  readonly desk: CallDesk;
  /** Null: it does not converse. */
  readonly voice: () => VoiceLeg | null;
  readonly log: Logger;
  readonly onStage: (record: TransferRecord) => void;
}

/** All the transfers of one call, of which one at most is under way. */
export class CallTransfers {
  readonly #parts: TransferParts;
  readonly #call: TransferringCall;
  readonly #done: TransferRecord[] = [];
  #open: Transfer | Referral | null = null;
  #count = 0;

  constructor(parts: TransferParts, call: TransferringCall) {
    this.#parts = parts;
    this.#call = call;
  }

  /** Oldest first. */
  get records(): readonly TransferRecord[] {
    return this.#open === null ? this.#done : [...this.#done, this.#open.record];
  }

  /** The owner puts the caller through. */
  order(order: TransferOrder): TransferReply {
    const reply = this.#begin(order, 'owner', () => this.#call.voice()?.stepBack());
    if (reply.accepted) this.#call.voice()?.stepAside();
    return reply;
  }

  /** The agent wants to, and waits for the end. */
  wanted(toNumber: string, failed: (why: string) => void): void {
    const order: TransferOrder = { toNumber, mode: 'blind', fromNumber: null };
    const reply = this.#begin(order, 'agent', failed);
    if (!reply.accepted) failed(REFUSED[reply.reason]);
  }

  /** The far side hands the agent over to somebody else. */
  follow(refer: InboundRefer): void {
    const { party, desk, log, onStage } = this.#call;
    if (!this.#isFree) return refer.refuse(603);
    this.#count += 1;
    const { trunks, pool, nowMs } = this.#parts;
    const referral = Referral.accept(refer, {
      party,
      desk,
      trunks,
      codecs: pool.codecs,
      nowMs,
      log,
      onStage: (record) => {
        onStage(record);
        if (record.endedAtMs !== null) this.#settle();
      },
    });
    this.#open = referral;
    void referral?.run();
  }

  /** Somebody else comes in the caller's place. False: it was refused. */
  async takeOver(invite: SipInvite): Promise<boolean> {
    const { party, desk, onStage } = this.#call;
    if (!this.#isFree) {
      invite.refuse(486);
      return false;
    }
    const { pool, nowMs } = this.#parts;
    const record = await takeOver(invite, { party, desk, codecs: pool.codecs, nowMs });
    if (record === null) return false;
    this.#done.push(record);
    onStage(record);
    return true;
  }

  /** Why the call ended, when it ends now for `reason`. */
  reasonAtEnd(reason: EndReason): EndReason {
    return this.#open?.reasonAtEnd(reason) ?? reason;
  }

  /** The call is over. Never rejects. */
  async close(reason: EndReason): Promise<void> {
    const open = this.#open;
    await open?.close(reason);
    if (open !== null) this.#settle();
  }

  get #isFree(): boolean {
    const { desk } = this.#call;
    const isBusy = this.#open !== null || this.#count >= TRANSFERS_MAX;
    return !isBusy && desk.isConversing && !desk.isEnding;
  }

  #begin(
    order: TransferOrder,
    by: Exclude<TransferBy, 'caller'>,
    failed: (why: string) => void,
  ): TransferReply {
    const { record, party, desk, log, onStage } = this.#call;
    const voice = this.#call.voice();
    if (voice === null || !desk.isConversing || desk.isEnding) return refused('not-active');
    if (!this.#isFree) return refused('transfer-pending');
    let plan: TransferPlan;
    try {
      const wish = { ...order, callerNumber: farNumberOf(record) };
      plan = planTransfer(wish, party.dialog ?? null, this.#parts.trunks);
    } catch (error) {
      if (error instanceof TrunkDialError) return refused(error.code);
      throw error;
    }
    this.#count += 1;
    const transfer = new Transfer({
      ...this.#parts,
      by,
      mode: order.mode,
      plan,
      record,
      number: this.#count,
      voice,
      log,
      onStage,
      onOver: () => desk.end('transferred', null),
      onFailed: (failure) => {
        this.#settle();
        failed(failureText(failure));
      },
    });
    this.#open = transfer;
    void transfer.run();
    return { accepted: true, record: transfer.record };
  }

  #settle(): void {
    if (this.#open === null) return;
    this.#done.push(this.#open.record);
    this.#open = null;
  }
}

/** Whoever the agent talks with. */
const farNumberOf = ({ direction, fromNumber, toNumber }: CallRecord): string =>
  direction === 'inbound' ? fromNumber : toNumber;

const refused = (reason: TransferRefusal): TransferReply => ({ accepted: false, reason });

/** For the agent, who tells it in its own words. */
const REFUSED: Readonly<Record<TransferRefusal, string>> = {
  'not-active': 'the call is over',
  'transfer-pending': 'another transfer is under way',
  TRUNK_NOT_FOUND: 'there is no line to call by',
  NUMBER_MALFORMED: 'their number is wrong',
  DESTINATION_NOT_ALLOWED: 'their number may not be called',
  CALLER_ID_NOT_ALLOWED: 'their number may not be called',
  TRUNK_AT_CAPACITY: 'all lines are in use',
};
