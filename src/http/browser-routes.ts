import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { InstantLinkDoor } from '../access/instant-links.ts';
import type { PublicCalls } from '../access/public-calls.ts';
import type { SipCredentialBook } from '../access/sip-credentials.ts';
import type { WebCallTokens } from '../access/web-call-tokens.ts';
import type { WebPage } from '../web/web-pages.ts';
import { limitByAddress } from './address-limit.ts';
import type { Auth } from './auth.ts';
import { publicRoutes } from './public-routes.ts';
import { ownerWebCallRoutes } from './routes/owner-web-calls.ts';
import { pageRoutes } from './routes/pages.ts';
import { publicCallRoutes } from './routes/public-calls.ts';
import { sipCredentialRoutes } from './routes/sip-credentials.ts';

export interface BrowserRoutesOptions {
  readonly auth: Auth;
  readonly doors: {
    readonly calls: PublicCalls;
    readonly tokens: WebCallTokens;
    readonly links: InstantLinkDoor;
    readonly credentials: SipCredentialBook;
  };
  readonly pages: readonly WebPage[];
  /** Base of our own addresses, without a slash at its end. */
  readonly publicUrl: () => string;
}

/** Of one address, to doors that need no key. */
const REQUESTS_PER_MINUTE = 30;
const CODES_PER_MINUTE = 120;

/** What browsers ask for: pages, what the pages ask for, and the doors of their calls. */
export function browserRoutes(options: BrowserRoutesOptions): FastifyPluginAsyncTypebox {
  const { auth, doors, pages, publicUrl } = options;
  const { calls } = doors;
  return async (app) => {
    const limit = limitByAddress(REQUESTS_PER_MINUTE);
    await app.register(publicCallRoutes, { calls, limit });
    // Owners spend nothing of the public's, nor the public of theirs.
    const ownersLimit = limitByAddress(REQUESTS_PER_MINUTE);
    const tokens = () => doors.tokens;
    const credentials = () => doors.credentials;
    await app.register(ownerWebCallRoutes, { auth, tokens, calls, limit: ownersLimit });
    await app.register(sipCredentialRoutes, { auth, credentials, publicUrl, limit });
    const codes = limitByAddress(CODES_PER_MINUTE);
    await app.register(pageRoutes, { pages, publicUrl, limit: codes });
    const requestsPerMinute = REQUESTS_PER_MINUTE;
    await app.register(publicRoutes({ tokens, links: () => doors.links, requestsPerMinute }));
  };
}
