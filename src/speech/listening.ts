import type { AudioFrame } from '../model/audio.ts';
import type { Clock } from './clock.ts';
import { Ear, type EarOptions } from './ear.ts';
import { levelDbfs } from './level.ts';
import type { Transcript } from './provider.ts';
import type { Speaking } from './speaking.ts';
import { decideBargeIn } from './turn-taking/barge-in.ts';
import type { Said } from './turn-taking/completeness.ts';
import { ECHO_THRESHOLD, EchoGuard } from './turn-taking/echo-guard.ts';
import { Endpointing, PAUSE_MS } from './turn-taking/endpointing.ts';

/** A question is answered by "yes" when no more than this of it is left to hear. */
const ANSWER_BEFORE_END_MS = 700;

/** An utterance that was taken for a turn. Times are Unix milliseconds. */
export interface HeardUtterance {
  readonly speechStartedAtMs: number;
  readonly speechEndedAtMs: number;
  readonly voicedMs: number;
}

export interface ListeningOptions extends EarOptions {
  readonly clock: Clock;
  readonly speaking: Speaking;
  /** How finished these words are, as the brain sees it. */
  readonly judge: (text: string) => Said;
  /** The caller began to speak. */
  readonly onOnset: () => void;
  /** It was nothing: the agent goes on, or the silence does. */
  readonly onFalseAlarm: () => void;
  /** Whether "yes" would answer what the agent has said, once this is heard. */
  readonly asks: (text: string) => boolean;
  /**
   * The caller took the word from the agent, who had this left to say. `isAnswer`: what was
   * left is the end of a question, so "yes" is no mere sign of attention.
   */
  readonly onInterrupted: (unheard: string, isAnswer: boolean) => void;
  /** The caller pauses after these words: a reply may be prepared. */
  readonly onGuess: (text: string) => void;
  /** The turn is the agent's. `finalize` gives the words. */
  readonly onCommitted: (utterance: HeardUtterance) => void;
}

/** The caller's side of a conversation: who has the word is decided here, frame by frame. */
export class Listening {
  readonly #options: ListeningOptions;
  readonly #ear: Ear;
  readonly #endpointing = new Endpointing();
  readonly #echo = new EchoGuard();
  #isContesting = false;
  #isAnswer = false;
  /** Audio heard so far. Unlike the media clock it stands still while the thread is stalled. */
  #heardMs = 0;
  #frameAtMs = 0;
  #isClosed = false;

  constructor(options: ListeningOptions) {
    this.#options = options;
    this.#ear = new Ear({
      ...options,
      onWords: (text) => {
        this.#endpointing.heard(options.judge(text));
        options.onWords(text);
      },
    });
  }

  /** The caller is speaking, or pausing in mid-turn. */
  get isOpen(): boolean {
    return this.#ear.utterance.isOpen;
  }

  hear(frame: AudioFrame): void {
    if (this.#isClosed) return;
    const { clock, speaking } = this.#options;
    this.#heardMs += (frame.samples.length * 1000) / frame.sampleRateHz;
    this.#frameAtMs = clock.nowMs();
    speaking.tick(this.#frameAtMs);
    const wasBeginning = this.#ear.utterance.isBeginning;
    const event = this.#ear.hear(frame, this.#heardMs, this.#echoThreshold(frame));
    if (event === 'onset') this.#onset();
    else this.#holdAhead(wasBeginning);
    if (event === 'voice') {
      this.#endpointing.voiced(this.#heardMs, false);
      speaking.dropSpeculation();
    }
    if (!this.isOpen) return;
    if (this.#isContesting) this.#contest();
    else this.#listenOn();
  }

  /** The agent begins to speak although the caller does: hold it until that is settled. */
  contest(): void {
    if (!this.isOpen) return;
    const { speaking, asks } = this.#options;
    this.#isContesting = true;
    this.#isAnswer = speaking.endsWithin(ANSWER_BEFORE_END_MS) && asks(speaking.text);
    speaking.hold();
  }

  /** The words of the utterance that was committed last. */
  finalize(): Promise<Transcript> {
    return this.#ear.finalize();
  }

  /** Drops what the caller is saying, e.g. since a key was pressed. */
  abandon(): void {
    this.#isContesting = false;
    this.#ear.abandon();
  }

  /** A reply was heard to its end: the turn before it was not cut. */
  replyHeard(): void {
    this.#endpointing.replyHeard();
  }

  close(): void {
    this.#isClosed = true;
    this.#isContesting = false;
    this.#ear.close();
  }

  #echoThreshold(frame: AudioFrame): number {
    const { speaking } = this.#options;
    if (!speaking.isAudible) return 0;
    return this.#echo.update(speaking.levelNow(), levelDbfs(frame.samples)) ? ECHO_THRESHOLD : 0;
  }

  /** The agent is held a frame before it is certain that the caller speaks, or goes on after it. */
  #holdAhead(wasBeginning: boolean): void {
    const { speaking } = this.#options;
    const { isBeginning } = this.#ear.utterance;
    if (isBeginning === wasBeginning || this.#isContesting) return;
    if (!isBeginning) speaking.resume();
    else if (speaking.isAudible) speaking.hold();
  }

  #onset(): void {
    this.#endpointing.voiced(this.#heardMs, true);
    this.#endpointing.heard(this.#options.judge(''));
    this.#options.onOnset();
    if (this.#options.speaking.isBusy) this.contest();
  }

  /** Second stage of a barge-in. */
  #contest(): void {
    const { startedAtMs, voicedMs, voicedUntilMs } = this.#ear.utterance;
    const { speaking } = this.#options;
    const silenceMs = this.#heardMs - voicedUntilMs;
    // The words lag behind the voice: ask for them as soon as the voice pauses.
    if (silenceMs >= PAUSE_MS) this.#ear.pause();
    const decision = decideBargeIn({
      voicedMs,
      silenceMs,
      text: this.#ear.text,
      isAnswer: this.#isAnswer,
    });
    if (decision === 'hold') return;
    this.#isContesting = false;
    if (decision === 'resume') {
      this.#ear.abandon();
      speaking.resume();
      return this.#options.onFalseAlarm();
    }
    if (speaking.playedMs === 0) this.#endpointing.resumedAfterCommit(startedAtMs);
    this.#options.onInterrupted(speaking.interrupt(), this.#isAnswer);
  }

  #listenOn(): void {
    const silenceMs = this.#heardMs - this.#ear.utterance.voicedUntilMs;
    if (silenceMs >= PAUSE_MS) this.#ear.pause();
    switch (this.#endpointing.decide(this.#heardMs)) {
      case 'wait':
        return;
      case 'speculate':
        return this.#options.onGuess(this.#ear.text);
      case 'commit':
        return this.#commit();
    }
  }

  #commit(): void {
    const { startedAtMs, voicedUntilMs, voicedMs } = this.#ear.utterance;
    this.#endpointing.committed(this.#heardMs);
    this.#ear.endUtterance();
    this.#options.onCommitted({
      speechStartedAtMs: this.#toUnixMs(startedAtMs),
      speechEndedAtMs: this.#toUnixMs(voicedUntilMs),
      voicedMs,
    });
  }

  #toUnixMs(heardMs: number): number {
    return this.#frameAtMs - (this.#heardMs - heardMs);
  }
}
