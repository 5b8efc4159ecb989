import type { CallPermit, CallPlan, GateRefusal, LegPlan } from '../call/call-gate.ts';
import type { CapNotice, CountedCap, Tariff } from '../model/billing.ts';
import type { WorkspaceId } from '../model/ids.ts';
import type { CallHold, CallHoldRepository, HoldLimits } from '../storage/call-hold-repository.ts';
import { countsCalls, type EffectiveCaps } from './caps.ts';
import { legIdOf } from '../storage/transfer-leg-repository.ts';
import { roomForCall, type Standing, usedShares } from './room-for-call.ts';

/** Told once for each level, cap and period, over all processes. May not throw. */
export interface CapObserver {
  onCap(notice: CapNotice): void;
}

export interface BudgetOptions {
  readonly holds: () => CallHoldRepository;
  readonly observer: CapObserver;
  readonly onError: (error: unknown) => void;
  /** Unix time. */
  readonly nowMs: () => number;
}

/** Share of a cap from which its workspace is warned. */
const NEAR = 0.8;
/** Others took the place that was there a moment ago. */
const ATTEMPTS_MAX = 5;

/**
 * Keeps workspaces within their caps. A call is let in with a hold of all that it may come to,
 * so what has ended and what is held never pass a cap together, however many calls begin at
 * once and in whichever process. When less is left than a call wants, it is made shorter.
 */
export class Budget {
  readonly #options: BudgetOptions;

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** Rejects when storage fails: what cannot be counted is not let in. */
  async admit(
    plan: CallPlan,
    caps: EffectiveCaps,
    tariff: Tariff | null,
    currency: string,
  ): Promise<CallPermit | GateRefusal> {
    const { id: callId, workspaceId } = plan;
    const longest = Math.min(plan.timeLimitSeconds, caps.callSecondsMax ?? plan.timeLimitSeconds);
    if (!countsCalls(caps)) return { admitted: true, timeLimitSeconds: longest };
    const wanted = { timeLimitSeconds: longest, tariff };
    return this.#hold(
      { callId, workspaceId, atMs: plan.startedAtMs, calls: 1 },
      wanted,
      caps,
      currency,
    );
  }

  /**
   * A further leg of a call that is counted already: it holds the time that its call has left,
   * and is no call of its own.
   */
  admitLeg(
    plan: LegPlan,
    caps: EffectiveCaps,
    tariff: Tariff | null,
    currency: string,
  ): Promise<CallPermit | GateRefusal> {
    const { workspaceId, startedAtMs: atMs, secondsLeft: timeLimitSeconds } = plan;
    const ofLegs = { ...caps, ...NO_CALL_CAPS };
    const wanted = { timeLimitSeconds, tariff, isWhole: true };
    return this.#hold(
      { callId: legIdOf(plan), workspaceId, atMs, calls: 0 },
      wanted,
      ofLegs,
      currency,
    );
  }

  /** What did not begin after all. */
  giveBack(plan: LegPlan): Promise<void> {
    return this.#options.holds().release(legIdOf(plan));
  }

  async #hold(
    who: Pick<CallHold, 'callId' | 'workspaceId' | 'atMs' | 'calls'>,
    wanted: Parameters<typeof roomForCall>[2],
    caps: EffectiveCaps,
    currency: string,
  ): Promise<CallPermit | GateRefusal> {
    const { workspaceId, atMs } = who;
    const day = dayOf(atMs);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const standing = await this.#options.holds().standing(workspaceId, day, currency);
      const room = roomForCall(caps, standing, wanted);
      this.#warn(workspaceId, caps, standing, day, room.hasRoom ? null : room.cap);
      if (!room.hasRoom) return { admitted: false, reason: room.reason };
      const { timeLimitSeconds, holdSeconds: seconds, holdMicros: micros } = room;
      const hold = { ...who, day, seconds, micros, currency };
      if (await this.#options.holds().take(hold, limitsOf(caps))) {
        return { admitted: true, timeLimitSeconds };
      }
    }
    return { admitted: false, reason: 'workspace-busy' };
  }

  /** A call of the workspace has ended. */
  async settled(
    workspaceId: WorkspaceId,
    startedAtMs: number,
    caps: EffectiveCaps,
    currency: string,
  ): Promise<void> {
    if (!countsCalls(caps)) return;
    const day = dayOf(startedAtMs);
    const standing = await this.#options.holds().standing(workspaceId, day, currency);
    this.#warn(workspaceId, caps, standing, day, null);
  }

  #warn(
    workspaceId: WorkspaceId,
    caps: EffectiveCaps,
    standing: Standing,
    day: string,
    reached: CountedCap | null,
  ): void {
    for (const { cap, used, limit } of usedShares(caps, standing)) {
      const period = cap.endsWith('Month') ? day.slice(0, 7) : day;
      const notice = { workspaceId, cap, period, used, limit };
      if (cap === reached) this.#tell({ ...notice, level: 'reached' });
      else if (used >= NEAR * limit) this.#tell({ ...notice, level: 'near' });
    }
  }

  #tell(notice: CapNotice): void {
    const { holds, observer, nowMs, onError } = this.#options;
    const { workspaceId, cap, period, level } = notice;
    const id = [workspaceId, period, cap, level].join(' ');
    if (this.#told.has(id)) return;
    this.#remember(id);
    holds()
      .notice(id, nowMs())
      .then((isFirst) => {
        if (isFirst) observer.onCap(notice);
      })
      .catch((error: unknown) => {
        this.#told.delete(id);
        onError(error);
      });
  }

  /** What needs no asking any more; the database knows too. */
  readonly #told = new Set<string>();

  #remember(id: string): void {
    this.#told.add(id);
    const [oldest] = this.#told;
    if (this.#told.size > TOLD_MAX && oldest !== undefined) this.#told.delete(oldest);
  }
}

const TOLD_MAX = 10_000;
/** They hold for calls, each once. */
const NO_CALL_CAPS = {
  callsAtOnce: null,
  callsPerDay: null,
  callsPerMonth: null,
  callSecondsMax: null,
} as const;

function limitsOf(caps: EffectiveCaps): HoldLimits {
  const { callsAtOnce, callsPerDay, callsPerMonth, microsPerDay, microsPerMonth } = caps;
  const { minutesPerDay, minutesPerMonth } = caps;
  return {
    callsAtOnce,
    callsPerDay,
    callsPerMonth,
    secondsPerDay: minutesPerDay === null ? null : minutesPerDay * 60,
    secondsPerMonth: minutesPerMonth === null ? null : minutesPerMonth * 60,
    microsPerDay,
    microsPerMonth,
  };
}

/** The calendar day of UTC. */
function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}
