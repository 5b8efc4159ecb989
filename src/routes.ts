import type { ClickToCall } from './access/click-to-call.ts';
import type { TermsBook } from './billing/terms-book.ts';
import type { BrowserDoors } from './browser-doors.ts';
import type { CallSimulation } from './call-simulation.ts';
import type { CallFeed } from './call/call-feed.ts';
import type { CallService } from './call/call-service.ts';
import type { Config } from './config.ts';
import { providersFor } from './dialogue/choose-llm.ts';
import { type Auth, createAuth } from './http/auth.ts';
import { auditTrail } from './http/audit-trail.ts';
import { browserRoutes } from './http/browser-routes.ts';
import { type ChatRoutesOptions, chatRoutes } from './http/chat-routes.ts';
import type { HttpPartOptions } from './http/http-part.ts';
import { moneyRoutes } from './http/money-routes.ts';
import { ownerRoutes } from './http/owner-routes.ts';
import { EventStreams } from './http/event-stream.ts';
import { callCommandRoutes } from './http/routes/call-commands.ts';
import { callStreamRoutes } from './http/routes/call-streams.ts';
import { callTransferRoutes } from './http/routes/call-transfer.ts';
import { callRoutes } from './http/routes/calls.ts';
import { clickToCallRoutes } from './http/routes/click-to-call.ts';
import { type HealthReport, operationRoutes } from './http/routes/operations.ts';
import { type NumberRoutesOptions, numberRoutes } from './http/routes/numbers.ts';
import { outboundCallRoutes } from './http/routes/outbound-calls.ts';
import { trunkRoutes } from './http/routes/trunks.ts';
import { type WebhookRoutesOptions, webhookRoutes } from './http/routes/webhooks.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import type { TrunkService } from './signaling/trunk/trunk-service.ts';
import { DEMO_WORKSPACE_ID } from './storage/bootstrap.ts';
import type { Storage } from './storage/storage.ts';
import type { WebhookSender } from './webhooks/webhook-sender.ts';
import { webPages } from './web/web-pages.ts';

/** What is a function exists only once its part has started. */
export interface RoutesOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly chat: ChatRoutesOptions['chat'];
  readonly feed: CallFeed;
  readonly doors: BrowserDoors;
  readonly trunks: TrunkService;
  readonly terms: TermsBook;
  readonly health: () => HealthReport;
  readonly storage: () => Storage;
  readonly calls: () => CallService;
  readonly clickToCall: () => ClickToCall;
  readonly simulation: Pick<CallSimulation, 'dial' | 'hangUp'>;
  readonly webhooks: { readonly sender: WebhookSender };
  /** Base of our own addresses, without a slash at its end. */
  readonly publicUrl: () => string;
}

/** Every route of the daemon, joined to the parts it asks. */
export function routesOf(options: RoutesOptions): HttpPartOptions['routes'] {
  const { config, metrics, storage, calls, publicUrl } = options;
  const auth = createAuth({
    apiKeys: { verify: (key) => storage().apiKeys.verify(key) },
    requestsPerMinute: config.http.requestsPerMinute,
    operator: DEMO_WORKSPACE_ID,
  });
  return [
    ...accountRoutes(options, auth),
    (app) => operationRoutes(app, { metrics, health: options.health }),
    (app) =>
      callRoutes(app, {
        auth,
        calls: storage().calls,
        hangUp: async (workspaceId, id) => {
          // Whose it is has been seen to.
          if (await options.simulation.hangUp(id)) return;
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
    (app) =>
      outboundCallRoutes(app, {
        auth,
        dial: (request) => calls().dial(request),
        simulate: (request) => options.simulation.dial(request),
      }),
    (app) =>
      callTransferRoutes(app, {
        auth,
        calls: storage().calls,
        transfer: (...order) => calls().transfer(...order),
      }),
    (app) => clickToCallRoutes(app, { clickToCall: options.clickToCall }),
    (app) => webhookRoutes(app, webhookOptions(options, auth)),
    (app) => numberRoutes(app, numberOptions(options, auth)),
    (app) =>
      trunkRoutes(app, {
        auth,
        trunks: () => options.trunks.views(),
        diagnose: (...asked) => options.trunks.diagnose(...asked),
      }),
    browserRoutes({ auth, doors: options.doors, pages: webPages(), publicUrl }),
    ownerRoutes({
      onWorkspaceChanged: (id) => options.terms.forget(id),
      auth,
      storage,
      nowMs: Date.now,
      publicUrl,
      aiProviders: providersFor(config.llm),
    }),
    chatRoutes({ auth, chat: options.chat, storage, publicUrl }),
  ];
}

function webhookOptions(
  { config, storage, webhooks }: RoutesOptions,
  auth: Auth,
): WebhookRoutesOptions {
  return {
    auth,
    deliveries: storage().webhooks,
    secrets: storage().webhookSecrets,
    sender: () => webhooks.sender,
    headerPrefix: config.webhooks.headerPrefix,
    nowMs: Date.now,
  };
}

function numberOptions({ storage, trunks }: RoutesOptions, auth: Auth): NumberRoutesOptions {
  const { phoneNumbers: numbers, agents, workspaces } = storage();
  return {
    auth,
    numbers,
    agents,
    workspaces,
    trunkNames: () => trunks.views().map(({ name }) => name),
    operator: DEMO_WORKSPACE_ID,
    nowMs: Date.now,
  };
}

/** The log of what owners do, which must stand before all routes, and what calls cost. */
function accountRoutes(
  { config, log, storage, terms }: RoutesOptions,
  auth: Auth,
): HttpPartOptions['routes'] {
  const nowMs = Date.now;
  const onError = (error: unknown) =>
    log.error({ err: error }, 'an audit entry could not be written');
  const { currency } = config.billing;
  return [
    auditTrail({ auth, audit: () => storage().audit, onError, nowMs }),
    moneyRoutes({ auth, storage, terms, nowMs, currency }),
  ];
}
