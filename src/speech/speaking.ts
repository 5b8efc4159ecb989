import type { ConversationHistory, Message, ToolCall } from '../dialogue/brain.ts';
import type { TurnPart } from '../dialogue/tool-rounds.ts';
import type { AudioSink } from '../model/audio.ts';
import { AgentTurn, type AgentTurnResult } from './agent-turn.ts';
import type { Clock } from './clock.ts';
import { SILENCE_DBFS } from './level.ts';
import { type OpenStamps, openStamps } from './stamps.ts';
import type { TurnLog } from './turn-log.ts';
import { RetryBudget, type Voice } from './voice.ts';

export interface SpeakingOptions {
  readonly sink: AudioSink;
  readonly clock: Clock;
  readonly voice: Voice;
  readonly history: ConversationHistory;
  readonly log: TurnLog;
  /** The current turn's first audio was handed to the sink. */
  readonly onSpeaking: () => void;
  /** All that the current turn has to say so far, from its first audio on. */
  readonly onText: (text: string) => void;
  /** The current turn came to its end (and was recorded); never after `interrupt`. */
  readonly onDone: (result: AgentTurnResult) => void;
}

/** What a turn says, given the turn's signal. */
export type Script = (turn: AgentTurn) => AsyncIterable<TurnPart>;

interface Utterance {
  readonly turn: AgentTurn;
  readonly stamps: OpenStamps;
  readonly result: Promise<AgentTurnResult>;
  beganAtMs: number;
  hasFailed: boolean;
}

interface Speculation extends Utterance {
  /** What the caller is taken to have said. */
  readonly text: string;
}

/** The agent's side of a conversation: its current turn, and one made on speculation. */
export class Speaking {
  readonly #options: SpeakingOptions;
  #current: Utterance | null = null;
  #speculation: Speculation | null = null;

  constructor(options: SpeakingOptions) {
    this.#options = options;
  }

  /** The agent has the word, though perhaps nothing was heard of it yet. */
  get isBusy(): boolean {
    return this.#current !== null;
  }

  /** Audio of the current turn waits to be sent, or is held. */
  get isAudible(): boolean {
    return this.#current?.turn.hasAudio === true && this.#options.sink.queuedMs() > 0;
  }

  /** All that the current turn has to say so far. */
  get text(): string {
    return this.#current?.turn.generatedText ?? '';
  }

  /** The current turn is heard to its end within so long, if nothing holds it. */
  endsWithin(ms: number): boolean {
    return this.#current?.turn.isWritten === true && this.#options.sink.queuedMs() <= ms;
  }

  /** Milliseconds heard of the current turn. */
  get playedMs(): number {
    return this.#current?.turn.playedMs() ?? 0;
  }

  /** Loudness of what leaves now, in dBFS. */
  levelNow(): number {
    return this.isAudible ? (this.#current?.turn.levelNow() ?? SILENCE_DBFS) : SILENCE_DBFS;
  }

  /** Speaks a text that stands already. */
  say(text: string, isFixed: boolean): void {
    this.begin(() => onlyText(text), isFixed);
  }

  /** Begins a turn that is to be heard. There must be no current one. */
  begin(script: Script, isFixed: boolean, stamps: OpenStamps = openStamps()): void {
    this.dropSpeculation();
    this.#adopt(this.#start(script, isFixed, stamps));
  }

  /** Begins to answer what the caller may have said; nothing is heard of it. */
  speculate(text: string, script: Script): void {
    if (this.#speculation?.text === text) return;
    this.dropSpeculation();
    const stamps = openStamps();
    stamps.speculatedAtMs = this.#options.clock.nowMs();
    this.#speculation = { ...this.#start(script, false, stamps), text };
    const speculation = this.#speculation;
    void speculation.result.then(({ type }) => {
      speculation.hasFailed = type === 'failed';
    });
  }

  /** When work on the present guess began. */
  get speculatedAtMs(): number | null {
    return this.#speculation?.stamps.speculatedAtMs ?? null;
  }

  dropSpeculation(): void {
    this.#speculation?.turn.abort();
    this.#speculation = null;
  }

  /** Makes the guess the current turn if it was right. `stamps` are of the caller's turn. */
  adoptSpeculation(text: string, stamps: OpenStamps): boolean {
    const speculation = this.#speculation;
    if (speculation === null || speculation.text !== text || speculation.hasFailed) return false;
    this.#speculation = null;
    const own = speculation.stamps;
    own.speechStartedAtMs = stamps.speechStartedAtMs;
    own.speechEndedAtMs = stamps.speechEndedAtMs;
    own.transcriptFinalAtMs = stamps.transcriptFinalAtMs;
    own.committedAtMs = stamps.committedAtMs;
    this.#adopt(speculation);
    return true;
  }

  /** Once per frame: notices when the first packet of the turn has left. */
  tick(nowMs: number): void {
    if (this.#current !== null) this.#dateStart(this.#current, nowMs);
  }

  #dateStart({ turn, stamps, beganAtMs }: Utterance, nowMs: number): void {
    if (stamps.playoutStartedAtMs !== null) return;
    const playedMs = turn.playedMs();
    if (playedMs === 0) return;
    const sinceMs = this.#options.sink.soundSinceMs();
    // What follows another sound without a pause is dated by how much of it was heard.
    const isExact = sinceMs !== null && sinceMs >= beganAtMs;
    stamps.playoutStartedAtMs = isExact ? sinceMs : Math.max(beganAtMs, nowMs - playedMs);
  }

  /** First stage of a barge-in. */
  hold(): void {
    this.#options.sink.hold();
  }

  resume(): void {
    this.#options.sink.resume();
  }

  /**
   * Takes the word from the agent: nothing more of the current turn is heard. Gives the text
   * of the clause that was cut, and of what would have followed.
   */
  interrupt(): string {
    this.dropSpeculation();
    const current = this.#current;
    this.#current = null;
    if (current === null) return '';
    const unheard = current.turn.unheardText();
    this.#record(current, true);
    current.turn.abort();
    this.#options.sink.discard();
    return unheard;
  }

  #start(script: Script, isFixed: boolean, stamps: OpenStamps): Utterance {
    const { voice, sink, clock, history } = this.#options;
    const turn = new AgentTurn({
      voice,
      sink,
      clock,
      stamps,
      isFixed,
      budget: new RetryBudget(),
      onRound: (text: string, calls: readonly ToolCall[], results: readonly Message[]) =>
        history.addToolRound(text, calls, results),
      onSpeaking: () => {
        this.#options.onSpeaking();
        this.#options.onText(turn.generatedText);
      },
      onClause: () => this.#options.onText(turn.generatedText),
    });
    const result = turn.run(() => script(turn));
    return { turn, stamps, result, beganAtMs: clock.nowMs(), hasFailed: false };
  }

  #adopt(utterance: Utterance): void {
    this.#current = utterance;
    utterance.beganAtMs = this.#options.clock.nowMs();
    utterance.turn.release();
    void utterance.result.then((result) => {
      if (this.#current !== utterance) return;
      this.#current = null;
      this.#record(utterance, false);
      this.#options.onDone(result);
    });
  }

  #record(utterance: Utterance, isInterrupted: boolean): void {
    const { turn, stamps, beganAtMs } = utterance;
    const { history, log, clock } = this.#options;
    const nowMs = clock.nowMs();
    this.#dateStart(utterance, nowMs);
    const text = turn.heardText();
    history.addAgent({ heardText: turn.heardSinceRound(), isInterrupted });
    if (text === '') return;
    stamps.playoutEndedAtMs = nowMs;
    log.add({
      role: 'agent',
      text,
      generatedText: isInterrupted ? turn.generatedText : null,
      isInterrupted,
      via: null,
      startedAtMs: stamps.playoutStartedAtMs ?? beganAtMs,
      endedAtMs: nowMs,
      stamps,
    });
  }
}

async function* onlyText(text: string): AsyncGenerator<TurnPart> {
  yield { type: 'text', text };
}
