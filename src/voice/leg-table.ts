import { assertNever } from '../lib/assert-never.ts';
import type { LegId } from '../model/ids.ts';
import type { LegReport } from '../model/media.ts';
import type {
  FromWorker,
  LegOpened,
  OpenLeg,
  OpenWebLeg,
  ToolWanted,
  TransferWanted,
  WebLegOpened,
  WebLegResumed,
} from './protocol.ts';
import { VoiceError } from './voice-error.ts';
import type { PhoneVoiceLeg, VoiceLeg, VoiceLegEvents, WebVoiceLeg } from './voice-leg.ts';
import type { WorkerThread } from './worker-thread.ts';

/** Messages about one leg. */
export type LegMessage = Extract<FromWorker, { readonly legId: LegId }>;
type Opened = LegOpened | WebLegOpened;

interface Entry {
  readonly thread: WorkerThread;
  readonly legId: LegId;
  readonly events: VoiceLegEvents;
  readonly closed: Promise<LegReport | null>;
  readonly settleClosed: (report: LegReport | null) => void;
  readonly resumptions: Map<number, (answerSdp: string | null) => void>;
  /** Tools of the owner's that run. */
  readonly tools: Map<number, AbortController>;
  opening: { resolve(opened: Opened): void; reject(error: VoiceError): void } | null;
  isClosing: boolean;
}

const OPEN_TIMEOUT_MS = 2_000;
const RESUME_TIMEOUT_MS = 2_000;
const CLOSE_TIMEOUT_MS = 3_000;

/** The main thread's side of all legs: who waits for what, and who is told what. */
export class LegTable {
  readonly #entries = new Map<LegId, Entry>();
  #requests = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** Where a leg lives; null when it is gone. */
  threadOf(legId: LegId): WorkerThread | null {
    return this.#entries.get(legId)?.thread ?? null;
  }

  /** @throws VoiceError */
  async openPhone(
    thread: WorkerThread,
    message: OpenLeg,
    events: VoiceLegEvents,
  ): Promise<PhoneVoiceLeg> {
    const { legId } = message;
    const { entry, opened } = await this.#open(thread, message, events);
    if (opened.type !== 'leg-opened') throw new TypeError('a phone leg opened as another');
    return {
      ...this.#handle(entry),
      local: opened.local,
      update: (parameters) => thread.post({ type: 'update-leg', legId, parameters }),
      carryDigits: () => thread.post({ type: 'carry-digits', legId }),
    };
  }

  /** @throws VoiceError */
  async openWeb(
    thread: WorkerThread,
    message: OpenWebLeg,
    events: VoiceLegEvents,
  ): Promise<WebVoiceLeg> {
    const { entry, opened } = await this.#open(thread, message, events);
    if (opened.type !== 'web-leg-opened') throw new TypeError('a web leg opened as another');
    return {
      ...this.#handle(entry),
      answerSdp: opened.answerSdp,
      resume: (offerSdp) => this.#resume(entry, offerSdp),
    };
  }

  onMessage(message: LegMessage): void {
    const entry = this.#entries.get(message.legId);
    if (entry === undefined) return;
    const { events } = entry;
    switch (message.type) {
      case 'leg-opened':
      case 'web-leg-opened':
        return entry.opening?.resolve(message);
      case 'leg-failed':
        return entry.opening?.reject(
          new VoiceError(message.code, message.message, { retryable: true }),
        );
      case 'web-leg-connected':
        return events.onConnected();
      case 'web-leg-resumed':
        return this.#onResumed(entry, message);
      case 'turn':
        return events.onTurn(message.turn);
      case 'caption':
        return events.onCaption(message.caption);
      case 'callee-known':
        return events.onCalleeKnown(message.answeredBy);
      case 'conversation-changed':
        return events.onActivity(message.activity);
      case 'conversation-noted':
        return events.onNote(message.note);
      case 'transfer-wanted':
        return this.#onTransferWanted(entry, message);
      case 'tool-wanted':
        return this.#onToolWanted(entry, message);
      case 'tool-dropped':
        return entry.tools.get(message.requestId)?.abort();
      case 'digits-wanted':
        return events.onDigitsWanted(message.digits);
      case 'conversation-ended':
        return events.onConversationEnded(message.reason, message.detail);
      case 'leg-closed':
        return this.#forget(entry, message.report);
      default:
        return assertNever(message);
    }
  }

  /** The thread is gone, and so are its legs. Gives their number. */
  onThreadLost(thread: WorkerThread): number {
    const lost = [...this.#entries.values()].filter((entry) => entry.thread === thread);
    for (const entry of lost) {
      const { opening, isClosing, events } = entry;
      this.#forget(entry, null);
      if (opening !== null)
        opening.reject(new VoiceError('VOICE_WORKER_LOST', 'voice worker died'));
      else if (!isClosing) events.onLost();
    }
    return lost.length;
  }

  async #open(thread: WorkerThread, message: OpenLeg | OpenWebLeg, events: VoiceLegEvents) {
    const entry = this.#add(thread, message.legId, events);
    try {
      const opened = await new Promise<Opened>((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(
            new VoiceError('VOICE_WORKER_LOST', 'the voice worker did not open a leg in time'),
          );
        }, OPEN_TIMEOUT_MS);
        entry.opening = {
          resolve: (answer) => {
            clearTimeout(timer);
            resolve(answer);
          },
          reject: (error) => {
            clearTimeout(timer);
            reject(error);
          },
        };
        thread.post(message);
      });
      return { entry, opened };
    } catch (error) {
      this.#forget(entry, null);
      thread.post({ type: 'close-leg', legId: entry.legId, reason: 'internal-error' });
      throw error;
    } finally {
      entry.opening = null;
    }
  }

  #handle(entry: Entry): VoiceLeg {
    const { thread, legId } = entry;
    return {
      legId,
      stepAside: () => thread.post({ type: 'step-aside', legId }),
      stepBack: () => thread.post({ type: 'step-back', legId }),
      ringBack: (isOn) => thread.post({ type: 'ring-back', legId, isOn }),
      bridgeTo: ({ legId: otherLegId }) => thread.post({ type: 'bridge-legs', legId, otherLegId }),
      startConversation: (agent, variables, answeredAtMs, machineDetection = null) =>
        thread.post({
          type: 'start-conversation',
          legId,
          agent,
          variables,
          answeredAtMs,
          machineDetection,
        }),
      say: (text) => thread.post({ type: 'say', legId, text }),
      sendDigits: (digits) => thread.post({ type: 'send-digits', legId, digits }),
      injectDigit: (digit) => thread.post({ type: 'inject-digit', legId, digit }),
      watch: (isWatched) => thread.post({ type: 'watch-leg', legId, isWatched }),
      finish: (reason, withinMs) =>
        thread.post({ type: 'finish-conversation', legId, reason, withinMs }),
      close: (reason) => {
        if (!entry.isClosing && this.#entries.has(legId)) {
          entry.isClosing = true;
          thread.post({ type: 'close-leg', legId, reason });
          const timer = setTimeout(() => this.#forget(entry, null), CLOSE_TIMEOUT_MS);
          void entry.closed.then(() => clearTimeout(timer));
        }
        return entry.closed;
      },
    };
  }

  #resume(entry: Entry, offerSdp: string): Promise<string | null> {
    const { thread, legId, resumptions } = entry;
    if (entry.isClosing || !this.#entries.has(legId)) return Promise.resolve(null);
    this.#requests += 1;
    const requestId = this.#requests;
    return new Promise((resolve) => {
      const settle = (answerSdp: string | null) => {
        clearTimeout(timer);
        resumptions.delete(requestId);
        resolve(answerSdp);
      };
      const timer = setTimeout(settle, RESUME_TIMEOUT_MS, null);
      resumptions.set(requestId, settle);
      thread.post({ type: 'resume-web-leg', legId, requestId, offerSdp });
    });
  }

  #onTransferWanted({ thread, events }: Entry, { legId, requestId, target }: TransferWanted): void {
    events.onTransferWanted(target, (why) =>
      thread.post({ type: 'transfer-failed', legId, requestId, why }),
    );
  }

  #onToolWanted(entry: Entry, { legId, requestId, call }: ToolWanted): void {
    const { thread, events, tools } = entry;
    const dropped = new AbortController();
    tools.set(requestId, dropped);
    void events.onToolWanted(call, dropped.signal).then((result) => {
      const isWanted = tools.delete(requestId) && !dropped.signal.aborted;
      if (isWanted) thread.post({ type: 'tool-done', legId, requestId, result });
    });
  }

  #onResumed({ resumptions }: Entry, { requestId, answerSdp }: WebLegResumed): void {
    resumptions.get(requestId)?.(answerSdp);
  }

  #add(thread: WorkerThread, legId: LegId, events: VoiceLegEvents): Entry {
    let settleClosed: (report: LegReport | null) => void = () => {};
    const closed = new Promise<LegReport | null>((settle) => {
      settleClosed = settle;
    });
    const resumptions = new Map<number, (answerSdp: string | null) => void>();
    const tools = new Map<number, AbortController>();
    const state = { opening: null, isClosing: false };
    const waiting = { closed, settleClosed, resumptions, tools };
    const entry: Entry = { thread, legId, events, ...waiting, ...state };
    this.#entries.set(legId, entry);
    thread.legCount += 1;
    return entry;
  }

  #forget(entry: Entry, report: LegReport | null): void {
    if (!this.#entries.delete(entry.legId)) return;
    entry.thread.legCount -= 1;
    for (const settle of entry.resumptions.values()) settle(null);
    for (const dropped of entry.tools.values()) dropped.abort();
    entry.settleClosed(report);
  }
}
