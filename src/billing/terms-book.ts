import type { Caps, RateCard } from '../model/billing.ts';
import type { WorkspaceId } from '../model/ids.ts';
import type { BillingTerms, BillingTermsRepository } from '../storage/billing-terms-repository.ts';
import { type EffectiveCaps, effectiveCaps } from './caps.ts';
import { RateBook } from './rate-card.ts';

/** Terms of a workspace, ready for the next call. */
export interface ReadyTerms extends Omit<BillingTerms, 'rates'> {
  readonly rates: RateBook | null;
  readonly caps: EffectiveCaps;
}

export interface TermsBookOptions {
  readonly repository: () => Pick<BillingTermsRepository, 'find' | 'setRates' | 'setCaps'>;
  /** What holds where the operator has set nothing. */
  readonly capsOf: (type: BillingTerms['type']) => Caps;
  /** Any clock that does not go back. */
  readonly clockMs: () => number;
}

/** A change by another process is seen after so long. */
const KEPT_MS = 2000;
const WORKSPACES_MAX = 1000;

interface Kept {
  readonly terms: Promise<ReadyTerms | null>;
  readonly untilMs: number;
}

/** What workspaces' calls are admitted and rated by, kept for a moment: a call waits for no read. */
export class TermsBook {
  readonly #options: TermsBookOptions;
  readonly #kept = new Map<WorkspaceId, Kept>();

  constructor(options: TermsBookOptions) {
    this.#options = options;
  }

  /** Null when there is no such workspace. */
  find(id: WorkspaceId): Promise<ReadyTerms | null> {
    const nowMs = this.#options.clockMs();
    const kept = this.#kept.get(id);
    if (kept !== undefined && nowMs < kept.untilMs) return kept.terms;
    const terms = this.#read(id);
    this.#keep(id, { terms, untilMs: nowMs + KEPT_MS });
    // A failure is not remembered.
    terms.catch(() => this.#kept.delete(id));
    return terms;
  }

  /** As `BillingTermsRepository.setRates`. Here the next call begins with it. */
  async setRates(id: WorkspaceId, card: RateCard, atMs: number): Promise<boolean> {
    const isTaken = await this.#options.repository().setRates(id, card, atMs);
    this.forget(id);
    return isTaken;
  }

  async setCaps(
    id: WorkspaceId,
    by: 'operator' | 'owner',
    caps: Caps,
    atMs: number,
  ): Promise<void> {
    await this.#options.repository().setCaps(id, by, caps, atMs);
    this.forget(id);
  }

  /** The workspace was changed elsewhere in this process. */
  forget(id: WorkspaceId): void {
    this.#kept.delete(id);
  }

  async #read(id: WorkspaceId): Promise<ReadyTerms | null> {
    const terms = await this.#options.repository().find(id);
    if (terms === null) return null;
    const { type, operatorCaps, ownerCaps } = terms;
    return {
      ...terms,
      rates: terms.rates === null ? null : new RateBook(terms.rates),
      caps: effectiveCaps(this.#options.capsOf(type), operatorCaps, ownerCaps),
    };
  }

  #keep(id: WorkspaceId, kept: Kept): void {
    this.#kept.delete(id);
    this.#kept.set(id, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > WORKSPACES_MAX && oldest !== undefined) this.#kept.delete(oldest);
  }
}
