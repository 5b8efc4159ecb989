import type { TurnStamps } from '../model/turn.ts';

/** The stamps of a turn while it happens. */
export type OpenStamps = { -readonly [Stage in keyof TurnStamps]: TurnStamps[Stage] };

export function openStamps(): OpenStamps {
  return {
    speechStartedAtMs: null,
    speechEndedAtMs: null,
    speculatedAtMs: null,
    transcriptFinalAtMs: null,
    committedAtMs: null,
    llmRequestedAtMs: null,
    llmFirstTokenAtMs: null,
    ttsRequestedAtMs: null,
    ttsFirstAudioAtMs: null,
    playoutStartedAtMs: null,
    playoutEndedAtMs: null,
  };
}
