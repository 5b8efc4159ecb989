import type { AudioFrame } from '../../model/audio.ts';
import type { AnsweredBy, MachineDetection } from '../../model/machine-detection.ts';
import { BeepDetector } from './beep-detector.ts';
import { isMachinePhrase } from './machine-phrases.ts';

const VOICED_PROBABILITY = 0.5;
/** Voiced frames in a row that begin speech. */
const ONSET_FRAMES = 3;
/** A person says a few words and waits; the longer the words, the longer the wait. */
const SHORT_GREETING_MS = 1200;
const PAUSE_AFTER_SHORT_MS = 700;
const PAUSE_AFTER_LONG_MS = 1000;
/** A machine talks on without such a pause. */
const MONOLOGUE_MS = 3500;
/** Whoever says nothing for so long is spoken to. */
const NOBODY_SPEAKS_MS = 3500;
/** Machines without a beep record when their greeting is over. */
const QUIET_AFTER_GREETING_MS = 2500;
/** A message is left at last, beep or none. */
const BEEP_WAIT_MS_MAX = 45_000;
/** The beep's own echo. */
const AFTER_BEEP_MS = 200;

/** What the call shall do now. */
export type CalleeAction = 'converse' | 'hang-up' | 'leave-message';

/**
 * Hears the first seconds of whoever answered an outbound call, and tells a person from a
 * machine. Owns no clock: one call per 20 ms, times are the leg's media time.
 *
 *     listening ──short greeting, then a pause; silence; time is up──▶ converse
 *         │                                                   (also a machine, by policy)
 *         ├──long monologue, a machine's phrase, a beep──▶ hang-up
 *         └────────▶ waiting for the beep ──beep, or quiet──▶ leave-message
 */
export class CalleeJudge {
  readonly #detection: MachineDetection;
  readonly #beep = new BeepDetector();
  #beganAtMs = -1;
  #voicedFrames = 0;
  #speechSinceMs = -1;
  #voicedUntilMs = -1;
  #beepEndedAtMs = -1;
  #hasPhrase = false;

  /** Null while it is not known. */
  answeredBy: AnsweredBy | null = null;

  constructor(detection: MachineDetection) {
    this.#detection = detection;
  }

  /** The callee speaks just now. */
  get isSpeaking(): boolean {
    return this.#voicedFrames >= ONSET_FRAMES;
  }

  /** Words of the greeting, as far as they are known. */
  heardWords(text: string): void {
    this.#hasPhrase = this.#hasPhrase || isMachinePhrase(text);
  }

  /** One frame of 20 ms. Null: nothing to do yet. */
  hear(frame: AudioFrame, voiceProbability: number, mediaTimeMs: number): CalleeAction | null {
    if (this.#beganAtMs === -1) this.#beganAtMs = mediaTimeMs;
    if (this.#beep.hear(frame.samples, frame.sampleRateHz)) {
      this.answeredBy = 'machine-beep';
      this.#beepEndedAtMs = mediaTimeMs;
    }
    this.#hearVoice(voiceProbability >= VOICED_PROBABILITY && !this.#beep.isTone, mediaTimeMs);
    this.answeredBy ??= this.#judge(mediaTimeMs);
    return this.#actionAt(mediaTimeMs);
  }

  #hearVoice(isVoiced: boolean, nowMs: number): void {
    this.#voicedFrames = isVoiced ? this.#voicedFrames + 1 : 0;
    if (!this.isSpeaking) return;
    if (this.#speechSinceMs === -1) this.#speechSinceMs = nowMs;
    this.#voicedUntilMs = nowMs;
  }

  #judge(nowMs: number): AnsweredBy | null {
    if (this.#hasPhrase) return 'machine';
    const elapsedMs = nowMs - this.#beganAtMs;
    // What may be a beep is heard to its end.
    const isTimeUp = elapsedMs >= this.#detection.waitMsMax && !this.#beep.isTone;
    if (this.#speechSinceMs === -1) {
      return elapsedMs >= NOBODY_SPEAKS_MS || isTimeUp ? 'unknown' : null;
    }
    const spokenMs = this.#voicedUntilMs - this.#speechSinceMs;
    const pauseMs = nowMs - this.#voicedUntilMs;
    if (spokenMs >= MONOLOGUE_MS) return 'machine';
    const pauseMinMs = spokenMs < SHORT_GREETING_MS ? PAUSE_AFTER_SHORT_MS : PAUSE_AFTER_LONG_MS;
    if (pauseMs >= pauseMinMs && !this.#beep.isTone) return 'human';
    return isTimeUp ? 'unknown' : null;
  }

  #actionAt(nowMs: number): CalleeAction | null {
    if (this.answeredBy === null) return null;
    if (this.answeredBy === 'human' || this.answeredBy === 'unknown') return 'converse';
    switch (this.#detection.policy) {
      case 'continue':
        return 'converse';
      case 'hang_up':
        return 'hang-up';
      default:
        return this.#mayRecord(nowMs) ? 'leave-message' : null;
    }
  }

  #mayRecord(nowMs: number): boolean {
    if (this.#beepEndedAtMs !== -1) return nowMs - this.#beepEndedAtMs >= AFTER_BEEP_MS;
    if (nowMs - this.#beganAtMs >= BEEP_WAIT_MS_MAX) return true;
    return !this.#beep.isTone && nowMs - this.#voicedUntilMs >= QUIET_AFTER_GREETING_MS;
  }
}
