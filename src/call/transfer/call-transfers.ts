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
import { browserUserOf } from '../browser-address.ts';
import type { CallGate, GateRefusal, MeteredLeg } from '../call-gate.ts';
import type { BrowserLines } from '../call-requests.ts';
import type { CallDesk, Party } from '../party.ts';
import { Referral, referredNumber } from './referral.ts';
import { failureText } from './second-leg.ts';
import { takeOver } from './take-over.ts';
import { Transfer } from './transfer.ts';
import { planToBrowser, planTransfer, type TransferPlan } from './transfer-plan.ts';

/** Of one call; more are refused. */
const TRANSFERS_MAX = 16;

export interface TransferParts {
  readonly trunks: Pick<TrunkService, 'dial' | 'preview'>;
  readonly browsers: Pick<BrowserLines, 'bindingsOf' | 'dial'>;
  readonly pool: Pick<VoicePool, 'openLegBeside' | 'openWebLegBeside' | 'codecs'>;
  /** Unix time, with fractions of a millisecond. */
  readonly nowMs: () => number;
  /** Whether whoever pays lets that number be called. */
  readonly gate: Pick<CallGate, 'allowsDestination' | 'admitLeg'>;
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
  /** No browser of theirs is signed in. */
  | 'callee-not-registered'
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
  /** Until the call's time limit. */
  readonly secondsLeft: () => number;
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
  /** The line of whom the far side handed us over to: ours to pay until somebody comes in its place. */
  #lineMeter: MeteredLeg | null = null;
  /** One is about to begin. */
  #isReserved = false;

  constructor(parts: TransferParts, call: TransferringCall) {
    this.#parts = parts;
    this.#call = call;
  }

  /** Oldest first. */
  get records(): readonly TransferRecord[] {
    return this.#open === null ? this.#done : [...this.#done, this.#open.record];
  }

  /** The owner puts the caller through. Rejects when storage fails. */
  async order(order: TransferOrder): Promise<TransferReply> {
    const reply = await this.#begin(order, 'owner', () => this.#call.voice()?.stepBack());
    if (reply.accepted) this.#call.voice()?.stepAside();
    return reply;
  }

  /** The agent wants to, and waits for the end. Never rejects. */
  async wanted(toNumber: string, failed: (why: string) => void): Promise<void> {
    const order: TransferOrder = { toNumber, mode: 'blind', fromNumber: null };
    try {
      const reply = await this.#begin(order, 'agent', failed);
      if (!reply.accepted) failed(REFUSED[reply.reason]);
    } catch (error) {
      this.#call.log.error({ err: error }, 'a transfer could not begin');
      failed(failureText('unavailable'));
    }
  }

  /** The far side hands the agent over to somebody else. Never rejects. */
  async follow(refer: InboundRefer): Promise<void> {
    const number = referredNumber(refer, this.#call.party);
    if (number === null) return refer.refuse(403);
    if (!this.#reserve()) return refer.refuse(603);
    try {
      if (!(await this.#mayCall(number))) refer.refuse(403);
      else if (this.#call.desk.isEnding) refer.refuse(603);
      else await this.#accept(refer, number);
    } catch (error) {
      this.#call.log.error({ err: error }, 'a referral could not begin');
      refer.refuse(603);
    } finally {
      this.#isReserved = false;
    }
    if (this.#open instanceof Referral) void this.#open.run();
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
    this.#onLine(null);
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
    const isBusy = this.#open !== null || this.#isReserved || this.#count >= TRANSFERS_MAX;
    return !isBusy && this.#isActive;
  }

  get #isActive(): boolean {
    const { desk, voice } = this.#call;
    return desk.isConversing && !desk.isEnding && voice() !== null;
  }

  /** Nothing else begins until `#isReserved` is taken back. */
  #reserve(): boolean {
    if (!this.#isFree) return false;
    this.#isReserved = true;
    this.#count += 1;
    return true;
  }

  #mayCall(toNumber: string): Promise<boolean> {
    return this.#parts.gate.allowsDestination(this.#call.record.workspaceId, toNumber);
  }

  #admitLeg(toNumber: string): Promise<MeteredLeg | GateRefusal> {
    const { record, secondsLeft } = this.#call;
    const { id: callId, workspaceId, agentId, door } = record;
    const { gate, nowMs } = this.#parts;
    const times = { startedAtMs: nowMs(), secondsLeft: secondsLeft() };
    const number = this.#count;
    return gate.admitLeg({ callId, workspaceId, agentId, door, number, toNumber, ...times });
  }

  async #accept(refer: InboundRefer, toNumber: string): Promise<void> {
    const meter = await this.#admitLeg(toNumber);
    if (!meter.admitted) return refer.refuse(603);
    if (this.#call.desk.isEnding) refer.refuse(603);
    else this.#open = this.#referral(refer, toNumber, meter);
    if (this.#open === null) meter.ended(this.#parts.nowMs());
  }

  /** Whoever was on the line before has been hung up on. */
  #onLine(meter: MeteredLeg | null): void {
    this.#lineMeter?.ended(this.#parts.nowMs());
    this.#lineMeter = meter;
  }

  #referral(refer: InboundRefer, toNumber: string, meter: MeteredLeg): Referral | null {
    const { party, desk, log, onStage } = this.#call;
    const { trunks, pool, nowMs } = this.#parts;
    return Referral.accept(refer, toNumber, {
      party,
      desk,
      trunks,
      codecs: pool.codecs,
      nowMs,
      meter,
      log,
      onStage: (record) => {
        if (record.stage === 'completed') this.#onLine(meter);
        onStage(record);
        if (record.endedAtMs !== null) this.#settle();
      },
    });
  }

  async #begin(
    order: TransferOrder,
    by: Exclude<TransferBy, 'caller'>,
    failed: (why: string) => void,
  ): Promise<TransferReply> {
    if (!this.#isActive) return refused('not-active');
    if (!this.#reserve()) return refused('transfer-pending');
    try {
      const plan = this.#plan(order);
      if (plan === null) return refused('callee-not-registered');
      const isOurs = plan.browser !== null;
      if (!isOurs && !(await this.#mayCall(plan.toNumber)))
        return refused('DESTINATION_NOT_ALLOWED');
      const voice = this.#call.voice();
      if (voice === null || !this.#isActive) return refused('not-active');
      return this.#start(order, by, failed, plan, voice);
    } catch (error) {
      if (error instanceof TrunkDialError) return refused(error.code);
      throw error;
    } finally {
      this.#isReserved = false;
    }
  }

  /** Null: whom it names is at no browser. */
  #plan(order: TransferOrder): TransferPlan | null {
    const { record, party } = this.#call;
    const wish = { ...order, callerNumber: farNumberOf(record) };
    const user = browserUserOf(order.toNumber);
    if (user !== null) return planToBrowser(user, wish, record, this.#parts.browsers);
    return planTransfer(wish, party.dialog ?? null, this.#parts.trunks);
  }

  #start(
    order: TransferOrder,
    by: Exclude<TransferBy, 'caller'>,
    failed: (why: string) => void,
    plan: TransferPlan,
    voice: VoiceLeg,
  ): TransferReply {
    const { record, desk, log, onStage } = this.#call;
    const transfer = new Transfer({
      ...this.#parts,
      by,
      mode: order.mode,
      plan,
      record,
      number: this.#count,
      voice,
      admitLeg: (toNumber) => this.#admitLeg(toNumber),
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
  'callee-not-registered': 'they are not at their browser now',
  TRUNK_NOT_FOUND: 'there is no line to call by',
  NUMBER_MALFORMED: 'their number is wrong',
  DESTINATION_NOT_ALLOWED: 'their number may not be called',
  CALLER_ID_NOT_ALLOWED: 'their number may not be called',
  TRUNK_AT_CAPACITY: 'all lines are in use',
};
