import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { InstantLinkDoor } from '../access/instant-links.ts';
import type { WebCallTokens } from '../access/web-call-tokens.ts';
import { limitByAddress } from './address-limit.ts';
import { instantLinkWelcomeRoutes } from './routes/instant-voice-links.ts';
import { publicWebCallRoutes } from './routes/public-web-call.ts';

export interface PublicRoutesOptions {
  readonly tokens: () => WebCallTokens;
  readonly links: () => InstantLinkDoor;
  /** Requests of one address per minute, over these routes together. */
  readonly requestsPerMinute: number;
}

/** What anyone may ask without a key of ours. */
export function publicRoutes(options: PublicRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    const limit = limitByAddress(options.requestsPerMinute);
    await app.register(publicWebCallRoutes, { tokens: options.tokens(), limit });
    await app.register(instantLinkWelcomeRoutes, { door: options.links(), limit });
  };
}
