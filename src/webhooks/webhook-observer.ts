import type { CallObserver } from '../call/call-observer.ts';
import type { CallEnding } from '../call/journal.ts';
import type { CapNotice } from '../model/billing.ts';
import type { CallProgress } from '../model/call-progress.ts';
import type { CallRecord } from '../model/call.ts';
import type { CallId } from '../model/ids.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import {
  enqueueWrite,
  type NewEvent,
  type WebhookRepository,
} from '../storage/webhook-repository.ts';
import type { Write } from '../storage/write-queue.ts';
import {
  capEvent,
  closingEvents,
  completedEvent,
  progressEvent,
  turnEvents,
} from './webhook-event.ts';

export interface WebhookObserverOptions {
  readonly deliveries: () => Pick<WebhookRepository, 'enqueue'>;
  /** Something may be due. */
  readonly wake: () => void;
  readonly onError: (error: unknown) => void;
  /** Unix time. */
  readonly nowMs: () => number;
}

/** Ends that wait for their transaction; without one they would stay for ever. */
const COMPLETIONS_MAX = 10_000;
/** By then the transaction that ends a call has been written. */
const END_WRITTEN_AFTER_MS = 50;

/** Turns what happens on calls into events. */
export class WebhookObserver implements CallObserver {
  readonly #options: WebhookObserverOptions;
  readonly #completions = new Map<CallId, Write>();

  constructor(options: WebhookObserverOptions) {
    this.#options = options;
  }

  onProgress(call: CallRecord, progress: CallProgress): void {
    const event = progressEvent(call, progress, this.#options.nowMs());
    if (event !== null) this.#tell([event]);
  }

  /** A workspace comes near a cap, or was stopped by it. */
  onCap(notice: CapNotice): void {
    this.#tell([capEvent(notice, this.#options.nowMs())]);
  }

  onTurn(call: CallRecord, turn: TranscriptTurn): void {
    this.#tell(turnEvents(call, turn));
  }

  onEnded(call: CallRecord, ending: CallEnding, turns: readonly TranscriptTurn[]): void {
    this.#tell(closingEvents(call, ending));
    const [oldest] = this.#completions.keys();
    if (this.#completions.size >= COMPLETIONS_MAX && oldest !== undefined) {
      this.#completions.delete(oldest);
    }
    this.#completions.set(call.id, enqueueWrite(completedEvent(call, ending, turns)));
    setTimeout(() => this.#options.wake(), END_WRITTEN_AFTER_MS).unref();
  }

  /** What is written in the transaction that ends the call. */
  completionOf(id: CallId): readonly Write[] {
    const write = this.#completions.get(id);
    this.#completions.delete(id);
    return write === undefined ? [] : [write];
  }

  #tell(events: readonly NewEvent[]): void {
    const { deliveries, wake, onError } = this.#options;
    for (const event of events) {
      deliveries()
        .enqueue(event)
        .then((isWanted) => {
          if (isWanted) wake();
        })
        .catch(onError);
    }
  }
}
