import { assertNever } from '../lib/assert-never.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import { createPhrasebookBrain } from './phrasebook/phrasebook-brain.ts';
import { createOpenAiBrain } from './providers/openai-brain.ts';
import type { Brain } from './reply.ts';
import { agentTools } from './tools.ts';

export { ConversationHistory } from './history.ts';
export { keypadDigits, keypadMessage, type Message, type ToolCall } from './message.ts';
export { phrasebookGrammar } from './phrasebook/grammar.ts';
export { closeLlmConnections } from './providers/event-request.ts';
export type { Brain, ReplyPart } from './reply.ts';

export interface BrainOptions {
  /** Unix milliseconds, for `{{time}}` and its kin. Default: `Date.now`. */
  readonly now?: () => number;
}

/**
 * The brain that the agent's settings name. `variables` fill `{{name}}` in the prompt and in
 * the phrasebook; see `variables.ts`. Throws `PHRASEBOOK_INVALID` and `TEMPLATE_TOO_LONG`.
 */
export function createBrain(
  agent: AgentSnapshot,
  variables: Readonly<Record<string, string>>,
  { now = Date.now }: BrainOptions = {},
): Brain {
  switch (agent.llm.provider) {
    case 'phrasebook':
      return createPhrasebookBrain(agent, variables, now);
    case 'openai':
      return createOpenAiBrain(agent.llm, agentTools(agent));
    default:
      return assertNever(agent.llm);
  }
}
