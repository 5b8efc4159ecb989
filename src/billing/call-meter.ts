import type {
  CallGate,
  CallPermit,
  CallPlan,
  GateRefusal,
  LegPlan,
  MeteredLeg,
} from '../call/call-gate.ts';
import type { CallEnding } from '../call/journal.ts';
import type { Charge, Tariff } from '../model/billing.ts';
import type { CallRecord } from '../model/call.ts';
import type { CallId, WorkspaceId } from '../model/ids.ts';
import { holdReleaseWrite } from '../storage/call-hold-repository.ts';
import { ledgerWrite } from '../storage/ledger-repository.ts';
import { legIdOf, type TransferLegRepository } from '../storage/transfer-leg-repository.ts';
import type { Write } from '../storage/write-queue.ts';
import type { Budget } from './budget.ts';
import { allowsNumber, countsCalls, NO_CAPS, effectiveCaps } from './caps.ts';
import { FREE_LEG, LegMeter } from './leg-meter.ts';
import { type EndedTimes, rateCall } from './rate-call.ts';
import type { Rated } from './rate-card.ts';
import type { TermsBook } from './terms-book.ts';

export interface CallMeterOptions {
  readonly terms: Pick<TermsBook, 'find'>;
  readonly budget: Pick<Budget, 'admit' | 'admitLeg' | 'giveBack' | 'settled'>;
  readonly legs: () => TransferLegRepository;
  /** Of calls that no rate fits. */
  readonly currency: string;
  readonly onError: (error: unknown) => void;
}

interface MeteredCall {
  readonly tariff: Tariff | null;
  readonly isHeld: boolean;
  readonly legs: LegMeter[];
}

/**
 * Keeps the accounts of calls: lets them in within the caps of their workspace, remembers what
 * each is rated by from its start, and writes its entry at its end.
 */
export class CallMeter implements CallGate {
  readonly #options: CallMeterOptions;
  /** Of calls that have a permit and have not ended. */
  readonly #calls = new Map<CallId, MeteredCall>();

  constructor(options: CallMeterOptions) {
    this.#options = options;
  }

  async allowsDestination(workspaceId: WorkspaceId, toNumber: string): Promise<boolean> {
    const { caps } = await this.#termsOf(workspaceId);
    return allowsNumber(caps, toNumber);
  }

  async admit(plan: CallPlan): Promise<CallPermit | GateRefusal> {
    const { caps, tariff, currency } = await this.#termsOf(plan.workspaceId, plan);
    const permit = await this.#options.budget.admit(plan, caps, tariff, currency);
    if (permit.admitted) this.#calls.set(plan.id, { tariff, isHeld: countsCalls(caps), legs: [] });
    return permit;
  }

  async admitLeg(plan: LegPlan): Promise<MeteredLeg | GateRefusal> {
    // A browser of ours: no carrier is asked.
    if (plan.toNumber.startsWith('sip:')) return FREE_LEG;
    const { budget, legs, onError } = this.#options;
    const { workspaceId, door, toNumber, callId } = plan;
    const rated: Rated = { direction: 'outbound', door, toNumber };
    const { caps, tariff, currency } = await this.#termsOf(workspaceId, rated);
    const isHeld = countsCalls(caps);
    const permit = isHeld ? await budget.admitLeg(plan, caps, tariff, currency) : null;
    if (permit?.admitted === false) return permit;
    try {
      await legs().begin({ ...plan, tariff });
    } catch (error) {
      if (isHeld) await budget.giveBack(plan).catch(onError);
      throw error;
    }
    const chargeOf: CallMeter['chargeOf'] = (ended) => this.chargeOf(ended);
    const leg = new LegMeter({ id: legIdOf(plan), tariff, legs: legs(), chargeOf, onError });
    this.#calls.get(callId)?.legs.push(leg);
    return leg;
  }

  /** Null for one that was refused: it will not be answered. */
  tariffOf({ id }: Pick<CallRecord, 'id'>): Tariff | null {
    return this.#calls.get(id)?.tariff ?? null;
  }

  /** The entry of a call and those of its legs, for the transaction that ends it. */
  chargesOf(
    { id, answeredAtMs }: Pick<CallRecord, 'id' | 'answeredAtMs'>,
    ending: Pick<CallEnding, 'endedAtMs' | 'reason'>,
  ): readonly Write[] {
    const { tariff = null, isHeld = false, legs = [] } = this.#calls.get(id) ?? {};
    const { endedAtMs } = ending;
    const entry = ledgerWrite(id, ending, this.chargeOf({ tariff, answeredAtMs, endedAtMs }));
    const all = [entry, ...legs.flatMap((leg) => leg.writesAt(endedAtMs))];
    return isHeld ? [...all, holdReleaseWrite(id)] : all;
  }

  /** The same for a call of a dead process, by the tariff that was stored with it. */
  chargeOf({ tariff, ...times }: EndedTimes & { readonly tariff: Tariff | null }): Charge {
    return rateCall(tariff, times, this.#options.currency);
  }

  /** Its entry is durable: the workspace may have come near a cap. Not waited for. */
  settled({
    id,
    workspaceId,
    startedAtMs,
  }: Pick<CallRecord, 'id' | 'workspaceId' | 'startedAtMs'>): void {
    this.#calls.delete(id);
    const { budget, onError } = this.#options;
    this.#termsOf(workspaceId)
      .then(({ caps, currency }) => budget.settled(workspaceId, startedAtMs, caps, currency))
      .catch(onError);
  }

  async #termsOf(workspaceId: WorkspaceId, plan: Rated | null = null) {
    const terms = await this.#options.terms.find(workspaceId);
    const rates = terms?.rates ?? null;
    return {
      caps: terms?.caps ?? effectiveCaps(NO_CAPS, null, null),
      tariff: plan === null ? null : (rates?.tariff(plan, terms?.type === 'demo') ?? null),
      currency: rates?.currency ?? this.#options.currency,
    };
  }
}
