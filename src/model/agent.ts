import type { AgentId, WorkspaceId } from './ids.ts';
import type { LlmSettings, SttSettings, TtsSettings } from './provider.ts';

/** A phrasebook entry: what may be said, and what the agent answers. */
export interface PhrasebookEntry {
  /** Stable within its phrasebook, for logs and for `goto`. */
  readonly id: string;
  /**
   * What the caller may say. Lower case words; `[please]` optional, `(a|b)` alternatives,
   * `{name:digits}` a slot (digits, number, word lists by `{size:small|large}`).
   */
  readonly says: readonly string[];
  /** Keypad digits that mean the same. */
  readonly digits?: string;
  /** One is chosen in turn; may hold `{{variable}}` and slot names as variables. */
  readonly replies: readonly string[];
  /** What the agent does after the reply. */
  readonly then?: 'hang-up' | 'repeat' | 'none';
  /** Asked at the end of the reply: shapes endpointing of the next answer. */
  readonly expects?: 'yes-no' | 'digits' | 'open';
}

/** The embedded brain: patterns and replies, in English, needing no provider. */
export interface Phrasebook {
  readonly entries: readonly PhrasebookEntry[];
  /** Said when nothing matched; in turn. */
  readonly fallbacks: readonly string[];
}

/** An OpenAI-style function the language model may call. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** What the loop does when the caller says nothing. */
export interface IdleSettings {
  /** Silence before each prompt, counted from the end of the agent's speech. */
  readonly afterMs: number;
  /** Spoken one after the other; after the last one's silence the call ends. */
  readonly prompts: readonly string[];
}

/** An agent as a call sees it: taken when the call starts and never changed by later edits. */
export interface AgentSnapshot {
  readonly id: AgentId;
  readonly workspaceId: WorkspaceId;
  readonly displayName: string;
  readonly isEnabled: boolean;
  /** BCP 47, or `auto`. */
  readonly language: string;
  readonly systemPrompt: string;
  /** Spoken at answer; empty: the agent waits for the caller. */
  readonly greetingText: string;
  /** Voice name of the text-to-speech provider; empty: the provider's own default. */
  readonly voice: string;
  readonly phrasebook: Phrasebook | null;
  readonly tools: readonly ToolDefinition[];
  readonly idle: IdleSettings;
  /** Hard limit of one call. */
  readonly timeLimitSeconds: number;
  /** Calls at once; more are refused with SIP 486. */
  readonly concurrentCallsMax: number;
  readonly stt: SttSettings;
  readonly llm: LlmSettings;
  readonly tts: TtsSettings;
}
