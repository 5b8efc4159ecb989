import type { AgentDirectory } from './call/call-service.ts';
import type { Config } from './config.ts';
import { chooseLlm } from './dialogue/choose-llm.ts';
import { DEMO } from './dialogue/templates/demo.ts';
import type { AgentSnapshot } from './model/agent.ts';
import { asAgentId } from './model/ids.ts';
import { agentOf } from './signaling/trunk/trunk-book.ts';
import type { Trunk } from './signaling/trunk/trunk.ts';
import type { NewAgent } from './storage/agent-repository.ts';
import type { Storage } from './storage/storage.ts';

export const DEMO_AGENT_ID = asAgentId('agt_demo');
/** Agents whose greeting is rendered at start; more wait for their first call. */
const WARM_AGENTS_MAX = 50;

export interface AgentsOnCallOptions {
  readonly config: Pick<Config, 'stt' | 'llm' | 'tts' | 'limits' | 'numbers'>;
  readonly storage: () => Pick<Storage, 'agents'>;
}

/** Agents as calls see them: found by what was dialed, with the daemon's providers and limits. */
export class AgentsOnCall implements AgentDirectory {
  readonly #options: AgentsOnCallOptions;

  constructor(options: AgentsOnCallOptions) {
    this.#options = options;
  }

  async findByDialed(user: string, trunk: Trunk | null): Promise<AgentSnapshot | null> {
    const { numbers } = this.#options.config;
    const named = trunk === null ? null : agentOf(trunk, user);
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
