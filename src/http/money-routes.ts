import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { TermsBook } from '../billing/terms-book.ts';
import type { Storage } from '../storage/storage.ts';
import type { Auth } from './auth.ts';
import { auditRoutes } from './routes/audit.ts';
import { billingRoutes } from './routes/billing.ts';
import { capRoutes } from './routes/caps.ts';
import { ledgerRoutes } from './routes/ledger.ts';
import { usageRoutes } from './routes/usage.ts';

export interface MoneyRoutesOptions {
  readonly auth: Auth;
  /** Asked for when the server starts, which is after storage was opened. */
  readonly storage: () => Storage;
  readonly terms: TermsBook;
  /** Unix time. */
  readonly nowMs: () => number;
  /** Of workspaces without rates. */
  readonly currency: string;
}

/** What calls cost, what they came to, and what was done with keys. */
export function moneyRoutes(options: MoneyRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    const { usage, ledger, billingTerms, callHolds, audit } = options.storage();
    await app.register(usageRoutes, { ...options, usage, billingTerms });
    await app.register(ledgerRoutes, { ...options, ledger });
    await app.register(billingRoutes, { ...options, billingTerms });
    await app.register(capRoutes, { ...options, callHolds });
    await app.register(auditRoutes, { ...options, audit });
  };
}
