import type { AgentSnapshot } from '../../src/model/agent.ts';
import { asAgentId, asWorkspaceId } from '../../src/model/ids.ts';

/** An agent with the embedded providers and nothing to say, changed as the test needs. */
export function testAgent(
  changes: Partial<Omit<AgentSnapshot, 'id'>> & { readonly id?: string } = {},
): AgentSnapshot {
  const { id = 'agt_test', ...rest } = changes;
  return {
    id: asAgentId(id),
    workspaceId: asWorkspaceId('ws_test'),
    displayName: 'Test agent',
    isEnabled: true,
    language: 'en',
    systemPrompt: '',
    greetingText: '',
    voice: '',
    phrasebook: null,
    tools: [],
    idle: { afterMs: 10_000, prompts: [] },
    timeLimitSeconds: 600,
    concurrentCallsMax: 100,
    stt: { provider: 'embedded' },
    llm: { provider: 'phrasebook' },
    tts: { provider: 'embedded' },
    ...rest,
  };
}
