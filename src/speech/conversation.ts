import {
  type Brain,
  ConversationHistory,
  createBrain,
  keypadMessage,
  type Message,
} from '../dialogue/brain.ts';
import { greeting, systemPrompt } from '../dialogue/prompt.ts';
import { GatewayError } from '../lib/gateway-error.ts';
import type { TransferTarget } from '../model/agent.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { AgentTurnResult } from './agent-turn.ts';
import type { Activity, ConversationOptions } from './conversation-options.ts';
import { DIGIT_PAUSE_MS, DigitCollector } from './digit-collector.ts';
import { FIXED_PHRASES } from './fixed-phrases.ts';
import { IdlePrompts } from './idle-prompts.ts';
import { type HeardUtterance, Listening } from './listening.ts';
import { type Ending, OUT_OF_TIME, type Saying } from './phases.ts';
import type { SpeechToText, Transcript } from './provider.ts';
import { replyTo } from './replying.ts';
import { type Script, Speaking } from './speaking.ts';
import { toSpeechError } from './speech-error.ts';
import { type OpenStamps, openStamps } from './stamps.ts';
import { startTimeLimit } from './time-limit.ts';
import { Timers } from './timers.ts';
import type { Said } from './turn-taking/completeness.ts';
import { isNoise } from './turn-taking/noise.ts';
import { TurnLog } from './turn-log.ts';
import { renderAhead, type Voice } from './voice.ts';
import { wordsOf } from './words-of.ts';

/** A turn that fails is apologized for; this many end the call. */
const FAILED_TURNS_MAX = 3;
/** A call is cut this long after its limit, whatever is still being said. */
const HARD_CUT_AFTER_MS = 5000;
/** A farewell for any other reason is cut after this long. */
const FAREWELL_MS_MAX = 10_000;
const SAYINGS_MAX = 16;

type TimerName = 'idle' | 'digits' | 'warning' | 'limit' | 'hard-cut' | 'finish';

/**
 * The live speech loop of one leg: greets, hears, answers, is interrupted, ends once.
 *
 *     new ──start──▶ live ──finish, limit, end_call──▶ closing ──▶ ended
 *
 * What the caller does comes from `Listening`, what the agent says goes through `Speaking`;
 * here is decided what is said. All times come from `options.clock`.
 */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #brain: Brain;
  readonly #stt: SpeechToText;
  readonly #voice: Voice;
  readonly #history: ConversationHistory;
  readonly #log: TurnLog;
  readonly #speaking: Speaking;
  readonly #listening: Listening;
  readonly #timers: Timers<TimerName>;
  readonly #digits = new DigitCollector();
  readonly #idlePrompts: IdlePrompts;
  readonly #sayings: Saying[] = [];
  readonly #abort = new AbortController();
  #phase: 'new' | 'live' | 'closing' | 'ended' = 'new';
  #activity: Activity = 'listening';
  /** How the call ends once what is being said was heard. */
  #ending: Ending | null = null;
  /** Counts what the caller did; a reply to something older is not given any more. */
  #callerTurns = 0;
  /** What the agent had left to say when the caller took the word; null: it was not cut off. */
  #unheard: string | null = null;
  /** It was the end of a question that "yes" answers. */
  #isAnswer = false;
  #failedTurns = 0;
  /** The caller is being put through to somebody else: the agent neither hears nor speaks. */
  #isAside = false;

  /** Throws a `DialogueError` for an agent whose settings cannot be used. */
  constructor(options: ConversationOptions) {
    this.#options = options;
    const { agent, variables, engines, source, sink, clock } = options;
    this.#brain = options.brain ?? createBrain(agent, variables, { now: () => clock.nowMs() });
    const isModel = agent.llm.provider !== 'phrasebook';
    const prompt = isModel ? systemPrompt(agent, variables, clock.nowMs()) : '';
    this.#history = new ConversationHistory({ systemPrompt: prompt });
    this.#log = new TurnLog(options);
    this.#idlePrompts = new IdlePrompts(agent.idle);
    this.#timers = new Timers(clock);
    this.#stt = engines.speechToText(agent);
    this.#voice = {
      tts: engines.textToSpeech(agent),
      fallbackTts: engines.fallbackTts,
      clips: engines.clips,
      name: agent.voice,
      language: agent.language,
    };
    this.#speaking = new Speaking({
      sink,
      clock,
      voice: this.#voice,
      history: this.#history,
      log: this.#log,
      onSpeaking: () => this.#setActivity('speaking'),
      onText: (text) => options.onCaption?.('agent', text),
      onDone: (result) => this.#guard(() => this.#agentDone(result)),
    });
    this.#listening = new Listening({
      sampleRateHz: source.sampleRateHz,
      language: agent.language,
      detector: engines.detector(source.sampleRateHz),
      stt: this.#stt,
      signal: this.#abort.signal,
      clock,
      speaking: this.#speaking,
      judge: (text) => this.#judge(text),
      onWords: (text) => options.onCaption?.('user', text),
      onOnset: () => this.#timers.clear('idle'),
      onFalseAlarm: () => this.#next(),
      asks: (text) => this.#asks(text),
      onInterrupted: (unheard, isAnswer) => {
        this.#unheard = unheard;
        this.#isAnswer = isAnswer;
        this.#setActivity('listening');
      },
      onGuess: (text) => this.#guess(text),
      onCommitted: (utterance) =>
        void this.#callerDone(utterance).catch((err: unknown) => this.#crash(err)),
    });
  }

  /**
   * Opens connections and renders the greeting, while the phone still rings. Never rejects;
   * `start` need not wait for it.
   */
  async prepare(): Promise<void> {
    const { signal } = this.#abort;
    const text = this.#greeting();
    await Promise.all([
      this.#brain.prewarm?.(signal),
      this.#stt.prewarm(signal),
      this.#voice.tts.prewarm(signal),
      renderAhead(this.#voice, text, this.#options.sink, signal).catch((err: unknown) =>
        this.#warn('a phrase could not be rendered ahead', err),
      ),
    ]);
  }

  /** The far side hears us: greets, and listens from now on. */
  start(): void {
    if (this.#phase !== 'new') return;
    this.#phase = 'live';
    const { source, agent } = this.#options;
    source.onFrame((frame) => {
      if (!this.#isAside) this.#guard(() => this.#listening.hear(frame));
    });
    source.onDigit((digit) => this.#guard(() => this.#press(digit)));
    startTimeLimit(agent.timeLimitSeconds * 1000, this.#options.clock, this.#timers, {
      onWarning: (text) => this.#warnOfLimit(text),
      onOver: () => this.#sayGoodbye(OUT_OF_TIME, FIXED_PHRASES.limitGoodbye, HARD_CUT_AFTER_MS),
    });
    const text = this.#greeting();
    if (text !== '') this.#sayings.push({ text: () => text, isFixed: true });
    this.#next();
  }

  /** Speaks a sentence of the owner's when the word is free. More than 16 waiting are dropped. */
  say(text: string): void {
    if (this.#phase !== 'live' || this.#sayings.length >= SAYINGS_MAX) return;
    this.#sayings.push({ text: () => text, isFixed: false });
    if (this.#isQuiet()) this.#next();
  }

  /** The caller is put through by the owner: whatever is said or heard now ends here. */
  stepAside(): void {
    if (this.#phase !== 'live' || this.#isAside) return;
    this.#silence();
    this.#speaking.interrupt();
    this.#setActivity('listening');
  }

  /** It came to nothing: the agent says so and goes on. */
  stepBack(): void {
    if (!this.#isAside) return;
    this.#isAside = false;
    this.#sayings.unshift({ text: () => FIXED_PHRASES.transferFailed, isFixed: true });
    this.#next();
  }

  /** Stops listening; ends when all was heard, or after `withinMs`. */
  finish(reason: EndReason, withinMs: number): void {
    if (this.#phase === 'ended' || this.#ending !== null) return;
    this.#close({ reason, detail: null });
    this.#timers.set('finish', withinMs, () => this.#end());
    if (!this.#speaking.isBusy) this.#end();
  }

  /** The leg is gone: ends without a word and without `onEnded`. What was heard is recorded. */
  close(): void {
    if (this.#phase === 'ended') return;
    this.#shutDown();
  }

  /** The agent's own wish to put the caller through; the turn that had it waits for the end. */
  async #transfer(to: TransferTarget, signal: AbortSignal): Promise<string> {
    this.#silence();
    const why = await this.#options.onTransfer?.(to, signal);
    this.#isAside = false;
    return why ?? 'there is no way to do that';
  }

  #silence(): void {
    this.#isAside = true;
    this.#timers.clear('idle');
    this.#timers.clear('digits');
    this.#digits.take();
    this.#listening.abandon();
    this.#unheard = null;
  }

  #greeting(): string {
    const { agent, variables, clock } = this.#options;
    return greeting(agent, variables, clock.nowMs());
  }

  /** The caller put us on hold, or came back. */
  setOnHold(isOnHold: boolean): void {
    if (!this.#idlePrompts.setOnHold(isOnHold)) return;
    if (isOnHold) this.#timers.clear('idle');
    else if (this.#isQuiet()) this.#next();
  }

  /** Nobody speaks, and nothing is being worked out. */
  #isQuiet(): boolean {
    return !this.#speaking.isBusy && !this.#listening.isOpen && this.#activity === 'listening';
  }

  /** The word is free: say what waits, or listen. */
  #next(): void {
    if (this.#phase !== 'live' || this.#speaking.isBusy || this.#isAside) return;
    this.#setActivity('listening');
    if (this.#listening.isOpen) return;
    const saying = this.#sayings.shift();
    if (saying !== undefined) return this.#speak(saying);
    const { patienceMs } = this.#idlePrompts;
    if (patienceMs !== null) this.#timers.set('idle', patienceMs, () => this.#idle());
  }

  #speak({ text, isFixed }: Saying): void {
    this.#timers.clear('idle');
    this.#speaking.say(text(), isFixed);
  }

  #judge(text: string): Said {
    const messages = this.#history.messages();
    const expects = this.#brain.expects?.(messages) ?? 'open';
    const isKnown = text !== '' && (this.#brain.isComplete?.(messages, text) ?? false);
    return { text, isKnown, expects };
  }

  /** A brain that does not know what it asks is judged by the question mark. */
  #asks(text: string): boolean {
    if (this.#brain.expects === undefined) return text.endsWith('?');
    const said: Message = { role: 'assistant', content: text };
    return this.#brain.expects([...this.#history.messages(), said]) === 'yes-no';
  }

  #guess(text: string): void {
    if (this.#phase !== 'live') return;
    const history: Message[] = [...this.#history.messages(), { role: 'user', content: text }];
    this.#speaking.speculate(text, this.#script(history));
  }

  #script(history: readonly Message[]): Script {
    const onToolWait = (): void => this.#setActivity('thinking');
    const onTransfer = (to: TransferTarget, signal: AbortSignal) => this.#transfer(to, signal);
    const options = { ...this.#options, brain: this.#brain, onTransfer, onToolWait };
    return (turn) => replyTo(history, turn, options);
  }

  async #callerDone(utterance: HeardUtterance): Promise<void> {
    const { clock } = this.#options;
    this.#callerTurns += 1;
    const turnNumber = this.#callerTurns;
    const unheard = this.#unheard;
    const isAnswer = this.#isAnswer;
    this.#unheard = null;
    const stamps = openStamps();
    stamps.speechStartedAtMs = utterance.speechStartedAtMs;
    stamps.speechEndedAtMs = utterance.speechEndedAtMs;
    stamps.speculatedAtMs = this.#speaking.speculatedAtMs;
    stamps.committedAtMs = clock.nowMs();
    this.#setActivity('thinking');
    let transcript: Transcript;
    try {
      transcript = await wordsOf(this.#listening, clock, this.#abort.signal);
    } catch (err) {
      return this.#phase === 'live' ? this.#failed(err) : undefined;
    }
    if (this.#phase !== 'live' || this.#isAside) return;
    const isCurrent = turnNumber === this.#callerTurns;
    stamps.transcriptFinalAtMs = clock.nowMs();
    const { text } = transcript;
    const hasInterrupted = unheard !== null;
    if (isNoise({ text, voicedMs: utterance.voicedMs, hasInterrupted, isAnswer })) {
      this.#speaking.dropSpeculation();
      // It was cut off by a cough or a "yeah": it says again what was not heard.
      if (unheard) this.#sayings.unshift({ text: () => unheard, isFixed: false });
      return isCurrent ? this.#next() : undefined;
    }
    this.#recordCaller(text, 'speech', stamps, utterance.speechStartedAtMs);
    this.#history.addUser(text);
    // Words that came late, when the caller has said more since, are known but not answered.
    if (isCurrent && !this.#speaking.isBusy) this.#reply(text, stamps);
  }

  /** Answers the last user turn of the history, with the guess if it was right. */
  #reply(text: string, stamps: OpenStamps): void {
    if (!this.#speaking.adoptSpeculation(text, stamps)) {
      const history = this.#history.messages();
      this.#speaking.begin(this.#script(history), false, { ...stamps });
    }
    // The caller may have gone on while the words were being found.
    this.#listening.contest();
  }

  #recordCaller(
    text: string,
    via: 'speech' | 'digits',
    stamps: OpenStamps,
    startedAtMs: number,
  ): void {
    this.#idlePrompts.startOver();
    const endedAtMs = stamps.speechEndedAtMs ?? this.#options.clock.nowMs();
    this.#log.add({
      role: 'user',
      text,
      generatedText: null,
      isInterrupted: false,
      via,
      startedAtMs,
      endedAtMs,
      stamps,
    });
  }

  #agentDone(result: AgentTurnResult): void {
    if (this.#phase === 'closing') return this.#end();
    if (this.#phase !== 'live') return;
    switch (result.type) {
      case 'failed':
        return this.#failed(result.error);
      case 'aborted':
        return this.#next();
      case 'spoken':
        this.#listening.replyHeard();
        if (!result.endsCall) return this.#next();
        this.#close({ reason: 'agent-hung-up', detail: null });
        return this.#end();
    }
  }

  #press(digit: string): void {
    if (this.#phase !== 'live' || this.#isAside) return;
    this.#callerTurns += 1;
    this.#timers.clear('idle');
    this.#listening.abandon();
    this.#speaking.interrupt();
    this.#setActivity('listening');
    const messages = this.#history.messages();
    const isKnown = (digits: string): boolean =>
      this.#brain.isComplete?.(messages, keypadMessage(digits).content) ?? false;
    const digits = this.#digits.press(digit, isKnown);
    if (digits !== null) return this.#digitsDone(digits);
    this.#timers.set('digits', DIGIT_PAUSE_MS, () => this.#digitsDone(this.#digits.take()));
  }

  #digitsDone(digits: string): void {
    this.#timers.clear('digits');
    if (this.#phase !== 'live' || digits === '') return;
    const stamps = openStamps();
    stamps.committedAtMs = this.#options.clock.nowMs();
    this.#setActivity('thinking');
    this.#recordCaller(digits, 'digits', stamps, stamps.committedAtMs);
    this.#history.addUser(keypadMessage(digits).content);
    if (!this.#speaking.isBusy) this.#reply(digits, stamps);
  }

  #idle(): void {
    const prompt = this.#idlePrompts.next();
    if (prompt !== null) this.#options.onNote?.(prompt);
    if (prompt !== null) return this.#speak({ text: () => prompt.text, isFixed: true });
    this.#close({ reason: 'caller-silent', detail: null });
    this.#end();
  }

  #warnOfLimit(text: () => string): void {
    this.#sayings.unshift({ text, isFixed: false });
    if (this.#isQuiet()) this.#next();
  }

  /** Whatever went on, the last word is the agent's, for `withinMs` at most. */
  #sayGoodbye(ending: Ending, text: string, withinMs: number): void {
    if (this.#phase !== 'live') return;
    this.#speaking.interrupt();
    this.#close(ending);
    // Two people talk with each other: the agent has no word left.
    if (this.#isAside) return this.#end();
    this.#timers.set('hard-cut', withinMs, () => this.#end());
    this.#speak({ text: () => text, isFixed: true });
  }

  /** A turn is lost: say so, or give up. */
  #failed(err: unknown): void {
    this.#speaking.dropSpeculation();
    this.#failedTurns += 1;
    const { code } = this.#warn('a turn failed', err);
    if (this.#failedTurns >= FAILED_TURNS_MAX) {
      const ending = { reason: 'provider-failed', detail: code } as const;
      return this.#sayGoodbye(ending, FIXED_PHRASES.failureGoodbye, FAREWELL_MS_MAX);
    }
    this.#sayings.unshift({ text: () => FIXED_PHRASES.apology, isFixed: true });
    this.#setActivity('listening');
    this.#next();
  }

  #warn(message: string, err: unknown): { code: string } {
    const { code, facts } =
      err instanceof GatewayError ? err : toSpeechError(err, 'SPEECH_ENGINE_FAILED', message);
    this.#options.onLog?.('warn', message, { code, ...facts });
    return { code };
  }

  #setActivity(activity: Activity): void {
    if (this.#activity === activity || this.#phase === 'ended') return;
    this.#activity = activity;
    this.#options.onActivity(activity);
  }

  /** A bug ends this one call, not the worker with all its calls. */
  #guard(task: () => void): void {
    try {
      task();
    } catch (err) {
      this.#crash(err);
    }
  }

  #crash(err: unknown): void {
    if (this.#phase === 'ended') return;
    this.#warn('a conversation broke', err);
    this.#ending = { reason: 'internal-error', detail: err instanceof Error ? err.name : null };
    this.#end();
  }

  /** Hears nothing from now on; the agent may still finish its sentence. */
  #close(ending: Ending): void {
    this.#phase = 'closing';
    this.#ending = ending;
    this.#timers.clearAll();
    this.#sayings.length = 0;
    this.#speaking.dropSpeculation();
    this.#listening.close();
    this.#options.sink.resume();
  }

  #end(): void {
    if (this.#phase === 'ended') return;
    this.#shutDown();
    const { reason, detail } = this.#ending ?? { reason: 'internal-error', detail: null };
    this.#options.onEnded(reason, detail);
  }

  #shutDown(): void {
    this.#speaking.interrupt();
    this.#phase = 'ended';
    this.#timers.clearAll();
    this.#listening.close();
    this.#abort.abort();
  }
}
