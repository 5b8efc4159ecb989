import { assertNever } from '../lib/assert-never.ts';
import type { Logger } from '../observability/logger.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { EndReason } from '../model/end-reason.ts';
import type { CallId, LegId } from '../model/ids.ts';
import type { CodecName, LegReport, LocalMediaAddress, RtpParameters } from '../model/media.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import type { FromWorker, WorkerReport } from './protocol.ts';
import { VoiceError } from './voice-error.ts';
import { type VoiceWorkerData, WorkerThread } from './worker-thread.ts';

/** What a leg tells its call. Called on the main thread. */
export interface VoiceLegEvents {
  onTurn(turn: TranscriptTurn): void;
  onActivity(activity: 'listening' | 'thinking' | 'speaking'): void;
  /** The conversation wants the call to end. At most once. */
  onConversationEnded(reason: EndReason, detail: string | null): void;
  /** The worker died: the leg is gone. At most once, and nothing follows. */
  onLost(): void;
}

/** One leg's media and conversation, in whichever worker it lives. */
export interface VoiceLeg {
  readonly local: LocalMediaAddress;
  update(parameters: RtpParameters): void;
  /** The far side hears us from now on. */
  startConversation(
    agent: AgentSnapshot,
    variables: Readonly<Record<string, string>>,
    answeredAtMs: number,
  ): void;
  injectDigit(digit: string): void;
  say(text: string): void;
  sendDigits(digits: string): void;
  /** Lets the agent finish speaking, for at most `withinMs`, then reports `onConversationEnded`. */
  finish(reason: EndReason, withinMs: number): void;
  /** Stops media. Resolves with the report, or null when the worker is gone. Idempotent. */
  close(): Promise<LegReport | null>;
}

export interface VoicePoolOptions {
  readonly workers: number;
  readonly workerData: (index: number) => VoiceWorkerData;
  readonly log: Logger;
  onWorkerReport?(index: number, report: WorkerReport): void;
  onWorkerLost?(index: number): void;
}

interface Entry {
  readonly thread: WorkerThread;
  readonly legId: LegId;
  readonly events: VoiceLegEvents;
  opened: { resolve(local: LocalMediaAddress): void; reject(error: VoiceError): void } | null;
  closed: { readonly promise: Promise<LegReport | null>; resolve(report: LegReport | null): void };
  isClosing: boolean;
}

const OPEN_TIMEOUT_MS = 2_000;
const CLOSE_TIMEOUT_MS = 3_000;
/** A worker that keeps dying is started again after 0.1, 0.2, 0.4 … at most 5 s. */
const RESTART_DELAY_MIN_MS = 100;
const RESTART_DELAY_MAX_MS = 5_000;
const HEALTHY_AFTER_MS = 30_000;

/** The main thread's side of all voice workers. */
export class VoicePool {
  readonly #options: VoicePoolOptions;
  readonly #threads: (WorkerThread | null)[];
  readonly #entries = new Map<LegId, Entry>();
  readonly #agents = new Map<string, AgentSnapshot>();
  readonly #restartDelayMs: number[];
  readonly #restartTimers = new Set<NodeJS.Timeout>();
  #isStopping = false;

  constructor(options: VoicePoolOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: options.workers }, () => null);
    this.#restartDelayMs = this.#threads.map(() => RESTART_DELAY_MIN_MS);
  }

  /** Resolves when every worker is ready. Rejects with `VoiceError` when one cannot start. */
  async start(): Promise<void> {
    try {
      await Promise.all(this.#threads.map((_, index) => this.#startThread(index)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Codecs that the running workers can speak. */
  get codecs(): readonly CodecName[] {
    return this.#threads.find((thread) => thread !== null)?.codecs ?? ['pcmu', 'pcma'];
  }

  get legCount(): number {
    return this.#entries.size;
  }

  /** The threads by their place; null where one is being started. */
  get workers(): readonly (WorkerThread | null)[] {
    return this.#threads;
  }

  /** Renders what the agent always says into every worker's cache, now and after a restart. */
  warm(agent: AgentSnapshot): void {
    this.#agents.set(agent.id, agent);
    for (const thread of this.#threads) thread?.post({ type: 'warm-agent', agent });
  }

  /**
   * Reserves media for one leg on the least loaded worker.
   * @throws VoiceError any of its codes
   */
  async openLeg(callId: CallId, legId: LegId, events: VoiceLegEvents): Promise<VoiceLeg> {
    const thread = this.#leastLoaded();
    if (thread === null) {
      throw new VoiceError('NO_VOICE_WORKER', 'no voice worker is up', { retryable: true });
    }
    const entry = this.#addEntry(thread, legId, events);
    const local = await new Promise<LocalMediaAddress>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new VoiceError('VOICE_WORKER_LOST', 'the voice worker did not open a leg in time'));
      }, OPEN_TIMEOUT_MS);
      entry.opened = {
        resolve: (address) => {
          clearTimeout(timer);
          resolve(address);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      thread.post({ type: 'open-leg', callId, legId });
    }).catch((error: unknown) => {
      this.#forget(entry, null);
      thread.post({ type: 'close-leg', legId });
      throw error;
    });
    entry.opened = null;
    return this.#handle(entry, local);
  }

  /** Ends every worker. Legs that are still open are lost. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#restartTimers) clearTimeout(timer);
    const running = this.#threads.filter((thread) => thread !== null);
    await Promise.all(running.map((thread) => thread.terminate()));
  }

  #handle(entry: Entry, local: LocalMediaAddress): VoiceLeg {
    const { thread, legId } = entry;
    return {
      local,
      update: (parameters) => thread.post({ type: 'update-leg', legId, parameters }),
      startConversation: (agent, variables, answeredAtMs) =>
        thread.post({ type: 'start-conversation', legId, agent, variables, answeredAtMs }),
      injectDigit: (digit) => thread.post({ type: 'inject-digit', legId, digit }),
      say: (text) => thread.post({ type: 'say', legId, text }),
      sendDigits: (digits) => thread.post({ type: 'send-digits', legId, digits }),
      finish: (reason, withinMs) =>
        thread.post({ type: 'finish-conversation', legId, reason, withinMs }),
      close: () => this.#closeLeg(entry),
    };
  }

  #closeLeg(entry: Entry): Promise<LegReport | null> {
    if (!entry.isClosing && this.#entries.has(entry.legId)) {
      entry.isClosing = true;
      entry.thread.post({ type: 'close-leg', legId: entry.legId });
      const timer = setTimeout(() => this.#forget(entry, null), CLOSE_TIMEOUT_MS);
      void entry.closed.promise.then(() => clearTimeout(timer));
    }
    return entry.closed.promise;
  }

  #addEntry(thread: WorkerThread, legId: LegId, events: VoiceLegEvents): Entry {
    let resolve: (report: LegReport | null) => void = () => {};
    const promise = new Promise<LegReport | null>((settle) => {
      resolve = settle;
    });
    const closed = { promise, resolve };
    const entry: Entry = { thread, legId, events, opened: null, closed, isClosing: false };
    this.#entries.set(legId, entry);
    thread.legCount += 1;
    return entry;
  }

  #forget(entry: Entry, report: LegReport | null): void {
    if (!this.#entries.delete(entry.legId)) return;
    entry.thread.legCount -= 1;
    entry.closed.resolve(report);
  }

  #leastLoaded(): WorkerThread | null {
    let best: WorkerThread | null = null;
    for (const thread of this.#threads) {
      if (thread !== null && (best === null || thread.legCount < best.legCount)) best = thread;
    }
    return best;
  }

  async #startThread(index: number): Promise<void> {
    const thread = new WorkerThread({
      workerData: this.#options.workerData(index),
      onMessage: (message) => this.#onMessage(index, message),
      onExit: (error) => this.#onExit(index, thread, error),
    });
    await thread.ready;
    if (this.#isStopping) return thread.terminate();
    this.#threads[index] = thread;
    for (const agent of this.#agents.values()) thread.post({ type: 'warm-agent', agent });
    const timer = setTimeout(() => {
      this.#restartTimers.delete(timer);
      if (this.#threads[index] === thread) this.#restartDelayMs[index] = RESTART_DELAY_MIN_MS;
    }, HEALTHY_AFTER_MS);
    timer.unref();
    this.#restartTimers.add(timer);
  }

  #onExit(index: number, thread: WorkerThread, error: Error | null): void {
    if (this.#threads[index] === thread) this.#threads[index] = null;
    const lost = [...this.#entries.values()].filter((entry) => entry.thread === thread);
    if (!this.#isStopping) {
      const facts = { err: error, worker: index, legs: lost.length };
      this.#options.log.error(facts, 'voice worker died');
      this.#options.onWorkerLost?.(index);
      this.#restartLater(index);
    }
    for (const entry of lost) this.#onLegLost(entry);
  }

  #onLegLost(entry: Entry): void {
    const { opened, isClosing } = entry;
    this.#forget(entry, null);
    if (opened !== null) opened.reject(new VoiceError('VOICE_WORKER_LOST', 'voice worker died'));
    else if (!isClosing) entry.events.onLost();
  }

  #restartLater(index: number): void {
    const delayMs = this.#restartDelayMs[index] ?? RESTART_DELAY_MIN_MS;
    this.#restartDelayMs[index] = Math.min(delayMs * 2, RESTART_DELAY_MAX_MS);
    const timer = setTimeout(() => {
      this.#restartTimers.delete(timer);
      // A failed start reports itself through onExit, which plans the next one.
      this.#startThread(index).catch(() => {});
    }, delayMs);
    this.#restartTimers.add(timer);
  }

  #onMessage(index: number, message: FromWorker): void {
    switch (message.type) {
      case 'worker-ready':
        return;
      case 'worker-report':
        return this.#options.onWorkerReport?.(index, message);
      case 'log':
        return this.#options.log[message.level](
          { ...message.facts, worker: index },
          message.message,
        );
      default:
        return this.#onLegMessage(message);
    }
  }

  #onLegMessage(
    message: Exclude<FromWorker, { type: 'worker-ready' | 'worker-report' | 'log' }>,
  ): void {
    const entry = this.#entries.get(message.legId);
    if (entry === undefined) return;
    switch (message.type) {
      case 'leg-opened':
        return entry.opened?.resolve(message.local);
      case 'leg-failed':
        return entry.opened?.reject(
          new VoiceError(message.code, message.message, { retryable: true }),
        );
      case 'turn':
        return entry.events.onTurn(message.turn);
      case 'conversation-changed':
        return entry.events.onActivity(message.activity);
      case 'conversation-ended':
        return entry.events.onConversationEnded(message.reason, message.detail);
      case 'leg-closed':
        return this.#forget(entry, message.report);
      default:
        return assertNever(message);
    }
  }
}
