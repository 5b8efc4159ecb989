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
    }
  /** Audio got bad; told again only after it was good in between. */
  | {
      readonly type: 'quality-degraded';
      /** Of what the far side sent in the last seconds, lost or too late to be played, 0..1. */
      readonly fractionLost: number;
      /** What the far side said it lost of ours, 0..1; null: it never said. */
      readonly remoteFractionLost: number | null;
      /** Interarrival jitter (RFC 3550 §6.4.1). */
      readonly jitterMs: number;
      readonly roundTripMs: number | null;
    };
