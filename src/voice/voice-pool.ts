import type { Logger } from '../observability/logger.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { CallId, LegId } from '../model/ids.ts';
import type { CodecName } from '../model/media.ts';
import { LegTable } from './leg-table.ts';
import type { FromWorker, WorkerReport } from './protocol.ts';
import { VoiceError } from './voice-error.ts';
import type { PhoneVoiceLeg, VoiceLegEvents, WebVoiceLeg } from './voice-leg.ts';
import { type VoiceWorkerData, WorkerThread } from './worker-thread.ts';

export interface VoicePoolOptions {
  readonly workers: number;
  readonly workerData: (index: number) => VoiceWorkerData;
  readonly log: Logger;
  onWorkerReport?(index: number, report: WorkerReport): void;
  onWorkerLost?(index: number): void;
}

/** A worker that keeps dying is started again after 0.1, 0.2, 0.4 … at most 5 s. */
const RESTART_DELAY_MIN_MS = 100;
const RESTART_DELAY_MAX_MS = 5_000;
const HEALTHY_AFTER_MS = 30_000;

/** The main thread's side of all voice workers. */
export class VoicePool {
  readonly #options: VoicePoolOptions;
  readonly #threads: (WorkerThread | null)[];
  readonly #legs = new LegTable();
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
    return this.#legs.size;
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
  openLeg(callId: CallId, legId: LegId, events: VoiceLegEvents): Promise<PhoneVoiceLeg> {
    const message = { type: 'open-leg', callId, legId } as const;
    return this.#onLeastLoaded((thread) => this.#legs.openPhone(thread, message, events));
  }

  /**
   * The same on the worker of another leg, so that the two can be bridged.
   * @throws VoiceError any of its codes
   */
  async openLegBeside(
    beside: LegId,
    callId: CallId,
    legId: LegId,
    events: VoiceLegEvents,
  ): Promise<PhoneVoiceLeg> {
    const message = { type: 'open-leg', callId, legId } as const;
    return this.#legs.openPhone(this.#threadOf(beside), message, events);
  }

  /**
   * Answers a browser's offer on the least loaded worker.
   * @throws VoiceError any of its codes
   */
  openWebLeg(
    callId: CallId,
    legId: LegId,
    offerSdp: string,
    events: VoiceLegEvents,
  ): Promise<WebVoiceLeg> {
    const message = { type: 'open-web-leg', callId, legId, offerSdp } as const;
    return this.#onLeastLoaded((thread) => this.#legs.openWeb(thread, message, events));
  }

  /**
   * The same on the worker of another leg, so that the two can be bridged.
   * @throws VoiceError any of its codes
   */
  async openWebLegBeside(
    beside: LegId,
    callId: CallId,
    legId: LegId,
    offerSdp: string,
    events: VoiceLegEvents,
  ): Promise<WebVoiceLeg> {
    const message = { type: 'open-web-leg', callId, legId, offerSdp } as const;
    return this.#legs.openWeb(this.#threadOf(beside), message, events);
  }

  /** Ends every worker. Legs that are still open are lost. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#restartTimers) clearTimeout(timer);
    const running = this.#threads.filter((thread) => thread !== null);
    await Promise.all(running.map((thread) => thread.stop()));
  }

  async #onLeastLoaded<Leg>(open: (thread: WorkerThread) => Promise<Leg>): Promise<Leg> {
    const thread = this.#leastLoaded();
    if (thread === null) {
      throw new VoiceError('NO_VOICE_WORKER', 'no voice worker is up', { retryable: true });
    }
    return open(thread);
  }

  #threadOf(legId: LegId): WorkerThread {
    const thread = this.#legs.threadOf(legId);
    if (thread === null) throw new VoiceError('VOICE_WORKER_LOST', 'the leg beside it is gone');
    return thread;
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
    const legs = this.#legs.onThreadLost(thread);
    if (this.#isStopping) return;
    this.#options.log.error({ err: error, worker: index, legs }, 'voice worker died');
    this.#options.onWorkerLost?.(index);
    this.#restartLater(index);
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
        return this.#legs.onMessage(message);
    }
  }
}
