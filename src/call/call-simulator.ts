import type { Logger } from '../observability/logger.ts';
import { randomId } from '../lib/random-id.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { CallDoor, CallRecord } from '../model/call.ts';
import { blameOf, type EndReason } from '../model/end-reason.ts';
import { asCallId, asTurnId, type CallId } from '../model/ids.ts';
import type { TranscriptTurn, TurnStamps } from '../model/turn.ts';
import type { CallObserver } from './call-observer.ts';
import type { CallEnding, CallJournal } from './journal.ts';

export interface CallSimulatorOptions {
  readonly journal: CallJournal;
  readonly observer: Required<CallObserver>;
  readonly log: Logger;
  /** Unix time. */
  readonly nowMs: () => number;
}

export interface SimulatedDial {
  readonly agent: Pick<AgentSnapshot, 'id' | 'workspaceId'>;
  readonly door: Extract<CallDoor, 'api' | 'click-to-call'>;
  readonly fromNumber: string;
  readonly toNumber: string;
}

/** Live at once; more are refused. */
export const SIMULATED_MAX = 1000;
/** After the start. */
const RINGING_MS = 500;
const ANSWERED_MS = 1000;
const HEARD_MS = 2000;
const REPLIED_MS = 3000;
const ENDED_MS = 5000;

const NOT_MEASURED: TurnStamps = {
  speechStartedAtMs: null,
  speechEndedAtMs: null,
  speculatedAtMs: null,
  transcriptFinalAtMs: null,
  committedAtMs: null,
  llmRequestedAtMs: null,
  llmFirstTokenAtMs: null,
  ttsRequestedAtMs: null,
  ttsFirstAudioAtMs: null,
  playoutStartedAtMs: null,
  playoutEndedAtMs: null,
};

interface Simulated {
  record: CallRecord;
  readonly turns: TranscriptTurn[];
  readonly timers: NodeJS.Timeout[];
}

/**
 * The whole life of a call with nobody in it, for those who build against us: rows, events and
 * webhooks are those of a real call, and nothing is sent by SIP. Nobody pays for it.
 *
 * 0 s initiated · 0.5 s ringing · 1 s answered · 2 s somebody speaks · 3 s the agent · 5 s over
 */
export class CallSimulator {
  readonly #options: CallSimulatorOptions;
  readonly #live = new Map<CallId, Simulated>();

  constructor(options: CallSimulatorOptions) {
    this.#options = options;
  }

  /** Null when there are as many as there may be. Rejects when storage fails. */
  async dial({ agent, door, fromNumber, toNumber }: SimulatedDial): Promise<CallRecord | null> {
    if (this.#live.size >= SIMULATED_MAX) return null;
    const { journal, observer, nowMs } = this.#options;
    const record: CallRecord = {
      id: asCallId(randomId('call')),
      workspaceId: agent.workspaceId,
      agentId: agent.id,
      direction: 'outbound',
      door,
      status: 'initiated',
      fromNumber,
      toNumber,
      sipCallId: null,
      startedAtMs: nowMs(),
      answeredAtMs: null,
      endedAtMs: null,
      endReason: null,
      sipStatus: null,
      report: null,
      isTest: true,
    };
    const call: Simulated = { record, turns: [], timers: [] };
    this.#live.set(record.id, call);
    observer.onProgress(record, { type: 'initiated' });
    try {
      await journal.started(record);
    } catch (error) {
      this.#live.delete(record.id);
      throw error;
    }
    // Hung up while its row was written: then there is nothing left to play.
    if (this.#live.has(record.id)) this.#play(call);
    return record;
  }

  /** False when no such call is being simulated. */
  async hangUp(id: CallId, reason: EndReason = 'operator-hung-up'): Promise<boolean> {
    const call = this.#live.get(id);
    if (call === undefined) return false;
    await this.#end(call, reason);
    return true;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#live.keys()].map((id) => this.hangUp(id, 'stopped-by-operator')));
  }

  #play(call: Simulated): void {
    const { journal, observer, nowMs } = this.#options;
    const { id } = call.record;
    const at = (ms: number, work: () => Promise<unknown>) => {
      const run = () => void work().catch((error: unknown) => this.#onError(error));
      call.timers.push(setTimeout(run, ms));
    };
    at(RINGING_MS, () => {
      observer.onProgress(call.record, { type: 'ringing', sipStatus: 180 });
      return journal.ringing(id);
    });
    at(ANSWERED_MS, () => {
      const answeredAtMs = nowMs();
      call.record = { ...call.record, answeredAtMs };
      observer.onProgress(call.record, { type: 'answered' });
      return journal.answered(id, answeredAtMs);
    });
    at(HEARD_MS, () => this.#speak(call, 'user', 'Hello, this is a simulated caller.'));
    at(REPLIED_MS, () => this.#speak(call, 'agent', 'Hello, this is a simulated agent.'));
    at(ENDED_MS, () => this.#end(call, 'agent-hung-up'));
  }

  #speak(call: Simulated, role: TranscriptTurn['role'], text: string): Promise<void> {
    const { journal, observer, nowMs } = this.#options;
    const turn: TranscriptTurn = {
      id: asTurnId(randomId('trn')),
      index: call.turns.length,
      role,
      text,
      generatedText: null,
      isInterrupted: false,
      via: role === 'user' ? 'speech' : null,
      startedAtMs: nowMs(),
      endedAtMs: nowMs(),
      stamps: NOT_MEASURED,
    };
    call.turns.push(turn);
    observer.onTurn(call.record, turn);
    observer.onProgress(call.record, { type: 'turn', turn });
    return journal.turn(call.record.id, turn);
  }

  async #end(call: Simulated, reason: EndReason): Promise<void> {
    const { journal, observer, nowMs } = this.#options;
    if (!this.#live.delete(call.record.id)) return;
    for (const timer of call.timers) clearTimeout(timer);
    const ending: CallEnding = {
      endedAtMs: nowMs(),
      reason,
      sipStatus: null,
      detail: null,
      report: null,
    };
    observer.onEnded(call.record, ending, call.turns);
    const end = { reason, blame: blameOf(reason), sipStatus: null, detail: null };
    observer.onProgress(call.record, { type: 'ended', ...end });
    try {
      await journal.ended(call.record, ending);
    } catch (error) {
      this.#onError(error);
    }
  }

  #onError(error: unknown): void {
    this.#options.log.error({ err: error }, 'a simulated call could not be written');
  }
}
