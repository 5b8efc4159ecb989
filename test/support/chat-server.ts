import type { FastifyInstance } from 'fastify';
import { createAuth } from '../../src/http/auth.ts';
import { chatRoutes } from '../../src/http/chat-routes.ts';
import { createHttpServer } from '../../src/http/server.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { asWorkspaceId } from '../../src/model/ids.ts';
import { newApiKey, type Scope } from '../../src/storage/api-key-repository.ts';
import { DEMO_WORKSPACE_ID } from '../../src/storage/bootstrap.ts';
import { type ChatRigOptions, chatRig } from './chat.ts';

export interface ChatServerOptions extends ChatRigOptions {
  readonly publicUrl?: string;
}

/** The real server with public chat over a real database. Not listening: use `app.inject`. */
export async function chatServer(options: ChatServerOptions = {}) {
  const rig = await chatRig(options);
  const { storage, links, chat, verification, log } = rig;
  const auth = createAuth({
    apiKeys: storage.apiKeys,
    requestsPerMinute: 10_000,
    operator: DEMO_WORKSPACE_ID,
  });
  const publicUrl = () => options.publicUrl ?? 'https://voice.example.org';
  const app: FastifyInstance = await createHttpServer({
    log,
    metrics: createMetrics(),
    version: '0.0.0-test',
    publicUrl,
    bodyMaxBytes: 1_048_576,
    requestTimeoutSeconds: 15,
    connectionsMax: 100,
    trustedProxies: [],
    routes: [
      chatRoutes({ auth, chat: { links, chat, verification }, storage: () => storage, publicUrl }),
    ],
  });
  return {
    ...rig,
    app,
    headers: { authorization: `Bearer ${rig.adminKey}` },
    otherWorkspace: asWorkspaceId('ws_other'),
    /** Headers of a new key of the demo workspace, or of another one. */
    async keyWith(scopes: readonly Scope[], workspace = DEMO_WORKSPACE_ID) {
      await storage.workspaces.create({ id: workspace, name: workspace, type: 'standard' }, 1);
      const key = newApiKey('live');
      await storage.apiKeys.create(key, { workspaceId: workspace, label: 'test', scopes }, 1);
      return { authorization: `Bearer ${key}` };
    },
    async close() {
      await app.close();
      await rig.close();
    },
  };
}

export type ChatServer = Awaited<ReturnType<typeof chatServer>>;
