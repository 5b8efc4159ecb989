import type { CallProgress } from '../model/call-progress.ts';
import type { CallRecord } from '../model/call.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import type { CallEnding } from './journal.ts';

/** Looks on from outside: metrics, logs, live views, webhooks. None may throw, none is waited for. */
export interface CallObserver {
  /** Everything that happens, in order; the methods below tell more of some of it. */
  onProgress?(call: CallRecord, progress: CallProgress): void;
  onTurn?(call: CallRecord, turn: TranscriptTurn): void;
  onEnded?(call: CallRecord, ending: CallEnding, turns: readonly TranscriptTurn[]): void;
}

/** Tells several. */
export function allObservers(observers: readonly CallObserver[]): Required<CallObserver> {
  return {
    onProgress: (...told) => {
      for (const one of observers) one.onProgress?.(...told);
    },
    onTurn: (...told) => {
      for (const one of observers) one.onTurn?.(...told);
    },
    onEnded: (...told) => {
      for (const one of observers) one.onEnded?.(...told);
    },
  };
}
