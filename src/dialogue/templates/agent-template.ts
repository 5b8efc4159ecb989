import type { IdleSettings, Phrasebook } from '../../model/agent.ts';

/** An agent to begin with: complete, and able to talk without any key. */
export interface AgentTemplate {
  readonly id: string;
  readonly displayName: string;
  /** One sentence for a list of templates. */
  readonly description: string;
  readonly language: string;
  readonly greetingText: string;
  /** Used when the agent has a language model; `{{name|default}}` may be set per call. */
  readonly systemPrompt: string;
  readonly phrasebook: Phrasebook;
  readonly idle: IdleSettings;
}

/** Prompts that suit any agent. */
export const POLITE_IDLE: IdleSettings = {
  afterMs: 8_000,
  prompts: [
    'Are you still there?',
    "I'm still here if you need me.",
    'I will hang up now. Goodbye.',
  ],
};
