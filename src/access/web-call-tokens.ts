import { createHmac, timingSafeEqual } from 'node:crypto';
import { randomText } from '../lib/random-id.ts';
import { asAgentId, type AgentId, type WorkspaceId } from '../model/ids.ts';
import type { AgentRepository, StoredAgent } from '../storage/agent-repository.ts';
import type { SharedKeyRepository } from '../storage/shared-key-repository.ts';
import type { WebCallRepository } from '../storage/web-call-repository.ts';

/** Time to turn a token into a call; the call itself lives as long as it likes. */
export const WEB_CALL_TOKEN_MS = 120_000;

/** What a redeemed token allows: one call of one agent. */
export interface WebCallGrant {
  readonly workspaceId: WorkspaceId;
  readonly agent: StoredAgent;
}

export interface WebCallTokens {
  /**
   * A token for one call, in exchange for the agent's shared key. Nothing is written and no
   * place is taken by it. Null for an unknown agent, a wrong key and an agent that is switched
   * off alike.
   */
  mintWebCallToken(agentId: AgentId, sharedKey: string): Promise<string | null>;
  /**
   * Null for a token that is forged, expired, used before, or whose key or agent has been
   * withdrawn since. A token is used up only by the call that redeems it: of several at once,
   * over all processes, one succeeds.
   */
  redeemWebCallToken(token: string): Promise<WebCallGrant | null>;
}

export interface WebCallTokensOptions {
  readonly agents: Pick<AgentRepository, 'findForCall'>;
  readonly sharedKeys: Pick<SharedKeyRepository, 'verify' | 'findActive'>;
  readonly webCalls: WebCallRepository;
  /** Unix time. */
  readonly nowMs: () => number;
}

/** `wct_` id `.` key id `.` expiry `.` agent id `.` signature of all before it. */
const SHAPE = /^wct_(\w{16})\.(shk_\w{16})\.(\d{10,16})\.([\w-]{1,100})\.([\w-]{43})$/;

export function createWebCallTokens(options: WebCallTokensOptions): WebCallTokens {
  const { agents, sharedKeys, webCalls, nowMs } = options;
  let secret: Promise<string> | null = null;
  const signatureOf = async (body: string) => {
    // A failure is not remembered: the next token tries again.
    secret ??= webCalls.signingSecret(nowMs()).catch((error: unknown) => {
      secret = null;
      throw error;
    });
    return createHmac('sha256', await secret)
      .update(body)
      .digest('base64url');
  };

  return {
    async mintWebCallToken(agentId, sharedKey) {
      const atMs = nowMs();
      const key = await sharedKeys.verify(agentId, sharedKey, atMs);
      const agent = await agents.findForCall(agentId);
      if (key === null || agent === null || !agent.isEnabled) return null;
      const body = `wct_${randomText(16)}.${key.id}.${atMs + WEB_CALL_TOKEN_MS}.${agentId}`;
      return `${body}.${await signatureOf(body)}`;
    },

    async redeemWebCallToken(token) {
      const [, id = '', keyId = '', expiry = '', agentId = '', signature = ''] =
        SHAPE.exec(token) ?? [];
      if (id === '') return null;
      const body = token.slice(0, -signature.length - 1);
      if (!isSame(signature, await signatureOf(body))) return null;
      const expiresAtMs = Number(expiry);
      if (nowMs() >= expiresAtMs) return null;
      const key = await sharedKeys.findActive(keyId, nowMs());
      const agent = await agents.findForCall(asAgentId(agentId));
      if (key === null || agent === null || !agent.isEnabled) return null;
      if (!(await webCalls.redeem(id, expiresAtMs, nowMs()))) return null;
      return { workspaceId: agent.workspaceId, agent };
    },
  };
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
