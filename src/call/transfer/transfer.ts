import type { Logger } from '../../observability/logger.ts';
import type { CallRecord } from '../../model/call.ts';
import type { EndReason } from '../../model/end-reason.ts';
import type {
  TransferFailure,
  TransferMode,
  TransferRecord,
  TransferStage,
  TransferWay,
} from '../../model/transfer.ts';
import type { SipLeg } from '../../signaling/sip-leg.ts';
import { referToReplacing } from '../../signaling/transfer/refer-to.ts';
import type { ReferResult } from '../../signaling/transfer/refer.ts';
import type { TrunkService } from '../../signaling/trunk/trunk-service.ts';
import type { VoiceLeg } from '../../voice/voice-leg.ts';
import type { VoicePool } from '../../voice/voice-pool.ts';
import type { GateRefusal, MeteredLeg } from '../call-gate.ts';
import type { BrowserLines } from '../call-requests.ts';
import { type Callee, SecondLeg, type SecondLegResult } from './second-leg.ts';
import type { TransferPlan } from './transfer-plan.ts';

export interface TransferOptions {
  readonly by: 'agent' | 'owner';
  readonly mode: TransferMode;
  readonly plan: TransferPlan;
  readonly record: CallRecord;
  /** Tells the transfers of a call apart. */
  readonly number: number;
  readonly voice: VoiceLeg;
  readonly trunks: Pick<TrunkService, 'dial'>;
  readonly browsers: Pick<BrowserLines, 'dial'>;
  readonly pool: Pick<VoicePool, 'openLegBeside' | 'openWebLegBeside' | 'codecs'>;
  /** Asked before we call somebody. Rejects when storage fails. */
  readonly admitLeg: (toNumber: string) => Promise<MeteredLeg | GateRefusal>;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly onStage: (record: TransferRecord) => void;
  /** The caller is with somebody else, or was: nothing is left for us to do in this call. */
  readonly onOver: () => void;
  /** The conversation goes on. */
  readonly onFailed: (failure: TransferFailure) => void;
}

/**
 * Puts a caller through.
 *
 *   blind:     REFER ──accepted, 200──▶ completed
 *                └──refused──▶ (bridge)   └──busy, no news──▶ failed
 *   attended:  dial ──answered──▶ REFER with Replaces ──200──▶ completed
 *                └──▶ failed                 └──anything else──▶ bridged
 *   bridge:    dial ──answered──▶ bridged ──either side hangs up──▶ completed
 *                └──▶ failed
 *
 * Until it is completed or bridged the caller is still ours: whatever fails, the agent goes on.
 */
export class Transfer {
  readonly #options: TransferOptions;
  #record: TransferRecord;
  #second: SecondLeg | null = null;
  /** How the far side is leaving: it has taken our REFER, and when it hangs up now it is away. */
  #leavingBy: TransferWay | null = null;
  #isHeardEarly = false;

  constructor(options: TransferOptions) {
    const { by, mode, plan, nowMs } = options;
    this.#options = options;
    this.#record = {
      by,
      mode,
      way: null,
      toNumber: plan.toNumber,
      stage: 'started',
      failure: null,
      sipStatus: null,
      startedAtMs: nowMs(),
      joinedAtMs: null,
      endedAtMs: null,
    };
  }

  get record(): TransferRecord {
    return this.#record;
  }

  get isOver(): boolean {
    return this.#record.endedAtMs !== null;
  }

  /** Call once. Never rejects. */
  async run(): Promise<void> {
    const { mode, plan, onStage } = this.#options;
    onStage(this.#record);
    const { refer } = plan;
    if (mode === 'attended') return this.#attend();
    if (mode === 'bridge' || refer === null) return this.#bridge();
    const result = await this.#refer(refer.leg, refer.to, 'refer');
    if (result.type === 'transferred') return this.#completed(result.sipStatus);
    if (result.type === 'failed') return this.#failed(failureOfStatus(result.sipStatus), result);
    if (plan.mayBridge) {
      this.#enter('fell-back', { sipStatus: result.sipStatus });
      return this.#bridge();
    }
    this.#failed('refused', result);
  }

  /** Why the call ended, when it ends now for `reason`. */
  reasonAtEnd(reason: EndReason): EndReason {
    const hasLeft = reason === 'caller-hung-up' || reason === 'caller-lost';
    const isAway = this.#record.stage === 'bridged' || this.#leavingBy !== null;
    return hasLeft && isAway ? 'transferred' : reason;
  }

  /** The call is over. Resolves when the second leg is released. Never rejects. */
  async close(reason: EndReason): Promise<void> {
    if (!this.isOver) {
      if (this.#record.stage === 'bridged') this.#end('completed', {});
      else if (reason === 'transferred') this.#end('completed', this.#left(null));
      else this.#end('failed', { failure: 'abandoned' });
    }
    await this.#second?.hangUp(reason);
  }

  async #attend(): Promise<void> {
    const { plan } = this.#options;
    const answered = await this.#dial();
    if (answered === null) return;
    const leg = plan.callerLeg;
    if (leg !== null && answered.sip !== null) {
      const to = referToReplacing(answered.sip.identity);
      const result = await this.#refer(leg, to, 'refer-replaces');
      if (result.type === 'transferred') {
        return this.#completed(result.sipStatus);
      }
      this.#leavingBy = null;
      this.#enter('fell-back', { sipStatus: result.sipStatus });
    }
    if (this.#second?.isOver === true) return this.#failed('unavailable', { sipStatus: null });
    this.#join(answered);
  }

  async #bridge(): Promise<void> {
    const answered = await this.#dial();
    if (answered !== null) this.#join(answered);
  }

  /** Null: it was not answered, and the transfer is over. */
  async #dial(): Promise<Extract<SecondLegResult, { type: 'answered' }> | null> {
    if (this.isOver) return null;
    const { plan, record, number, voice, trunks, browsers, pool, log, nowMs } = this.#options;
    const meter = await this.#admitLeg();
    if (meter === null) return null;
    this.#second = new SecondLeg({
      record,
      number,
      beside: voice,
      callee: calleeOf(plan),
      trunks,
      browsers,
      pool,
      meter,
      nowMs,
      log,
      onRinging: () => this.#ringing(180, true),
      onEarlyMedia: (heard) => this.#hearEarly(heard),
      onEnded: () => this.#onSecondEnded(),
    });
    const result = await this.#second.dial();
    voice.ringBack(false);
    if (this.isOver) return null;
    if (result.type === 'answered') return result;
    this.#failed(result.failure, result);
    return null;
  }

  /** Null: the transfer is over. */
  async #admitLeg(): Promise<MeteredLeg | null> {
    const { plan, admitLeg, log, nowMs } = this.#options;
    const reply = await admitLeg(plan.toNumber).catch((error: unknown) => {
      log.error({ err: error }, 'a second leg could not be counted');
      return null;
    });
    if (reply?.admitted !== true) {
      this.#failed(reply?.reason ?? 'unavailable', { sipStatus: null });
      return null;
    }
    if (!this.isOver) return reply;
    reply.ended(nowMs());
    return null;
  }

  #join({ voice }: Extract<SecondLegResult, { type: 'answered' }>): void {
    if (this.isOver) return;
    // An early bridge goes on.
    if (!this.#isHeardEarly) this.#options.voice.bridgeTo(voice);
    this.#enter('bridged', { way: 'bridge', joinedAtMs: this.#options.nowMs(), sipStatus: 200 });
  }

  #onSecondEnded(): void {
    // Whom the caller's side has called in our place ends the call with us itself.
    if (this.#record.stage !== 'bridged') return;
    this.#end('completed', {});
    this.#options.onOver();
  }

  async #refer(leg: SipLeg, referTo: string, way: TransferWay): Promise<ReferResult> {
    const { plan, log } = this.#options;
    try {
      const { referredBy } = plan;
      const onProgress = (status: number) => {
        this.#leavingBy = way;
        if (status > 100 && status < 200) this.#ringing(status, false);
      };
      const result = await leg.refer({ referTo, referredBy, onProgress });
      // The last news may be faster than the answer to the REFER.
      if (result.type === 'transferred') this.#leavingBy = way;
      return result;
    } catch (error) {
      log.warn({ err: error, way }, 'a REFER could not be sent');
      return { type: 'refused', sipStatus: null };
    }
  }

  #ringing(sipStatus: number, isHeardByUs: boolean): void {
    if (this.#record.stage === 'ringing' || this.isOver) return;
    if (isHeardByUs) this.#options.voice.ringBack(true);
    this.#enter('ringing', { sipStatus });
  }

  /** The caller hears what the one called sends, instead of our own ringing. */
  #hearEarly(second: VoiceLeg): void {
    const { voice } = this.#options;
    if (this.isOver || this.#isHeardEarly) return;
    this.#isHeardEarly = true;
    voice.ringBack(false);
    voice.bridgeTo(second);
    this.#ringing(183, false);
  }

  #completed(sipStatus: number | null): void {
    if (this.isOver) return;
    this.#end('completed', this.#left(sipStatus));
    this.#options.onOver();
  }

  #left(sipStatus: number | null): Partial<TransferRecord> {
    return { way: this.#leavingBy, sipStatus, joinedAtMs: this.#options.nowMs() };
  }

  #failed(failure: TransferFailure, { sipStatus }: { readonly sipStatus: number | null }): void {
    if (this.isOver) return;
    this.#leavingBy = null;
    this.#end('failed', { failure, sipStatus });
    void this.#second?.hangUp('operator-hung-up');
    this.#options.onFailed(failure);
  }

  #end(stage: 'completed' | 'failed', facts: Partial<TransferRecord>): void {
    this.#enter(stage, { ...facts, endedAtMs: this.#options.nowMs() });
  }

  #enter(stage: TransferStage, facts: Partial<TransferRecord>): void {
    this.#record = { ...this.#record, ...facts, stage };
    this.#options.onStage(this.#record);
  }
}

function calleeOf({ browser, toNumber: to, fromNumber: number }: TransferPlan): Callee {
  return browser === null
    ? { type: 'number', target: { to, caller: { number }, variables: {} } }
    : { type: 'browser', browser };
}

/** What a final answer says of a call that somebody else made, or that we made for them. */
export function failureOfStatus(sipStatus: number | null): TransferFailure {
  if (sipStatus === null) return 'no-news';
  if (sipStatus === 486 || sipStatus === 600) return 'busy';
  if (sipStatus === 408 || sipStatus === 480) return 'no-answer';
  const isNobody = sipStatus === 404 || sipStatus === 410 || sipStatus === 484 || sipStatus === 604;
  return isNobody || (sipStatus >= 500 && sipStatus < 600) ? 'unavailable' : 'refused';
}
