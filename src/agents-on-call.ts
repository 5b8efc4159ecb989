import type { AgentDirectory } from './call/call-service.ts';
import type { Config } from './config.ts';
import { chooseLlm } from './dialogue/choose-llm.ts';
import { DEMO } from './dialogue/templates/demo.ts';
import type { AgentSnapshot } from './model/agent.ts';
import { asAgentId } from './model/ids.ts';
import { normalizeUser } from './signaling/trunk/phone-number.ts';
import { ownAgentOf } from './signaling/trunk/trunk-book.ts';
import type { Trunk } from './signaling/trunk/trunk.ts';
import type { NewAgent } from './storage/agent-repository.ts';
import type { Storage } from './storage/storage.ts';

export const DEMO_AGENT_ID = asAgentId('agt_demo');
/** Agents whose greeting is rendered at start; more wait for their first call. */
const WARM_AGENTS_MAX = 50;

export interface AgentsOnCallOptions {
  readonly config: Pick<Config, 'stt' | 'llm' | 'tts' | 'limits' | 'numbers'>;
  readonly storage: () => Pick<Storage, 'agents' | 'phoneNumbers'>;
}

/** Agents as calls see them: found by what was dialed, with the daemon's providers and limits. */
export class AgentsOnCall implements AgentDirectory {
  readonly #options: AgentsOnCallOptions;

  constructor(options: AgentsOnCallOptions) {
    this.#options = options;
  }

  async findByDialed(user: string, trunk: Trunk | null): Promise<AgentSnapshot | null> {
    const { numbers } = this.#options.config;
    const named = trunk === null ? null : await this.#agentOnTrunk(user, trunk);
    if (named === 'nobody') return null;
    const id = named ?? numbers.get(user) ?? numbers.get(user.toLowerCase());
    // What a carrier dials is a number, and never the id of somebody's agent.
    if (id === undefined && trunk !== null) return null;
    const agent = await this.#agents.findForCall(asAgentId(id ?? user));
    return agent === null ? null : this.snapshot(agent);
  }

  async findOwned(...owned: Parameters<AgentDirectory['findOwned']>) {
    const agent = await this.#agents.find(...owned);
    return agent === null ? null : this.snapshot(agent);
  }

  async callerOf(...[workspaceId, agentId, wanted]: Parameters<AgentDirectory['callerOf']>) {
    const { phoneNumbers } = this.#options.storage();
    const number =
      wanted === null
        ? await phoneNumbers.findOutbound(workspaceId, agentId)
        : await phoneNumbers.findByE164(wanted);
    const isOwn = number?.workspaceId === workspaceId;
    return isOwn ? { number: number.e164, assignedTo: number.trunk } : { number: wanted };
  }

  /** The trunk's own numbers first, then those that were given to workspaces, then its default. */
  async #agentOnTrunk(user: string, trunk: Trunk): Promise<string | null> {
    const own = ownAgentOf(trunk, user);
    if (own !== null) return own;
    const number = await this.#options
      .storage()
      .phoneNumbers.findByE164(normalizeUser(user, trunk));
    const isHere = number !== null && (number.trunk === null || number.trunk === trunk.name);
    return isHere ? (number.agentId ?? 'nobody') : trunk.agent;
  }

  /** An agent with the daemon's providers, as a call will see it. */
  snapshot(agent: NewAgent): AgentSnapshot {
    const { stt, llm, tts, limits } = this.#options.config;
    const timeLimitSeconds = Math.min(agent.timeLimitSeconds, limits.callSecondsMax);
    const { aiProvider = null, aiModel = null } = agent;
    const chosen = chooseLlm(llm, { aiProvider, aiModel });
    return { ...agent, timeLimitSeconds, stt, llm: chosen, tts };
  }

  /** Renders the greetings of agents that somebody can dial. */
  async warm(trunks: readonly Trunk[], warm: (agent: AgentSnapshot) => void): Promise<void> {
    const ids = new Set(this.#options.config.numbers.values());
    for (const { agent, numbers } of trunks) {
      for (const id of [...numbers.values(), agent]) if (id !== null) ids.add(id);
    }
    for (const id of [...ids].slice(0, WARM_AGENTS_MAX)) {
      const agent = await this.#agents.findForCall(asAgentId(id));
      if (agent !== null) warm(this.snapshot(agent));
    }
  }

  get #agents(): Storage['agents'] {
    return this.#options.storage().agents;
  }
}

/** The agent that answers before anybody made one. */
export function demoAgentOf() {
  return {
    id: DEMO_AGENT_ID,
    displayName: DEMO.displayName,
    isEnabled: true,
    isShareable: true,
    language: DEMO.language,
    systemPrompt: DEMO.systemPrompt,
    greetingText: DEMO.greetingText,
    voice: '',
    phrasebook: DEMO.phrasebook,
    tools: [],
    idle: DEMO.idle,
    timeLimitSeconds: 900,
    concurrentCallsMax: 100,
  };
}
