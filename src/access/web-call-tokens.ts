import { asAgentId, type AgentId, type WorkspaceId } from '../model/ids.ts';
import type { AgentRepository, StoredAgent } from '../storage/agent-repository.ts';
import type { ApiKey, ApiKeyRepository } from '../storage/api-key-repository.ts';
import type { SharedKeyRepository } from '../storage/shared-key-repository.ts';
import type { WebCallRepository } from '../storage/web-call-repository.ts';
import type { SignedBody, SignedTokens } from './signed-tokens.ts';

/** Time to turn a token into a call; the call itself lives as long as it likes. */
export const WEB_CALL_TOKEN_MS = 120_000;

/** What a redeemed token allows: one call of one agent. */
export interface WebCallGrant {
  readonly workspaceId: WorkspaceId;
  readonly agent: StoredAgent;
  /** A call of the agent's owner, which counts for no limit of the public. */
  readonly isOwner: boolean;
  /** There was no call after all: until it expires the token is good again. */
  readonly giveBack: () => Promise<void>;
}

export interface WebCallTokens {
  /**
   * A token for one call, in exchange for the agent's shared key. Nothing is written and no
   * place is taken by it. Null for an unknown agent, a wrong key and an agent that is switched
   * off alike.
   */
  mintWebCallToken(agentId: AgentId, sharedKey: string): Promise<string | null>;
  /** A token for one call of an owner to an agent of his, shared or not; null: he has none such. */
  mintOwnerToken(key: ApiKey, agentId: AgentId): Promise<string | null>;
  /**
   * Null for a token that is forged, expired, used before, or whose key or agent has been
   * withdrawn since; also for one of another agent, when `agentId` is given. A token is used up
   * only by the call that redeems it: of several at once, over all processes, one succeeds.
   */
  redeemWebCallToken(token: string, agentId?: AgentId): Promise<WebCallGrant | null>;
  /** As above, for a token whose signature was proved in another way. */
  redeemBody(body: SignedBody): Promise<WebCallGrant | null>;
}

export interface WebCallTokensOptions {
  readonly signed: SignedTokens;
  readonly agents: Pick<AgentRepository, 'find' | 'findForCall'>;
  readonly sharedKeys: Pick<SharedKeyRepository, 'verify' | 'findActive'>;
  readonly apiKeys: Pick<ApiKeyRepository, 'findActive'>;
  readonly webCalls: Pick<WebCallRepository, 'redeem' | 'giveBack'>;
  /** Unix time. */
  readonly nowMs: () => number;
}

export function createWebCallTokens(options: WebCallTokensOptions): WebCallTokens {
  const { signed, agents, sharedKeys, apiKeys, webCalls, nowMs } = options;

  const mint = async (prefix: 'wct' | 'owt', keyId: string, agentId: AgentId) => {
    const expiresAtMs = nowMs() + WEB_CALL_TOKEN_MS;
    return (await signed.sign({ prefix, keyId, expiresAtMs, subject: agentId })).join('.');
  };

  /** The agent of a token, as long as the key that it was given for is good. */
  const agentOf = async ({ prefix, keyId, subject }: SignedBody) => {
    const agent = await agents.findForCall(asAgentId(subject));
    if (agent === null || !agent.isEnabled) return null;
    const key =
      prefix === 'wct'
        ? await sharedKeys.findActive(keyId, nowMs())
        : await apiKeys.findActive(agent.workspaceId, keyId);
    return key === null ? null : agent;
  };

  const redeemBody = async (body: SignedBody): Promise<WebCallGrant | null> => {
    const { prefix, id, expiresAtMs } = body;
    const agent = prefix === 'wsc' ? null : await agentOf(body);
    if (agent === null || nowMs() >= expiresAtMs) return null;
    if (!(await webCalls.redeem(id, expiresAtMs, nowMs()))) return null;
    const { workspaceId } = agent;
    const giveBack = () => webCalls.giveBack(id);
    return { workspaceId, agent, isOwner: prefix === 'owt', giveBack };
  };

  return {
    async mintWebCallToken(agentId, sharedKey) {
      const key = await sharedKeys.verify(agentId, sharedKey, nowMs());
      const agent = await agents.findForCall(agentId);
      if (key === null || agent === null || !agent.isEnabled) return null;
      return mint('wct', key.id, agentId);
    },

    async mintOwnerToken({ id, workspaceId }, agentId) {
      const agent = await agents.find(workspaceId, agentId);
      return agent === null ? null : mint('owt', id, agentId);
    },

    async redeemWebCallToken(token, agentId) {
      const body = await signed.read(token);
      if (body === null || (agentId !== undefined && body.subject !== agentId)) return null;
      return redeemBody(body);
    },

    redeemBody,
  };
}
