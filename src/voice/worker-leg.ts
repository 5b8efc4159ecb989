import { randomId } from '../lib/random-id.ts';
import type { RtpLeg } from '../media/rtp-leg.ts';
import type { EndReason } from '../model/end-reason.ts';
import { asTurnId, type LegId } from '../model/ids.ts';
import type { LegReport, RtpParameters } from '../model/media.ts';
import { systemClock } from '../speech/clock.ts';
import { Conversation } from '../speech/conversation.ts';
import type { SpeechEngines } from '../speech/speech-engines.ts';
import type { FromWorker, StartConversation } from './protocol.ts';

export interface WorkerLegOptions {
  readonly legId: LegId;
  readonly rtp: RtpLeg;
  readonly speech: SpeechEngines;
  readonly post: (message: FromWorker) => void;
  readonly onError: (error: unknown) => void;
}

/** One call's media and conversation, in the worker. Whatever fails here ends this call only. */
export class WorkerLeg {
  readonly #options: WorkerLegOptions;
  #conversation: Conversation | null = null;
  #updated: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(options: WorkerLegOptions) {
    this.#options = options;
    options.rtp.onMediaTimedOut(() => this.#end('media-timeout', null));
  }

  update(parameters: RtpParameters): void {
    this.#updated = this.#options.rtp.update(parameters).catch((error: unknown) => {
      if (!this.#isOver) this.#fail(error);
    });
  }

  /** Media starts with the first `update`, so this waits for it. */
  startConversation(message: StartConversation): void {
    void this.#updated.then(() => {
      if (this.#isOver || this.#conversation !== null) return;
      try {
        this.#conversation = this.#createConversation(message);
        this.#conversation.start();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  injectDigit(digit: string): void {
    this.#options.rtp.injectDigit(digit);
  }

  say(text: string): void {
    this.#conversation?.say(text);
  }

  sendDigits(digits: string): void {
    this.#options.rtp.sink.sendDigits(digits).catch(this.#options.onError);
  }

  finish(reason: EndReason, withinMs: number): void {
    if (this.#conversation === null) this.#end(reason, null);
    else this.#conversation.finish(reason, withinMs);
  }

  /** Stops both. Nothing is posted afterwards. */
  close(): LegReport {
    this.#isOver = true;
    this.#conversation?.close();
    return this.#options.rtp.close();
  }

  #createConversation({ agent, variables }: StartConversation): Conversation {
    const { legId, rtp, speech, post } = this.#options;
    return new Conversation({
      agent,
      variables,
      source: rtp.source,
      sink: rtp.sink,
      clock: systemClock,
      engines: speech,
      newTurnId: () => asTurnId(randomId('trn')),
      onTurn: (turn) => post({ type: 'turn', legId, turn }),
      onActivity: (activity) => post({ type: 'conversation-changed', legId, activity }),
      onEnded: (reason, detail) => this.#end(reason, detail),
      onTool: (call) => Promise.reject(new Error(`there is no tool "${call.name}"`)),
      onLog: (level, message, facts) =>
        post({ type: 'log', level, message, facts: { ...facts, legId } }),
    });
  }

  #fail(error: unknown): void {
    this.#options.onError(error);
    this.#end('internal-error', error instanceof Error ? error.name : null);
  }

  #end(reason: EndReason, detail: string | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { legId, post } = this.#options;
    post({ type: 'conversation-ended', legId, reason, detail });
  }
}
