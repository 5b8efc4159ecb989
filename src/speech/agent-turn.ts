import type { Message, ToolCall } from '../dialogue/message.ts';
import type { TurnPart } from '../dialogue/tool-rounds.ts';
import { GatewayError } from '../lib/gateway-error.ts';
import type { AudioFrame, AudioSink } from '../model/audio.ts';
import { clauses } from './clauses.ts';
import { type Clock, pauseFor } from './clock.ts';
import { HeardText } from './heard-text.ts';
import { SILENCE_DBFS } from './level.ts';
import { toSpeechError } from './speech-error.ts';
import type { OpenStamps } from './stamps.ts';
import { fixedClip, levelsOf, type RetryBudget, speakClause, type Voice } from './voice.ts';

/** With this much waiting to be heard, nothing more is spoken ahead. */
const AHEAD_MS_MAX = 8000;
const AHEAD_POLL_MS = 250;
/** Loudness is remembered for this many frames of a turn: ten minutes. */
const LEVELS_MAX = 30_000;

export interface AgentTurnOptions {
  readonly voice: Voice;
  readonly sink: AudioSink;
  readonly clock: Clock;
  readonly budget: RetryBudget;
  readonly stamps: OpenStamps;
  /** Text that will be said again: its audio is kept. */
  readonly isFixed: boolean;
  /** A finished round of tools, with what was heard of the text before it. */
  readonly onRound: (
    heard: string,
    calls: readonly ToolCall[],
    results: readonly Message[],
  ) => void;
  /** The first audio was handed to the sink. */
  readonly onSpeaking: () => void;
  /** After that, before each further clause. */
  readonly onClause: () => void;
}

/** How an agent turn came out. `heard` and `generated` are read when it is over. */
export type AgentTurnResult =
  | { readonly type: 'spoken'; readonly endsCall: boolean }
  | { readonly type: 'aborted' }
  | { readonly type: 'failed'; readonly error: GatewayError };

/**
 * One turn of the agent: text comes in parts, leaves as clauses, is spoken and written to the
 * sink. Until `release` it is a speculation: the first clause is made and kept back, and
 * nothing that cannot be undone happens. `abort` ends it at any time.
 */
export class AgentTurn {
  readonly #options: AgentTurnOptions;
  readonly #abort = new AbortController();
  readonly #heard = new HeardText();
  readonly #held: (() => void)[] = [];
  readonly #levels: Float32Array[] = [];
  #levelFrames = 0;
  #generated = '';
  #isReleased = false;
  #open: () => void = () => undefined;
  /** Resolves at `release` or `abort`. */
  readonly #gate: Promise<void>;
  /** The sink's count when our first audio was written, null before. */
  #startMs: number | null = null;
  #endsCall = false;
  #isWritten = false;

  constructor(options: AgentTurnOptions) {
    this.#options = options;
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  /** Its stages are stamped as they happen. */
  get stamps(): OpenStamps {
    return this.#options.stamps;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** All of it is made, and waits to be heard at most. */
  get isWritten(): boolean {
    return this.#isWritten;
  }

  /** Some of its audio was handed to the sink. */
  get hasAudio(): boolean {
    return this.#startMs !== null;
  }

  /** All that was to be said so far. */
  get generatedText(): string {
    return this.#generated.trim();
  }

  /** Resolves once the turn is committed; tools wait for it. */
  committed(): Promise<void> {
    return this.#gate;
  }

  /** Resolves when all that was spoken so far was heard, or the turn was aborted. */
  spokenSoFar(): Promise<void> {
    return this.#drained();
  }

  /** Audio of this turn that left so far. */
  playedMs(): number {
    return this.#startMs === null ? 0 : Math.max(0, this.#options.sink.playedMs() - this.#startMs);
  }

  /** What the caller heard of it. */
  heardText(): string {
    return this.#heard.heard(this.playedMs());
  }

  /** The same without what stands in the history already, with rounds of tools. */
  heardSinceRound(): string {
    return this.#heard.heardSinceTaken(this.playedMs());
  }

  /** What was to be said from the clause on that was being heard; empty when there is nothing left. */
  unheardText(): string {
    const clause = this.#heard.clauseAt(this.playedMs());
    const at = clause === null ? -1 : this.#generated.lastIndexOf(clause);
    return at < 0 ? '' : this.#generated.slice(at).trim();
  }

  /** Loudness of what is being played now, in dBFS. */
  levelNow(): number {
    let frame = Math.floor(this.playedMs() / 20);
    for (const levels of this.#levels) {
      if (frame < levels.length) return levels[frame] ?? SILENCE_DBFS;
      frame -= levels.length;
    }
    return SILENCE_DBFS;
  }

  /** The turn is the agent's: what was kept back is heard. */
  release(): void {
    if (this.#isReleased || this.#abort.signal.aborted) return;
    this.#isReleased = true;
    for (const write of this.#held.splice(0)) write();
    this.#open();
  }

  abort(): void {
    this.#abort.abort();
    this.#held.length = 0;
    this.#open();
  }

  /** Speaks it to its end and waits until it was heard. Never rejects. */
  async run(parts: (signal: AbortSignal) => AsyncIterable<TurnPart>): Promise<AgentTurnResult> {
    const { signal } = this;
    try {
      await this.#speakAll(parts);
      await this.#gate;
      this.#isWritten = true;
      if (!signal.aborted) await this.#drained();
      if (signal.aborted) return { type: 'aborted' };
      return { type: 'spoken', endsCall: this.#endsCall };
    } catch (err) {
      if (signal.aborted) return { type: 'aborted' };
      if (err instanceof GatewayError) return { type: 'failed', error: err };
      return {
        type: 'failed',
        error: toSpeechError(err, 'SPEECH_ENGINE_FAILED', 'the reply broke off'),
      };
    }
  }

  /** The brain may fail before its first word, and is then asked again within the budget. */
  async #speakAll(parts: (signal: AbortSignal) => AsyncIterable<TurnPart>): Promise<void> {
    const { budget, clock } = this.#options;
    for (;;) {
      try {
        for await (const clause of clauses(this.#texts(parts(this.signal)))) {
          if (this.signal.aborted) return;
          await this.#speak(clause);
        }
        return;
      } catch (err) {
        const isRetryable = err instanceof GatewayError && this.#generated === '';
        if (!isRetryable || !(await budget.mayRetry(err, clock, this.signal))) throw err;
      }
    }
  }

  async *#texts(parts: AsyncIterable<TurnPart>): AsyncGenerator<string> {
    for await (const part of parts) {
      if (this.signal.aborted) return;
      switch (part.type) {
        case 'text':
          this.#generated += part.text;
          yield part.text;
          break;
        case 'tool':
          // What was said before a tool runs is a sentence of its own.
          yield '\n';
          break;
        case 'round':
          this.#options.onRound(part.text, part.calls, part.results);
          this.#heard.take();
          this.#generated += ' ';
          break;
        case 'end-call':
          this.#endsCall = true;
          break;
      }
    }
  }

  async #speak(clause: string): Promise<void> {
    // Only the first clause is made on speculation.
    if (this.#held.length > 0) await this.#gate;
    await this.#roomAhead();
    if (this.signal.aborted) return;
    const { voice, sink, clock, budget, stamps } = this.#options;
    if (this.hasAudio) this.#options.onClause();
    stamps.ttsRequestedAtMs ??= clock.nowMs();
    if (this.#options.isFixed) {
      const clip = await fixedClip(voice, clause, sink, this.signal);
      if (clip === null) return;
      stamps.ttsFirstAudioAtMs ??= clock.nowMs();
      this.#heard.begin(clause);
      this.#note(clip.levels, clip.encoded.durationMs);
      this.#give(() => sink.writeClip(clip.encoded));
      return;
    }
    this.#heard.begin(clause);
    for await (const frame of speakClause(voice, clause, budget, clock, this.signal)) {
      stamps.ttsFirstAudioAtMs ??= clock.nowMs();
      this.#note(levelsOf(frame), (frame.samples.length * 1000) / frame.sampleRateHz);
      this.#writeCopy(frame);
    }
    this.#give(() => sink.flush());
  }

  #writeCopy(frame: AudioFrame): void {
    const { sink } = this.#options;
    if (this.#isReleased) return this.#give(() => sink.write(frame));
    const copy = { samples: frame.samples.slice(), sampleRateHz: frame.sampleRateHz };
    return this.#give(() => sink.write(copy));
  }

  #give(write: () => void): void {
    if (this.signal.aborted) return;
    if (this.#isReleased) this.#write(write);
    else this.#held.push(() => this.#write(write));
  }

  #write(write: () => void): void {
    const isFirst = this.#startMs === null;
    this.#startMs ??= this.#options.sink.playedMs() + this.#options.sink.queuedMs();
    write();
    if (isFirst) this.#options.onSpeaking();
  }

  #note(levels: Float32Array, durationMs: number): void {
    this.#heard.add(durationMs);
    this.#levelFrames += levels.length;
    if (this.#levelFrames <= LEVELS_MAX) this.#levels.push(levels);
  }

  async #roomAhead(): Promise<void> {
    const { sink, clock } = this.#options;
    while (!this.signal.aborted && sink.queuedMs() > AHEAD_MS_MAX) {
      await pauseFor(clock, AHEAD_POLL_MS, this.signal);
    }
  }

  async #drained(): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.#options.sink.drained(), stopped]);
  }
}
