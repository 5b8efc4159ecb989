import type { DialCallReply, DialCallRequest } from './call/call-requests.ts';
import { CallSimulator } from './call/call-simulator.ts';
import type { CallObserver } from './call/call-observer.ts';
import { journalOf } from './call-journal.ts';
import type { CallId } from './model/ids.ts';
import type { Logger } from './observability/logger.ts';
import type { Storage } from './storage/storage.ts';
import type { Write } from './storage/write-queue.ts';

export interface CallSimulationOptions {
  readonly storage: () => Storage;
  readonly observer: Required<CallObserver>;
  readonly isDraining: () => boolean;
  /** What is written in the transaction that ends a call; never a charge. */
  readonly completionOf: (id: CallId) => readonly Write[];
  readonly log: Logger;
}

/** What `pk_test_` keys get instead of calls, as a part of the daemon. It starts after storage. */
export class CallSimulation {
  readonly name = 'simulated calls';
  readonly #options: CallSimulationOptions;
  #simulator: CallSimulator | null = null;

  constructor(options: CallSimulationOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { storage, observer, completionOf, log } = this.#options;
    const journal = journalOf(storage(), {
      tariffOf: () => null,
      chargesOf: ({ id }) => completionOf(id),
    });
    this.#simulator = new CallSimulator({ journal, observer, log, nowMs: Date.now });
  }

  async stop(): Promise<void> {
    await this.#simulator?.stop();
  }

  /** As `CallService.dial`, but nobody is called. */
  async dial(request: DialCallRequest): Promise<DialCallReply> {
    const { storage, isDraining } = this.#options;
    const { workspaceId, agentId, door, fromNumber, toNumber } = request;
    if (this.#simulator === null || isDraining()) return { accepted: false, reason: 'draining' };
    const agent = await storage().agents.find(workspaceId, agentId);
    if (agent === null) return { accepted: false, reason: 'agent-not-found' };
    if (!agent.isEnabled) return { accepted: false, reason: 'agent-disabled' };
    const dial = { agent, door, fromNumber: fromNumber ?? '', toNumber };
    const record = await this.#simulator.dial(dial);
    return record === null
      ? { accepted: false, reason: 'at-capacity' }
      : { accepted: true, record };
  }

  async hangUp(id: CallId): Promise<boolean> {
    return (await this.#simulator?.hangUp(id)) ?? false;
  }
}
