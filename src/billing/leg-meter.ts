import type { MeteredLeg } from '../call/call-gate.ts';
import type { Charge, Tariff } from '../model/billing.ts';
import { legEntryWrite, type TransferLegRepository } from '../storage/transfer-leg-repository.ts';
import type { Write } from '../storage/write-queue.ts';
import type { EndedTimes } from './rate-call.ts';

export interface LegMeterOptions {
  readonly id: string;
  readonly tariff: Tariff | null;
  readonly legs: Pick<TransferLegRepository, 'markAnswered' | 'end'>;
  readonly chargeOf: (ended: EndedTimes & { readonly tariff: Tariff | null }) => Charge;
  readonly onError: (error: unknown) => void;
}

/**
 * One further leg of a call, from its permit to its entry. That is written when the leg ends, and
 * once more with the end of the call, which finds nothing to do then unless storage has failed.
 */
export class LegMeter implements MeteredLeg {
  readonly admitted = true;
  readonly #options: LegMeterOptions;
  #answeredAtMs: number | null = null;
  #endedAtMs: number | null = null;
  #isWritten = false;

  constructor(options: LegMeterOptions) {
    this.#options = options;
  }

  answered(atMs: number): void {
    if (this.#answeredAtMs !== null || this.#endedAtMs !== null) return;
    this.#answeredAtMs = atMs;
    const { legs, id, onError } = this.#options;
    legs.markAnswered(id, atMs).catch(onError);
  }

  ended(atMs: number): void {
    if (this.#endedAtMs !== null) return;
    this.#endedAtMs = atMs;
    const { legs, id, onError } = this.#options;
    legs
      .end(id, this.#endedBy(atMs))
      .then(() => {
        this.#isWritten = true;
      })
      .catch(onError);
  }

  /** For the transaction that ends its call. */
  writesAt(callEndedAtMs: number): readonly Write[] {
    if (this.#isWritten) return [];
    return [legEntryWrite(this.#options.id, this.#endedBy(callEndedAtMs))];
  }

  #endedBy(callEndedAtMs: number) {
    const { tariff, chargeOf } = this.#options;
    const endedAtMs = this.#endedAtMs ?? callEndedAtMs;
    const charge = chargeOf({ tariff, answeredAtMs: this.#answeredAtMs, endedAtMs });
    return { endedAtMs, charge };
  }
}

/** Of a leg that nobody is paid for. */
export const FREE_LEG: MeteredLeg = { admitted: true, answered() {}, ended() {} };
