import type { AgentTemplate } from '../../src/dialogue/templates/agent-template.ts';
import type { AgentSnapshot, Phrasebook } from '../../src/model/agent.ts';
import { asAgentId, asWorkspaceId } from '../../src/model/ids.ts';

/** An agent that needs no provider, made from a template or from a phrasebook alone. */
export function phrasebookAgent(
  from: Partial<AgentTemplate> & { readonly phrasebook: Phrasebook },
): AgentSnapshot {
  return {
    id: asAgentId('agt_test'),
    workspaceId: asWorkspaceId('ws_test'),
    displayName: from.displayName ?? 'Ann',
    isEnabled: true,
    language: 'en-US',
    systemPrompt: from.systemPrompt ?? '',
    greetingText: from.greetingText ?? 'Hello, this is {{agent_name}}.',
    voice: '',
    phrasebook: from.phrasebook,
    tools: [],
    idle: from.idle ?? { afterMs: 8_000, prompts: [] },
    timeLimitSeconds: 600,
    concurrentCallsMax: 10,
    stt: { provider: 'embedded' },
    llm: { provider: 'phrasebook' },
    tts: { provider: 'embedded' },
  };
}
