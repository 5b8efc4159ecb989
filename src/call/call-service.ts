import type { AgentSnapshot } from '../model/agent.ts';
import type { CallDoor, CallRecord } from '../model/call.ts';
import type { EndReason } from '../model/end-reason.ts';
import { asCallId, type CallId } from '../model/ids.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import type { SipInvite } from '../signaling/sip-leg.ts';
import { randomId } from '../lib/random-id.ts';
import type { Admission } from './admission.ts';
import { Call, type CallListener, type CallParts } from './call.ts';
import type { CallEnding } from './journal.ts';
import { type RefusalReason, refusalStatus } from './refusal-status.ts';

/** Who answers what was dialed. */
export interface AgentDirectory {
  /** By phone number or by name; null when nobody has it. Must not wait on anything slow. */
  findByDialed(user: string): Promise<AgentSnapshot | null>;
}

/** Looks on from outside: metrics, logs, live views. None may throw. */
export interface CallObserver {
  onStarted?(call: CallRecord): void;
  onEnded?(call: CallRecord, ending: CallEnding, turns: readonly TranscriptTurn[]): void;
}

export interface CallServiceOptions extends CallParts {
  readonly directory: AgentDirectory;
  readonly admission: Admission;
  readonly observer: CallObserver & Partial<Omit<CallListener, 'onEnded'>>;
}

/** Every live call, and the one place where a new one begins. */
export class CallService {
  readonly #options: CallServiceOptions;
  readonly #calls = new Map<CallId, Call>();

  constructor(options: CallServiceOptions) {
    this.#options = options;
  }

  get liveCount(): number {
    return this.#calls.size;
  }

  /** Decides an INVITE. Never rejects. */
  async onInvite(invite: SipInvite): Promise<void> {
    const { admission, directory, log } = this.#options;
    if (admission.isDraining) return this.#refuse(invite, null, 'draining');
    let agent: AgentSnapshot | null;
    try {
      agent = await directory.findByDialed(invite.dialed.user);
    } catch (error) {
      log.error({ err: error }, 'the agent of a call could not be read');
      return this.#refuse(invite, null, 'internal-error');
    }
    if (agent === null) return this.#refuse(invite, null, 'agent-not-found');
    const place = admission.admit(agent);
    if (!place.admitted) return this.#refuse(invite, agent, place.reason);

    const record = this.#newRecord(invite, agent);
    const call = new Call(
      record,
      agent,
      this.#options,
      this.#listener(() => place.release()),
    );
    this.#calls.set(record.id, call);
    this.#options.observer.onStarted?.(record);
    await call.accept(invite);
  }

  find(id: CallId): Call | null {
    return this.#calls.get(id) ?? null;
  }

  /** Hangs a live call up for its owner. False when it is not live here. */
  async hangUp(id: CallId, reason: EndReason = 'operator-hung-up'): Promise<boolean> {
    const call = this.#calls.get(id);
    if (call === undefined) return false;
    await call.hangUp(reason);
    return true;
  }

  /** Ends every call of a cause outside of them, e.g. the loss of the SIP engine. */
  async hangUpAll(reason: EndReason): Promise<void> {
    await Promise.all([...this.#calls.values()].map((call) => call.hangUp(reason)));
  }

  /** Resolves when no call is live, or when `hurry` aborts. */
  async idle(hurry: AbortSignal): Promise<void> {
    const gaveUp = new Promise<void>((resolve) => {
      if (hurry.aborted) resolve();
      hurry.addEventListener('abort', () => resolve(), { once: true });
    });
    while (this.#calls.size > 0 && !hurry.aborted) {
      const all = Promise.all([...this.#calls.values()].map((call) => call.ended));
      await Promise.race([all, gaveUp]);
    }
  }

  #listener(release: () => void): CallListener {
    const { observer } = this.#options;
    return {
      onAnswered: (call) => observer.onAnswered?.(call),
      onTurn: (call, turn) => observer.onTurn?.(call, turn),
      onActivity: (call, activity) => observer.onActivity?.(call, activity),
      onEnded: (call, ending) => {
        release();
        observer.onEnded?.(call.record, ending, call.turns);
        void call.ended.then(() => this.#calls.delete(call.record.id));
      },
    };
  }

  #newRecord(invite: SipInvite, agent: AgentSnapshot): CallRecord {
    const door: CallDoor = invite.transport.startsWith('ws') ? 'sip-websocket' : 'trunk';
    return {
      id: asCallId(randomId('call')),
      workspaceId: agent.workspaceId,
      agentId: agent.id,
      direction: 'inbound',
      door,
      status: 'initiated',
      fromNumber: invite.from.user,
      toNumber: invite.dialed.user,
      sipCallId: invite.sipCallId,
      startedAtMs: this.#options.nowMs(),
      answeredAtMs: null,
      endedAtMs: null,
      endReason: null,
      sipStatus: null,
      report: null,
    };
  }

  /** Refused calls of a known agent are its owner's to see; those of nobody are only counted. */
  #refuse(invite: SipInvite, agent: AgentSnapshot | null, reason: RefusalReason): void {
    const { status, retryAfterSeconds } = refusalStatus(reason);
    invite.refuse(status, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    const { journal, log, nowMs, observer } = this.#options;
    const ending: CallEnding = {
      endedAtMs: nowMs(),
      reason,
      sipStatus: status,
      detail: null,
      report: null,
    };
    if (agent === null) {
      log.info({ reason, sipStatus: status }, 'call refused');
      return;
    }
    const record = this.#newRecord(invite, agent);
    observer.onStarted?.(record);
    observer.onEnded?.(record, ending, []);
    journal
      .started(record)
      .then(() => journal.ended(record.id, ending))
      .catch((error: unknown) => log.error({ err: error }, 'a refused call could not be written'));
  }
}
