import { Budget, type CapObserver } from './billing/budget.ts';
import { CallMeter } from './billing/call-meter.ts';
import { NO_CAPS } from './billing/caps.ts';
import { TermsBook } from './billing/terms-book.ts';
import type { Config } from './config.ts';
import type { Caps } from './model/billing.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import type { Storage } from './storage/storage.ts';
import type { WorkspaceType } from './storage/workspace-repository.ts';

export interface BillingOptions {
  readonly config: Pick<Config, 'billing' | 'caps'>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly storage: () => Storage;
  /** Further ones than the log and the metrics, e.g. webhooks. */
  readonly capObservers?: readonly CapObserver[];
}

/** Money, joined to the settings and to storage. */
export class Billing {
  /** What workspaces' calls are admitted and rated by. */
  readonly terms: TermsBook;
  readonly meter: CallMeter;

  constructor({ config, log, metrics, storage, capObservers = [] }: BillingOptions) {
    const onError = (error: unknown) =>
      log.error({ err: error }, 'accounts could not be looked at or written');
    this.terms = new TermsBook({
      repository: () => storage().billingTerms,
      capsOf: (type) => defaultCaps(config.caps, type),
      clockMs: () => performance.now(),
    });
    const observer: CapObserver = {
      onCap(notice) {
        const { level, cap } = notice;
        metrics.capNotice(cap, level);
        log.warn({ ...notice }, 'a workspace comes to a cap');
        for (const each of capObservers) each.onCap(notice);
      },
    };
    const holds = () => storage().callHolds;
    const budget = new Budget({ holds, observer, onError, nowMs: Date.now });
    const { currency } = config.billing;
    const legs = () => storage().transferLegs;
    this.meter = new CallMeter({ terms: this.terms, budget, legs, currency, onError });
  }
}

function defaultCaps(caps: Config['caps'], type: WorkspaceType): Caps {
  if (type === 'demo') {
    return {
      ...NO_CAPS,
      minutesPerDay: caps.demoMinutesPerDay,
      callsPerDay: caps.demoCallsPerDay,
      callsAtOnce: caps.demoCallsAtOnce,
      callSecondsMax: caps.demoCallSecondsMax,
      destinations: caps.demoDestinations,
    };
  }
  return {
    ...NO_CAPS,
    minutesPerDay: orNone(caps.standardMinutesPerDay),
    callsPerDay: orNone(caps.standardCallsPerDay),
    callsAtOnce: orNone(caps.standardCallsAtOnce),
    destinations: caps.standardDestinations,
  };
}

function orNone(limit: number): number | null {
  return limit === 0 ? null : limit;
}
