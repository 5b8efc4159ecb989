import { Budget } from '../../src/billing/budget.ts';
import type { CapNotice } from '../../src/model/billing.ts';
import { CallMeter } from '../../src/billing/call-meter.ts';
import { NO_CAPS } from '../../src/billing/caps.ts';
import { TermsBook } from '../../src/billing/terms-book.ts';
import type { Caps } from '../../src/model/billing.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { WorkspaceType } from '../../src/storage/workspace-repository.ts';

/** Terms of workspaces; without `capsOf` they have no caps but those that were set. */
export function testTerms(
  storage: () => Storage,
  capsOf: (type: WorkspaceType) => Caps = () => NO_CAPS,
): TermsBook {
  const clockMs = () => performance.now();
  return new TermsBook({ repository: () => storage().billingTerms, capsOf, clockMs });
}

/** The accounts as the daemon keeps them. An error fails the test as an unhandled one. */
export function testMeter(
  storage: () => Storage,
  terms: TermsBook = testTerms(storage),
  onCap: (notice: CapNotice) => void = () => {},
): CallMeter {
  const onError = (error: unknown): never => {
    throw error;
  };
  const holds = () => storage().callHolds;
  const budget = new Budget({ holds, observer: { onCap }, onError, nowMs: Date.now });
  const legs = () => storage().transferLegs;
  return new CallMeter({ terms, budget, legs, currency: 'USD', onError });
}
