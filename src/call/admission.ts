import type { EndReason } from '../model/end-reason.ts';
import type { AgentSnapshot } from '../model/agent.ts';

export interface AdmissionLimits {
  /** Calls of the whole daemon at once. */
  readonly callsMax: number;
}

/** A place that was given; `release` gives it back, once. */
export interface Place {
  readonly admitted: true;
  release(): void;
}

export interface Refusal {
  readonly admitted: false;
  readonly reason: Extract<EndReason, 'draining' | 'at-capacity' | 'agent-disabled' | 'agent-busy'>;
}

/**
 * Decides whether one more call may begin, and counts those that did. Asking and counting
 * are one synchronous step, so two calls can never share the last place.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #byAgent = new Map<string, number>();
  #live = 0;
  #isDraining = false;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get live(): number {
    return this.#live;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From now on everything is refused with `draining`. */
  drain(): void {
    this.#isDraining = true;
  }

  admit(agent: AgentSnapshot): Place | Refusal {
    if (this.#isDraining) return { admitted: false, reason: 'draining' };
    if (!agent.isEnabled) return { admitted: false, reason: 'agent-disabled' };
    if (this.#live >= this.#limits.callsMax) return { admitted: false, reason: 'at-capacity' };
    const ofAgent = this.#byAgent.get(agent.id) ?? 0;
    if (ofAgent >= agent.concurrentCallsMax) return { admitted: false, reason: 'agent-busy' };

    this.#live += 1;
    this.#byAgent.set(agent.id, ofAgent + 1);
    let isReleased = false;
    return {
      admitted: true,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#release(agent.id);
      },
    };
  }

  #release(agentId: string): void {
    this.#live -= 1;
    const left = (this.#byAgent.get(agentId) ?? 1) - 1;
    if (left === 0) this.#byAgent.delete(agentId);
    else this.#byAgent.set(agentId, left);
  }
}
