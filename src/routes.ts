import type { InstantLinkDoor } from './access/instant-links.ts';
import type { PublicCalls } from './access/public-calls.ts';
import type { WebCallTokens } from './access/web-call-tokens.ts';
import type { CallFeed } from './call/call-feed.ts';
import type { CallService } from './call/call-service.ts';
import type { Config } from './config.ts';
import { providersFor } from './dialogue/choose-llm.ts';
import { limitByAddress } from './http/address-limit.ts';
import { createAuth } from './http/auth.ts';
import { type ChatRoutesOptions, chatRoutes } from './http/chat-routes.ts';
import type { HttpPartOptions } from './http/http-part.ts';
import { ownerRoutes } from './http/owner-routes.ts';
import { publicRoutes } from './http/public-routes.ts';
import { EventStreams } from './http/event-stream.ts';
import { callCommandRoutes } from './http/routes/call-commands.ts';
import { callStreamRoutes } from './http/routes/call-streams.ts';
import { callRoutes } from './http/routes/calls.ts';
import { type HealthReport, operationRoutes } from './http/routes/operations.ts';
import { outboundCallRoutes } from './http/routes/outbound-calls.ts';
import { pageRoutes } from './http/routes/pages.ts';
import { publicCallRoutes } from './http/routes/public-calls.ts';
import { trunkRoutes } from './http/routes/trunks.ts';
import type { Metrics } from './observability/metrics.ts';
import type { TrunkService } from './signaling/trunk/trunk-service.ts';
import { DEMO_WORKSPACE_ID } from './storage/bootstrap.ts';
import type { Storage } from './storage/storage.ts';
import { webPages } from './web/web-pages.ts';

/** What is a function exists only once its part has started. */
export interface RoutesOptions {
  readonly config: Config;
  readonly metrics: Metrics;
  readonly chat: ChatRoutesOptions['chat'];
  readonly feed: CallFeed;
  readonly publicCalls: PublicCalls;
  readonly trunks: TrunkService;
  readonly health: () => HealthReport;
  readonly storage: () => Storage;
  readonly calls: () => CallService;
  readonly webCallTokens: () => WebCallTokens;
  readonly instantLinkDoor: () => InstantLinkDoor;
  /** Base of our own addresses, without a slash at its end. */
  readonly publicUrl: () => string;
}

/** Of one address, to doors that need no key. */
const PUBLIC_REQUESTS_PER_MINUTE = 30;

/** Every route of the daemon, joined to the parts it asks. */
export function routesOf(options: RoutesOptions): HttpPartOptions['routes'] {
  const { config, metrics, storage, calls, publicUrl } = options;
  const auth = createAuth({
    apiKeys: { verify: (key) => storage().apiKeys.verify(key) },
    requestsPerMinute: config.http.requestsPerMinute,
    operator: DEMO_WORKSPACE_ID,
  });
  const publicLimit = limitByAddress(PUBLIC_REQUESTS_PER_MINUTE);
  return [
    (app) => operationRoutes(app, { metrics, health: options.health }),
    (app) =>
      callRoutes(app, {
        auth,
        calls: storage().calls,
        hangUp: async (workspaceId, id) => {
          const call = calls().find(id);
          if (call?.record.workspaceId === workspaceId) await call.hangUp('operator-hung-up');
        },
      }),
    (app) =>
      callStreamRoutes(app, {
        auth,
        calls: storage().calls,
        feed: options.feed,
        live: (id) => calls().find(id),
        streams: new EventStreams(),
      }),
    (app) =>
      callCommandRoutes(app, { auth, calls: storage().calls, live: (id) => calls().find(id) }),
    (app) => outboundCallRoutes(app, { auth, dial: (request) => calls().dial(request) }),
    (app) => trunkRoutes(app, { auth, trunks: () => options.trunks.views() }),
    (app) => publicCallRoutes(app, { calls: options.publicCalls, limit: publicLimit }),
    (app) => pageRoutes(app, { pages: webPages() }),
    ownerRoutes({
      auth,
      storage,
      nowMs: Date.now,
      publicUrl,
      aiProviders: providersFor(config.llm),
    }),
    publicRoutes({
      tokens: options.webCallTokens,
      links: options.instantLinkDoor,
      requestsPerMinute: PUBLIC_REQUESTS_PER_MINUTE,
    }),
    chatRoutes({ auth, chat: options.chat, storage, publicUrl }),
  ];
}
