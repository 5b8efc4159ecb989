import type { CallGate, CallPermit, CallPlan, GateRefusal } from '../call/call-gate.ts';
import type { CallEnding } from '../call/journal.ts';
import type { Charge, Tariff } from '../model/billing.ts';
import type { CallRecord } from '../model/call.ts';
import type { CallId, WorkspaceId } from '../model/ids.ts';
import { ledgerWrite } from '../storage/ledger-repository.ts';
import type { Write } from '../storage/write-queue.ts';
import { type EndedTimes, rateCall } from './rate-call.ts';
import type { TermsBook } from './terms-book.ts';

export interface CallMeterOptions {
  readonly terms: Pick<TermsBook, 'find'>;
  /** Of calls that no rate fits. */
  readonly currency: string;
}

/** Keeps the accounts of calls: what each is rated by from its start, and its entry at its end. */
export class CallMeter implements CallGate {
  readonly #options: CallMeterOptions;
  /** Of calls that have a permit and have not ended. */
  readonly #tariffs = new Map<CallId, Tariff | null>();

  constructor(options: CallMeterOptions) {
    this.#options = options;
  }

  async allowsDestination(_workspaceId: WorkspaceId, _toNumber: string): Promise<boolean> {
    return true;
  }

  async admit(plan: CallPlan): Promise<CallPermit | GateRefusal> {
    const terms = await this.#options.terms.find(plan.workspaceId);
    const tariff = terms?.rates?.tariff(plan, terms.type === 'demo') ?? null;
    this.#tariffs.set(plan.id, tariff);
    return { admitted: true, timeLimitSeconds: plan.timeLimitSeconds };
  }

  /** Null for one that was refused: it will not be answered. */
  tariffOf({ id }: Pick<CallRecord, 'id'>): Tariff | null {
    return this.#tariffs.get(id) ?? null;
  }

  /** The one entry of a call, for the transaction that ends it. */
  chargesOf(
    { id, answeredAtMs }: Pick<CallRecord, 'id' | 'answeredAtMs'>,
    ending: Pick<CallEnding, 'endedAtMs' | 'reason'>,
  ): readonly Write[] {
    const tariff = this.tariffOf({ id });
    this.#tariffs.delete(id);
    const { endedAtMs } = ending;
    return [ledgerWrite(id, ending, this.chargeOf({ tariff, answeredAtMs, endedAtMs }))];
  }

  /** The same for a call of a dead process, by the tariff that was stored with it. */
  chargeOf({ tariff, ...times }: EndedTimes & { readonly tariff: Tariff | null }): Charge {
    return rateCall(tariff, times, this.#options.currency);
  }
}
