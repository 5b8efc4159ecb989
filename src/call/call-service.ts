import type { AgentSnapshot } from '../model/agent.ts';
import type { CallRecord } from '../model/call.ts';
import type { EndReason } from '../model/end-reason.ts';
import { type AgentId, asCallId, type CallId } from '../model/ids.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import type { SipInvite } from '../signaling/sip-leg.ts';
import type { VoicePool } from '../voice/voice-pool.ts';
import { randomId } from '../lib/random-id.ts';
import type { Admission } from './admission.ts';
import { Call, type CallListener, type CallParts } from './call.ts';
import type { CallEnding } from './journal.ts';
import type { Party } from './party.ts';
import { type RefusalReason, refusalStatus } from './refusal-status.ts';
import { SipParty } from './sip-party.ts';
import { type WebAnswer, WebParty } from './web-party.ts';

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
  readonly pool: Pick<VoicePool, 'openLeg' | 'openWebLeg' | 'codecs'>;
  readonly directory: AgentDirectory;
  readonly admission: Admission;
  readonly observer: CallObserver & Partial<Omit<CallListener, 'onEnded'>>;
}

/** A browser that wants to speak to an agent. */
export interface WebCallRequest {
  readonly agent: AgentSnapshot;
  readonly offerSdp: string;
  /** The two have met. At most once. */
  readonly onAnswered: () => void;
  /** The call is over, or there will be none. Exactly once. */
  readonly onOver: () => void;
}

/** Whoever gave the call its place. */
interface CallOwner {
  readonly release: () => void;
  readonly onAnswered?: () => void;
}

/** The browser of a live call offers again, e.g. since its network changed. */
export interface WebResumption {
  readonly agentId: AgentId;
  readonly resumeToken: string;
  readonly offerSdp: string;
}

export type WebCallReply =
  | (Extract<WebAnswer, { accepted: true }> & { readonly callId: CallId })
  | Extract<WebAnswer, { accepted: false }>;

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
    const record = this.#newRecord(agent, originOf(invite));
    const party = new SipParty(invite, this.#options.pool);
    const release = () => place.release();
    await this.#add(record, agent, party, { release }).begin();
  }

  /** Decides a browser's offer. Never rejects. Whether the agent may be reached so is known. */
  async onWebOffer({ agent, offerSdp, onAnswered, onOver }: WebCallRequest): Promise<WebCallReply> {
    const place = this.#options.admission.admit(agent);
    const record = this.#newRecord(agent, WEB_ORIGIN);
    if (!place.admitted) {
      onOver();
      this.#writeRefused(record, place.reason, null);
      return { accepted: false, reason: place.reason };
    }
    const party = new WebParty(offerSdp, this.#options.pool);
    const release = () => {
      place.release();
      onOver();
    };
    const call = this.#add(record, agent, party, { release, onAnswered });
    void call.begin();
    const answer = await party.answer;
    return answer.accepted ? { ...answer, callId: record.id } : answer;
  }

  /**
   * Takes a live web call on to a new connection of the same browser. Gives the answer; null
   * when there is no such call, the token is not its own, or the offer cannot be used.
   */
  async resumeWebCall(
    id: CallId,
    { agentId, resumeToken, offerSdp }: WebResumption,
  ): Promise<string | null> {
    const call = this.#calls.get(id);
    if (call === undefined || call.agent.id !== agentId) return null;
    return call.party instanceof WebParty ? call.party.resume(resumeToken, offerSdp) : null;
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

  #add(record: CallRecord, agent: AgentSnapshot, party: Party, owner: CallOwner): Call {
    const call = new Call(record, agent, party, this.#options, this.#listener(owner));
    this.#calls.set(record.id, call);
    this.#options.observer.onStarted?.(record);
    return call;
  }

  #listener({ release, onAnswered }: CallOwner): CallListener {
    const { observer } = this.#options;
    return {
      onAnswered: (call) => {
        onAnswered?.();
        observer.onAnswered?.(call);
      },
      onTurn: (call, turn) => observer.onTurn?.(call, turn),
      onActivity: (call, activity) => observer.onActivity?.(call, activity),
      onEnded: (call, ending) => {
        release();
        observer.onEnded?.(call.record, ending, call.turns);
        void call.ended.then(() => this.#calls.delete(call.record.id));
      },
    };
  }

  #newRecord(agent: AgentSnapshot, origin: CallOrigin): CallRecord {
    return {
      ...origin,
      id: asCallId(randomId('call')),
      workspaceId: agent.workspaceId,
      agentId: agent.id,
      direction: 'inbound',
      status: 'initiated',
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
    if (agent === null) this.#options.log.info({ reason, sipStatus: status }, 'call refused');
    else this.#writeRefused(this.#newRecord(agent, originOf(invite)), reason, status);
  }

  #writeRefused(record: CallRecord, reason: EndReason, sipStatus: number | null): void {
    const { journal, log, nowMs, observer } = this.#options;
    const endedAtMs = nowMs();
    const ending: CallEnding = { endedAtMs, reason, sipStatus, detail: null, report: null };
    observer.onStarted?.(record);
    observer.onEnded?.(record, ending, []);
    journal
      .started(record)
      .then(() => journal.ended(record.id, ending))
      .catch((error: unknown) => log.error({ err: error }, 'a refused call could not be written'));
  }
}

/** Where a call came from. */
type CallOrigin = Pick<CallRecord, 'door' | 'fromNumber' | 'toNumber' | 'sipCallId'>;

/** Nobody knows who sits at a browser. */
const WEB_ORIGIN: CallOrigin = {
  door: 'web-offer',
  fromNumber: '',
  toNumber: '',
  sipCallId: null,
};

function originOf(invite: SipInvite): CallOrigin {
  return {
    door: invite.transport.startsWith('ws') ? 'sip-websocket' : 'trunk',
    fromNumber: invite.from.user,
    toNumber: invite.dialed.user,
    sipCallId: invite.sipCallId,
  };
}
