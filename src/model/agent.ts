import type { AgentId, WorkspaceId } from './ids.ts';
import type { LlmSettings, SttSettings, TtsSettings } from './provider.ts';

/** What kind of answer a reply asks for: shapes endpointing of the next utterance. */
export type AnswerKind = 'yes-no' | 'digits' | 'open';

/** Somebody an agent may put a caller through to. */
export interface TransferTarget {
  /** What the agent calls them: `the front desk`. */
  readonly name: string;
  /** With `+`, or as the trunk's country writes it. */
  readonly number: string;
}

/** What a phrasebook does to put a caller through. */
export interface PhrasebookTransfer {
  /** Name of a transfer target of the agent; left out: its first. */
  readonly to?: string;
  /** Said first, in turn; `{{transfer_name}}` is who it is. */
  readonly replies: readonly string[];
  /** Said when nobody took the call, in turn; the entry's `expects` and `next` hold after it. */
  readonly failed: readonly string[];
}

/** A phrasebook entry: what may be said, and what the agent answers. */
export interface PhrasebookEntry {
  /** Stable within its phrasebook, for logs and for `next`; an id of a built-in replaces it. */
  readonly id: string;
  /**
   * What the caller may say. Lower case words; `[please]` optional, `(a|b)` alternatives,
   * `<yes>` and `<no>` any way of saying so, and slots: `{pin:digits 4}`, `{code:digits 3-6}`,
   * `{score:number 1-5}`, `{size:small|extra large}`. Bounds of digits count digits.
   */
  readonly says: readonly string[];
  /** Keypad digits that mean the same. */
  readonly digits?: string;
  /**
   * May hold `{{variable}}`, and as variables the slots heard so far in the call. Of those
   * whose variables are all known the ones with most slots are given in turn.
   */
  readonly replies: readonly string[];
  /** What the agent does after the reply. */
  readonly after?: 'hang-up' | 'repeat';
  /** Takes the place of `replies` and `after` where the agent has such a transfer target. */
  readonly transfer?: PhrasebookTransfer;
  /** Asked at the end of the reply. */
  readonly expects?: AnswerKind;
  /** Ids of entries tried before all others on the answer to this reply. */
  readonly next?: readonly string[];
  /** Matched only when the reply just given names it in `next`. */
  readonly isFollowUp?: boolean;
  /** An aside: what was asked before stays asked. */
  readonly isAside?: boolean;
  /** A few words that end the sentence "I can help with …"; without it the entry is not offered. */
  readonly topic?: string;
}

/** The embedded brain: patterns and replies, in English, needing no provider. */
export interface Phrasebook {
  readonly entries: readonly PhrasebookEntry[];
  /** Said when nothing matched; in turn. `{{topics}}` names what can be asked for. */
  readonly fallbacks: readonly string[];
  /** Id of the entry whose `expects` and `next` hold for the answer to the greeting. */
  readonly opening?: string;
}

/** An OpenAI-style function the language model may call. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Where it is run, by POST. Left out: nobody runs it, and its use is only told. */
  readonly url?: string;
}

/** What the loop does when the caller says nothing. */
export interface IdleSettings {
  /** Silence before each prompt, counted from the end of the agent's speech. */
  readonly afterMs: number;
  /** Spoken one after the other; after the last one's silence the call ends. */
  readonly prompts: readonly string[];
}

/** Times of day between which an agent may call somebody; over midnight when the end is earlier. */
export interface CallWindow {
  /** `HH:MM`. */
  readonly start: string;
  readonly end: string;
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
  /** Spoken on calls before the greeting, e.g. that they are recorded. */
  readonly preCallAnnouncement?: string;
  /** Null: it may call at any time. */
  readonly callWindow?: CallWindow | null;
  /** IANA name; null: the daemon's own. */
  readonly timeZone?: string | null;
  /** Voice name of the text-to-speech provider; empty: the provider's own default. */
  readonly voice: string;
  readonly phrasebook: Phrasebook | null;
  readonly tools: readonly ToolDefinition[];
  /** To whom it may transfer calls, by phrasebook or by `transfer_call`; left out: to nobody. */
  readonly transferTargets?: readonly TransferTarget[];
  readonly idle: IdleSettings;
  /** Hard limit of one call. */
  readonly timeLimitSeconds: number;
  /** Calls at once; more are refused with SIP 486. */
  readonly concurrentCallsMax: number;
  readonly stt: SttSettings;
  readonly llm: LlmSettings;
  readonly tts: TtsSettings;
}
