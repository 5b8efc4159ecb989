import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Storage } from '../storage/storage.ts';
import type { AgentLimits } from './agent-shape.ts';
import type { Auth } from './auth.ts';
import { agentRoutes } from './routes/agents.ts';
import { apiKeyRoutes } from './routes/api-keys.ts';
import { clickToCallCredentialRoutes } from './routes/click-to-call-credentials.ts';
import { instantLinkRoutes } from './routes/instant-voice-links.ts';
import { sharedKeyRoutes } from './routes/shared-keys.ts';
import { type WorkspaceRoutesOptions, workspaceRoutes } from './routes/workspaces.ts';

export interface OwnerRoutesOptions extends AgentLimits {
  readonly auth: Auth;
  /** Asked for when the server starts, which is after storage was opened. */
  readonly storage: () => Storage;
  /** Unix time. */
  readonly nowMs: () => number;
  /** Base of our own addresses, without a slash at its end. */
  readonly publicUrl: () => string;
  readonly onWorkspaceChanged?: WorkspaceRoutesOptions['onWorkspaceChanged'];
}

/** What an owner does to what is his: workspace, keys, agents and the ways to reach them. */
export function ownerRoutes(options: OwnerRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    const { workspaces, apiKeys, agents, sharedKeys, instantLinks, clickToCall } =
      options.storage();
    await app.register(workspaceRoutes, { ...options, workspaces, apiKeys });
    await app.register(apiKeyRoutes, { ...options, apiKeys });
    await app.register(agentRoutes, { ...options, agents });
    await app.register(sharedKeyRoutes, { ...options, agents, sharedKeys });
    await app.register(clickToCallCredentialRoutes, { ...options, agents, clickToCall });
    await app.register(instantLinkRoutes, { ...options, links: instantLinks });
  };
}
