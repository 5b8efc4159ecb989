import { type Completeness, completenessOf, type Said } from './completeness.ts';
import { PauseProfile } from './pause-profile.ts';

/** Silence after which the turn is the agent's, by how finished the words sound. */
const WAIT_MS: Record<Completeness, number> = {
  complete: 160,
  'closed-answer': 220,
  open: 420,
  nothing: 480,
  unfinished: 950,
};
/** No wait is longer, whatever was learned. */
const WAIT_MAX_MS = 1600;
/** Silence after which the words are asked for, and work on a reply may begin. */
export const PAUSE_MS = 60;
/** Someone who talks on without end is answered at last. */
const UTTERANCE_MAX_MS = 45_000;

/** `speculate`: begin a reply, but keep it back. `commit`: the turn is the agent's. */
export type EndpointingDecision = 'wait' | 'speculate' | 'commit';

/**
 * Decides when the caller has finished, once per frame. How long it waits depends on what was
 * said and on how this caller pauses. It owns no clock: times are the leg's media time.
 */
export class Endpointing {
  readonly #profile = new PauseProfile();
  #startedAtMs = 0;
  #voicedUntilMs = 0;
  #committedAtMs = Number.NEGATIVE_INFINITY;
  #said: Said = { text: '', isKnown: false, expects: 'open' };

  /** A voiced frame ended at this time. */
  voiced(mediaTimeMs: number, isOnset: boolean, frameMs = 20): void {
    if (isOnset) {
      this.#startedAtMs = mediaTimeMs;
      this.#said = { text: '', isKnown: false, expects: this.#said.expects };
    } else {
      this.#profile.addPause(mediaTimeMs - frameMs - this.#voicedUntilMs);
    }
    this.#voicedUntilMs = mediaTimeMs;
  }

  /** What is understood so far. */
  heard(said: Said): void {
    this.#said = said;
  }

  /** Silence to wait for now. */
  waitMs(): number {
    const completeness = completenessOf(this.#said);
    const base = Math.max(WAIT_MS[completeness], this.#profile.leastWaitMs());
    // A caller who sounds finished is taken at their word; else their usual pause is granted.
    const sounds = completeness === 'complete' || completeness === 'closed-answer';
    const usual = sounds ? 0 : this.#profile.usualPauseMs() * 1.2;
    return Math.min(WAIT_MAX_MS, Math.max(base, usual));
  }

  decide(mediaTimeMs: number): EndpointingDecision {
    const silenceMs = mediaTimeMs - this.#voicedUntilMs;
    if (silenceMs >= this.waitMs() || mediaTimeMs - this.#startedAtMs > UTTERANCE_MAX_MS) {
      return 'commit';
    }
    if (silenceMs < PAUSE_MS || this.#said.text === '') return 'wait';
    return completenessOf(this.#said) === 'unfinished' ? 'wait' : 'speculate';
  }

  committed(mediaTimeMs: number): void {
    this.#committedAtMs = mediaTimeMs;
  }

  /** The caller spoke again before the reply was heard: the turn had been taken too early. */
  resumedAfterCommit(onsetAtMs: number): void {
    if (onsetAtMs - this.#committedAtMs > 1000) return;
    this.#profile.addFalseCut(onsetAtMs - this.#voicedUntilMs);
  }

  replyHeard(): void {
    this.#profile.addCleanTurn();
  }
}
