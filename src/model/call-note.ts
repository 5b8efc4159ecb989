/** A tool that the agent used, as its owner is told of it. Never for a log: it may hold anything. */
export interface ToolUse {
  readonly name: string;
  /** Empty when they are left out. */
  readonly arguments: Readonly<Record<string, unknown>>;
  /** They were longer than what is told. */
  readonly areArgumentsLeftOut: boolean;
}

/** What a conversation does beside hearing and speaking, for whoever watches the call. */
export type CallNote =
  /** The model, or the phrasebook, used a tool. Not of calls that were refused as malformed. */
  | { readonly type: 'tool'; readonly tool: ToolUse }
  /** The caller said nothing, and is asked whether he is there. */
  | {
      readonly type: 'idle-prompt';
      /** From 1, since the caller was last heard. */
      readonly number: number;
      readonly text: string;
    };
