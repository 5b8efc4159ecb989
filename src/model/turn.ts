import type { TurnId } from './ids.ts';

/**
 * When each stage of a turn happened, in Unix milliseconds with fractions; null when the
 * turn had no such stage (a greeting has no speech, the phrasebook no tokens).
 */
export interface TurnStamps {
  /** First and last voiced frame of the caller's utterance. */
  readonly speechStartedAtMs: number | null;
  readonly speechEndedAtMs: number | null;
  /** First time the loop began to work on a reply, perhaps on speculation. */
  readonly speculatedAtMs: number | null;
  readonly transcriptFinalAtMs: number | null;
  /** The turn was taken to be over. */
  readonly committedAtMs: number | null;
  readonly llmRequestedAtMs: number | null;
  readonly llmFirstTokenAtMs: number | null;
  readonly ttsRequestedAtMs: number | null;
  readonly ttsFirstAudioAtMs: number | null;
  /** First packet of the reply handed to the network. */
  readonly playoutStartedAtMs: number | null;
  readonly playoutEndedAtMs: number | null;
}

/** What one side is saying, as far as it is known; a later one replaces an earlier one of that turn. */
export interface Caption {
  /** That of the transcript's entry, once the turn is over. It may come to nothing. */
  readonly turnId: TurnId;
  readonly role: 'user' | 'agent';
  readonly text: string;
}

/** One entry of a call's transcript. */
export interface TranscriptTurn {
  readonly id: TurnId;
  /** Position in the call, from 0. */
  readonly index: number;
  readonly role: 'user' | 'agent';
  /** For an agent turn: what was heard, not what was generated. */
  readonly text: string;
  /** For an agent turn cut by barge-in: all that was generated. */
  readonly generatedText: string | null;
  readonly isInterrupted: boolean;
  /** How the user's turn came in. */
  readonly via: 'speech' | 'digits' | 'text' | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly stamps: TurnStamps;
}
