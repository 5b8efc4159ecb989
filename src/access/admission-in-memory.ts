import type { AgentId } from '../model/ids.ts';
import type { PublicAdmission, PublicPlace, PublicRefusal } from './public-calls.ts';

export interface PublicLimits {
  /** Calls of one agent at once. */
  readonly concurrentMax: number;
  /** Calls of one agent per UTC day. */
  readonly perDayMax: number;
}

const DAY_MS = 86_400_000;
const BUSY_RETRY_SECONDS = 30;

interface Counts {
  live: number;
  day: number;
  ofDay: number;
}

/** Counts public calls of this process; they begin at nothing when it starts. */
export class AdmissionInMemory implements PublicAdmission {
  readonly #limits: PublicLimits;
  readonly #nowMs: () => number;
  /** One entry for each agent that was called today, or is being called. */
  readonly #agents = new Map<AgentId, Counts>();

  /** @param nowMs Unix time */
  constructor(limits: PublicLimits, nowMs: () => number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  async admit(agentId: AgentId): Promise<PublicPlace | PublicRefusal> {
    const nowMs = this.#nowMs();
    const counts = this.#countsOf(agentId, nowMs);
    const { concurrentMax, perDayMax } = this.#limits;
    if (counts.ofDay >= perDayMax) {
      const retryAfterSeconds = Math.ceil((DAY_MS - (nowMs % DAY_MS)) / 1000);
      return { admitted: false, retryAfterSeconds };
    }
    if (counts.live >= concurrentMax) {
      return { admitted: false, retryAfterSeconds: BUSY_RETRY_SECONDS };
    }
    counts.live += 1;
    counts.ofDay += 1;
    const { day } = counts;
    let isReleased = false;
    return {
      admitted: true,
      release: (wasAnswered) => {
        if (isReleased) return;
        isReleased = true;
        counts.live -= 1;
        if (!wasAnswered && counts.day === day) counts.ofDay -= 1;
      },
    };
  }

  #countsOf(agentId: AgentId, nowMs: number): Counts {
    const day = Math.floor(nowMs / DAY_MS);
    const known = this.#agents.get(agentId) ?? { live: 0, day, ofDay: 0 };
    if (known.day !== day) {
      known.day = day;
      known.ofDay = 0;
      for (const [id, { live, day: lastDay }] of this.#agents) {
        if (live === 0 && lastDay !== day) this.#agents.delete(id);
      }
    }
    this.#agents.set(agentId, known);
    return known;
  }
}
