import { assertNever } from '../lib/assert-never.ts';
import { randomId } from '../lib/random-id.ts';
import { MediaError } from '../media/media-error.ts';
import type { AudioSink, AudioSource } from '../model/audio.ts';
import type { TransferTarget } from '../model/agent.ts';
import type { EndReason } from '../model/end-reason.ts';
import { asTurnId, type LegId } from '../model/ids.ts';
import type { AnsweredBy, MachineDetection } from '../model/machine-detection.ts';
import type { LegReport } from '../model/media.ts';
import type { ToolCall } from '../model/tool-call.ts';
import type { Caption } from '../model/turn.ts';
import type { CalleeAction } from '../speech/answering-machine/callee-judge.ts';
import { CalleeWatch } from '../speech/answering-machine/callee-watch.ts';
import { systemClock } from '../speech/clock.ts';
import { Conversation } from '../speech/conversation.ts';
import type { ConversationOptions } from '../speech/conversation-options.ts';
import type { SpeechEngines } from '../speech/speech-engines.ts';
import type { FromWorker, StartConversation } from './protocol.ts';
import { QualityWatch } from './quality-watch.ts';
import { TurnCaptions } from './turn-captions.ts';

/** A message on an answering machine is cut after this long. */
const MESSAGE_MS_MAX = 120_000;

/** What every leg of a worker needs, whatever carries its media. */
export interface LegParts {
  readonly legId: LegId;
  readonly speech: SpeechEngines;
  readonly post: (message: FromWorker) => void;
  readonly onError: (error: unknown) => void;
}

export interface LegConversationOptions extends LegParts {
  /** Asked for when the conversation starts: a phone's are known once offer and answer are. */
  readonly media: { readonly source: AudioSource; readonly sink: AudioSink };
  /** For whoever looks on from the far side; the main thread is told anyway. */
  readonly audience?: Partial<Pick<ConversationOptions, 'onTurn' | 'onActivity' | 'onCaption'>>;
}

/** The conversation of one leg and its single end. Whatever fails here ends this call only. */
export class LegConversation {
  readonly #options: LegConversationOptions;
  readonly #captions = new TurnCaptions(() => asTurnId(randomId('trn')));
  readonly #quality = new QualityWatch();
  #conversation: Conversation | null = null;
  #watch: CalleeWatch | null = null;
  #isWatched = false;
  #isOver = false;
  #requests = 0;
  /** Who waits for a tool of the owner's. */
  readonly #toolsWanted = new Map<number, (result: unknown) => void>();
  #transferWanted: { readonly requestId: number; resolve(why: string): void } | null = null;

  constructor(options: LegConversationOptions) {
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  start(message: StartConversation): void {
    if (this.#isOver || this.#conversation !== null || this.#watch !== null) return;
    this.#options.media.source.hearAtOnce(true);
    try {
      if (message.machineDetection === null) this.#begin(message);
      else this.#watch = this.#watchCallee(message, message.machineDetection);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Who took the call; null: nobody asked, or it is not known yet. */
  get answeredBy(): AnsweredBy | null {
    return this.#watch?.answeredBy ?? null;
  }

  #begin(message: StartConversation): Conversation {
    const conversation = this.#create(message);
    this.#conversation = conversation;
    conversation.start();
    return conversation;
  }

  #watchCallee(message: StartConversation, detection: MachineDetection): CalleeWatch {
    const { agent, variables } = message;
    return new CalleeWatch({
      source: this.#options.media.source,
      agent,
      engines: this.#options.speech,
      detection,
      onDecided: (action, answeredBy) => {
        const { legId, post } = this.#options;
        post({ type: 'callee-known', legId, answeredBy });
        const told = { ...message, variables: { ...variables, answered_by: answeredBy } };
        try {
          this.#act(action, told, detection.message);
        } catch (error) {
          this.fail(error);
        }
      },
    });
  }

  #act(action: CalleeAction, message: StartConversation, text: string | null): void {
    if (this.#isOver) return;
    switch (action) {
      case 'converse':
        this.#begin(message);
        return;
      case 'hang-up':
        return this.end('machine-answered', null);
      case 'leave-message': {
        const greetingText = text ?? message.agent.greetingText;
        const speaking = this.#begin({ ...message, agent: { ...message.agent, greetingText } });
        return speaking.finish('machine-answered', MESSAGE_MS_MAX);
      }
      default:
        return assertNever(action);
    }
  }

  /** Tells the main thread when media got bad. */
  watchQuality(report: LegReport): void {
    const note = this.#quality.look(report);
    const { legId, post } = this.#options;
    if (note !== null && !this.#isOver) post({ type: 'conversation-noted', legId, note });
  }

  setOnHold(isOnHold: boolean): void {
    this.#conversation?.setOnHold(isOnHold);
  }

  stepAside(): void {
    // The other party is to hear an even stream.
    this.#options.media.source.hearAtOnce(false);
    this.#conversation?.stepAside();
  }

  stepBack(): void {
    this.#options.media.source.hearAtOnce(true);
    this.#conversation?.stepBack();
  }

  transferFailed(requestId: number, why: string): void {
    const wanted = this.#transferWanted;
    if (wanted?.requestId !== requestId) return;
    this.#transferWanted = null;
    wanted.resolve(why);
  }

  toolDone(requestId: number, result: unknown): void {
    this.#toolsWanted.get(requestId)?.(result);
  }

  say(text: string): void {
    this.#conversation?.say(text);
  }

  /** More than the line can press in a while are dropped, and that is said in the log. */
  async sendDigits(digits: string): Promise<void> {
    const { legId, media, post, onError } = this.#options;
    try {
      await media.sink.sendDigits(digits);
    } catch (error) {
      if (!(error instanceof MediaError)) return onError(error);
      const facts = { legId, code: error.code };
      post({ type: 'log', level: 'warn', message: 'digits were not sent', facts });
    }
  }

  /** Whether the main thread is told captions; it learns first what is being said just now. */
  setWatched(isWatched: boolean): void {
    const isNew = isWatched && !this.#isWatched;
    this.#isWatched = isWatched;
    if (isNew) for (const caption of this.#captions.open) this.#tell(caption);
  }

  finish(reason: EndReason, withinMs: number): void {
    if (this.#conversation === null) this.end(reason, null);
    else this.#conversation.finish(reason, withinMs);
  }

  /** Asks the main thread to end the call. At most once. */
  end(reason: EndReason, detail: string | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { legId, post } = this.#options;
    post({ type: 'conversation-ended', legId, reason, detail });
  }

  /** Ends the call for a bug. */
  fail(error: unknown): void {
    this.#options.onError(error);
    this.end('internal-error', error instanceof Error ? error.name : null);
  }

  /** The leg goes away: no end is posted any more, but what was heard last still is. */
  close(): void {
    this.#isOver = true;
    this.#watch?.close();
    this.#conversation?.close();
  }

  #wantTransfer(target: TransferTarget, signal: AbortSignal): Promise<string> {
    const { legId, post } = this.#options;
    this.#requests += 1;
    const requestId = this.#requests;
    return new Promise((resolve) => {
      this.#transferWanted = { requestId, resolve };
      // The call ended, which is how a transfer comes to its good end.
      signal.addEventListener('abort', () => resolve('the call is over'), { once: true });
      post({ type: 'transfer-wanted', legId, requestId, target });
    });
  }

  #wantTool(call: ToolCall, signal: AbortSignal): Promise<unknown> {
    const { legId, post } = this.#options;
    this.#requests += 1;
    const requestId = this.#requests;
    return new Promise((resolve) => {
      const drop = (): void => {
        post({ type: 'tool-dropped', legId, requestId });
        settle(null);
      };
      const settle = (result: unknown): void => {
        this.#toolsWanted.delete(requestId);
        signal.removeEventListener('abort', drop);
        resolve(result);
      };
      this.#toolsWanted.set(requestId, settle);
      signal.addEventListener('abort', drop, { once: true });
      post({ type: 'tool-wanted', legId, requestId, call });
    });
  }

  #tell(caption: Caption): void {
    const { legId, post } = this.#options;
    post({ type: 'caption', legId, caption });
  }

  #create({ agent, variables }: StartConversation): Conversation {
    const { legId, media, speech, post, audience } = this.#options;
    const { source, sink } = media;
    return new Conversation({
      agent,
      variables,
      source,
      sink,
      clock: systemClock,
      engines: speech,
      newTurnId: (turn) => this.#captions.finished(turn),
      onTurn: (turn) => {
        post({ type: 'turn', legId, turn });
        audience?.onTurn?.(turn);
      },
      onActivity: (activity) => {
        post({ type: 'conversation-changed', legId, activity });
        audience?.onActivity?.(activity);
      },
      onNote: (note) => post({ type: 'conversation-noted', legId, note }),
      onTransfer: (target, signal) => this.#wantTransfer(target, signal),
      onCaption: (role, text) => {
        const caption = this.#captions.said(role, text);
        if (this.#isWatched) this.#tell(caption);
        audience?.onCaption?.(role, text);
      },
      onEnded: (reason, detail) => this.end(reason, detail),
      onTool: (call, signal) => this.#wantTool(call, signal),
      onLog: (level, message, facts) =>
        post({ type: 'log', level, message, facts: { ...facts, legId } }),
    });
  }
}
