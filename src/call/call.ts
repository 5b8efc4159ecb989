import type { Logger } from '../observability/logger.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { CallProgress } from '../model/call-progress.ts';
import type { CallRecord } from '../model/call.ts';
import type { EndReason } from '../model/end-reason.ts';
import { asLegId } from '../model/ids.ts';
import type { LegReport } from '../model/media.ts';
import type { RunTool, ToolCall } from '../model/tool-call.ts';
import type { Caption, TranscriptTurn } from '../model/turn.ts';
import { SDP_VERDICTS, SdpError } from '../signaling/sdp/sdp-error.ts';
import { SignalingError } from '../signaling/signaling-error.ts';
import type { SipInvite, SipLegEnd } from '../signaling/sip-leg.ts';
import { VoiceError, type VoiceErrorCode } from '../voice/voice-error.ts';
import type { VoiceLeg, VoiceLegEvents } from '../voice/voice-leg.ts';
import { type CallEventType, type CallState, nextCallState } from './call-state.ts';
import type { CallEnding, CallJournal } from './journal.ts';
import type { CallDesk, Party, PartyEnd } from './party.ts';
import type { RefusalReason } from './refusal-status.ts';
import { writeEnding } from './write-ending.ts';
import {
  CallTransfers,
  type TransferOrder,
  type TransferParts,
  type TransferReply,
} from './transfer/call-transfers.ts';

export interface CallParts extends TransferParts {
  readonly runTool: RunTool;
  readonly journal: CallJournal;
  readonly log: Logger;
}

/** What a call tells its service. */
export interface CallListener {
  /** All but `initiated` and `ended`. */
  onProgress(call: Call, progress: CallProgress): void;
  onTurn(call: Call, turn: TranscriptTurn): void;
  /** Everything is released and the ending is on its way to the journal. Exactly once. */
  onEnded(call: Call, ending: CallEnding): void;
}

/** Turns whose times the call-ended line knows; every turn is in the journal. */
const TURNS_KEPT_MAX = 2_000;

/** How long a goodbye may take when the owner ends a call politely. */
const FINISH_WITHIN_MS = 5_000;
/** Past the time limit: the worker's own goodbye and hard cut take less. */
const OVERTIME_MS = 15_000;

/**
 * One live call: a party, its voice leg, and the single end of both.
 *
 * Whatever happens first (BYE, the agent's goodbye, a time limit, a dead worker) decides the
 * reason; everything after that only helps to release.
 */
export class Call {
  readonly agent: AgentSnapshot;
  readonly party: Party;
  /** Resolves when the ending is durable, or could not be written. Never rejects. */
  readonly ended: Promise<void>;
  readonly #parts: CallParts;
  readonly #listener: CallListener;
  readonly #log: Logger;
  readonly #record: CallRecord;
  #settleEnded: () => void = () => {};
  #recorded: Promise<void> = Promise.resolve();
  #state: CallState = 'offered';
  #answeredAtMs: number | null = null;
  #voice: VoiceLeg | null = null;
  #isConversing = false;
  #overtime: NodeJS.Timeout | undefined;
  readonly #desk: CallDesk;
  readonly #transfers: CallTransfers;
  readonly #captionWatchers = new Set<(caption: Caption) => void>();
  readonly #turns: TranscriptTurn[] = [];

  constructor(
    record: CallRecord,
    agent: AgentSnapshot,
    party: Party,
    parts: CallParts,
    listener: CallListener,
  ) {
    this.agent = agent;
    this.party = party;
    this.#record = record;
    this.#parts = parts;
    this.#listener = listener;
    this.#log = parts.log.child({ callId: record.id });
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    this.#desk = this.#createDesk();
    this.#transfers = new CallTransfers(parts, {
      record,
      party,
      desk: this.#desk,
      voice: () => (this.#state === 'active' ? this.#voice : null),
      secondsLeft: () => this.#secondsLeft(),
      log: this.#log,
      onStage: (transfer) => listener.onProgress(this, { type: 'transfer', transfer }),
    });
  }

  get record(): CallRecord {
    return { ...this.#record, answeredAtMs: this.#answeredAtMs };
  }

  /** Resolves when the call's row is durable, or could not be written. Never rejects. */
  get recorded(): Promise<void> {
    return this.#recorded;
  }

  get state(): CallState {
    return this.#state;
  }

  /** What was said so far, oldest first; a very long call keeps its beginning only. */
  get turns(): readonly TranscriptTurn[] {
    return this.#turns;
  }

  /** Takes the party to a conversation. Never rejects: failures end the call. */
  async begin(): Promise<void> {
    this.#recorded = this.#write('started', this.#parts.journal.started(this.#record));
    try {
      await this.party.join(this.#desk);
    } catch (error) {
      this.#onJoinFailed(error);
    }
  }

  /** Speaks a sentence as the agent. False when there is no conversation. */
  say(text: string): boolean {
    if (!this.#isConversing || this.#state !== 'active') return false;
    this.#voice?.say(text);
    return true;
  }

  /** Puts the caller through to a number; what becomes of it is told as progress. */
  transfer(order: TransferOrder): Promise<TransferReply> {
    return this.#transfers.order(order);
  }

  /** Somebody comes in the caller's place (RFC 3891). Never rejects. */
  takeOver(invite: SipInvite): Promise<boolean> {
    return this.#transfers.takeOver(invite);
  }

  /** Presses keys on the line. False when there is no conversation. */
  sendDigits(digits: string): boolean {
    if (!this.#isConversing || this.#state !== 'active') return false;
    this.#voice?.sendDigits(digits);
    return true;
  }

  /**
   * Tells what either side is saying, as it is being said, in order with the turns. Costs the
   * call nothing while nobody watches. Gives the function that stops it.
   */
  watchCaptions(watcher: (caption: Caption) => void): () => void {
    this.#captionWatchers.add(watcher);
    if (this.#captionWatchers.size === 1) this.#voice?.watch(true);
    return () => {
      if (!this.#captionWatchers.delete(watcher)) return;
      if (this.#captionWatchers.size === 0 && !this.#isEnding()) this.#voice?.watch(false);
    };
  }

  /** Ends the call at once: the party told, media released, record written. Idempotent. */
  hangUp(reason: EndReason): Promise<void> {
    this.#endNow(reason, null);
    return this.ended;
  }

  /** Lets the agent finish its sentence first, for at most a few seconds. */
  finish(reason: EndReason): Promise<void> {
    if (this.#state === 'active' && this.#voice !== null && this.#isConversing) {
      this.#voice.finish(reason, FINISH_WITHIN_MS);
      return this.ended;
    }
    return this.hangUp(reason);
  }

  #createDesk(): CallDesk {
    const isEnding = () => this.#isEnding();
    const isConversing = () => this.#isConversing;
    return {
      record: this.#record,
      legId: asLegId(`leg_${this.#record.id.slice('call_'.length)}`),
      log: this.#log,
      get isEnding() {
        return isEnding();
      },
      get isConversing() {
        return isConversing();
      },
      voiceEvents: this.#voiceEvents(),
      holdVoice: (voice) => this.#holdVoice(voice),
      dialing: (trunk, attempt) => {
        this.#listener.onProgress(this, { type: 'dialing', trunk, attempt });
      },
      ringing: (sipStatus) => this.#onRinging(sipStatus),
      earlyMedia: (sipStatus) => {
        this.#listener.onProgress(this, { type: 'early-media', sipStatus });
      },
      answered: () => this.#onAnswered(),
      converse: () => this.#converse(),
      referred: (refer) => void this.#transfers.follow(refer),
      end: (reason, end) => this.#endNow(reason, end),
    };
  }

  async #holdVoice(voice: VoiceLeg): Promise<boolean> {
    if (this.#isEnding()) {
      await voice.close('caller-canceled');
      return false;
    }
    this.#voice = voice;
    if (this.#captionWatchers.size > 0) voice.watch(true);
    return true;
  }

  #onRinging(sipStatus: number): void {
    if (this.#state !== 'offered') return;
    this.#listener.onProgress(this, { type: 'ringing', sipStatus });
    this.#advance('ring');
    void this.#write('ringing', this.#parts.journal.ringing(this.#record.id));
  }

  #onAnswered(): void {
    this.#advance('answer');
    this.#answeredAtMs = this.#parts.nowMs();
    void this.#write('answered', this.#parts.journal.answered(this.#record.id, this.#answeredAtMs));
    this.#listener.onProgress(this, { type: 'answered' });
  }

  #onJoinFailed(error: unknown): void {
    if (this.#isEnding()) return;
    const end = endOfInvite(error);
    if (end !== null) return this.#endNow(end.reason ?? 'internal-error', end);
    const reason = reasonOf(error);
    if (reason === 'internal-error') this.#log.fatal({ err: error }, 'a call failed');
    else this.#log.warn({ err: error, reason }, 'a call could not be accepted');
    this.#endNow(reason, { sipStatus: this.party.refuse(reason), detail: null });
  }

  #converse(): void {
    if (this.#isConversing || this.#voice === null) return;
    this.#isConversing = true;
    this.#watchTime();
    const { agent } = this;
    // What we know ourselves is not the caller's to say.
    const variables = {
      ...this.party.variables,
      agent_name: agent.displayName,
      caller_number: this.#record.fromNumber,
      called_number: this.#record.toNumber,
      call_direction: this.#record.direction,
      ...(typeof agent.timeZone === 'string' ? { time_zone: agent.timeZone } : {}),
    };
    const answeredAtMs = this.#answeredAtMs ?? this.#parts.nowMs();
    const { machineDetection = null } = this.party;
    this.#voice.startConversation(agent, variables, answeredAtMs, machineDetection);
  }

  #voiceEvents(): VoiceLegEvents {
    return {
      onConnected: () => {},
      onTurn: (turn) => this.#onTurn(turn),
      onCaption: (caption) => {
        for (const watcher of this.#captionWatchers) watcher(caption);
      },
      onCalleeKnown: (answeredBy) =>
        this.#listener.onProgress(this, { type: 'answered-by', answeredBy }),
      onActivity: (activity) => this.#listener.onProgress(this, { type: 'activity', activity }),
      onNote: (note) => this.#listener.onProgress(this, note),
      onTransferWanted: (target, failed) => void this.#transfers.wanted(target.number, failed),
      onToolWanted: (call, signal) => this.#runTool(call, signal),
      onDigitsWanted: (digits) => void this.party.dialog?.sendDigits(digits, this.#log),
      onConversationEnded: (reason, detail) => this.#endNow(reason, { sipStatus: null, detail }),
      onLost: () => {
        this.#voice = null;
        this.#endNow('worker-crashed', null);
      },
    };
  }

  async #runTool(call: ToolCall, signal: AbortSignal): Promise<unknown> {
    const tool = this.agent.tools.find(({ name }) => name === call.name);
    if (tool === undefined) return { error: `there is no tool "${call.name}"` };
    const { id: callId, workspaceId } = this.#record;
    const order = { workspaceId, agentId: this.agent.id, callId, call, tool };
    return this.#parts.runTool(order, signal);
  }

  #onTurn(turn: TranscriptTurn): void {
    if (this.#turns.length < TURNS_KEPT_MAX) this.#turns.push(turn);
    void this.#write('turn', this.#parts.journal.turn(this.#record.id, turn));
    this.#listener.onTurn(this, turn);
    this.#listener.onProgress(this, { type: 'turn', turn });
  }

  /** The first caller decides the reason. */
  #endNow(reason: EndReason, end: PartyEnd | null): void {
    if (this.#isEnding()) return;
    this.#advance('hangup');
    // A bug while releasing must not leave `ended` pending for ever.
    this.#release(this.#transfers.reasonAtEnd(reason), end)
      .catch((error: unknown) => this.#log.fatal({ err: error }, 'a call could not be released'))
      .finally(() => this.#settleEnded());
  }

  async #release(reason: EndReason, end: PartyEnd | null): Promise<void> {
    clearTimeout(this.#overtime);
    const endedAtMs = this.#parts.nowMs();
    // Media first, so that the report holds no packet sent after the end.
    const [report] = await Promise.all([
      this.#voice?.close(reason) ?? Promise.resolve<LegReport | null>(null),
      this.party.leave(reason),
      this.#transfers.close(reason),
    ]);
    this.#advance('released');
    const ending: CallEnding = {
      endedAtMs,
      reason,
      sipStatus: end?.sipStatus ?? null,
      detail: end?.detail ?? null,
      report,
      transfers: this.#transfers.records,
    };
    this.#listener.onEnded(this, ending);
    await this.#write('ended', this.#writeEnding(ending));
  }

  #writeEnding(ending: CallEnding): Promise<void> {
    return writeEnding(
      () => this.#parts.journal.ended(this.record, ending),
      (error) => this.#log.warn({ err: error }, 'the end of a call is written again'),
    );
  }

  /** The worker keeps the time limit, and says so to the caller; this is for one that hangs. */
  #watchTime(): void {
    const withinMs = this.agent.timeLimitSeconds * 1000 + OVERTIME_MS;
    this.#overtime = setTimeout(() => this.#endNow('time-limit', null), withinMs);
  }

  #secondsLeft(): number {
    const { nowMs } = this.#parts;
    const talkedMs = nowMs() - (this.#answeredAtMs ?? nowMs());
    return Math.max(0, this.agent.timeLimitSeconds - Math.floor(talkedMs / 1000));
  }

  #isEnding(): boolean {
    return this.#state === 'ending' || this.#state === 'ended';
  }

  #advance(event: CallEventType): void {
    this.#state = nextCallState(this.#state, event);
  }

  /** A call goes on when its journal cannot be written; the failure is somebody's to look at. */
  async #write(row: string, written: Promise<unknown>): Promise<void> {
    try {
      await written;
    } catch (error) {
      this.#log.error({ err: error, row }, 'a call row could not be written');
    }
  }
}

/** The INVITE ended while it was being answered: that is no failure, and nothing to refuse. */
function endOfInvite(error: unknown): SipLegEnd | null {
  if (!(error instanceof SignalingError)) return null;
  if (error.code === 'INVITE_CANCELED') {
    return { reason: 'caller-canceled', sipStatus: 487, detail: null };
  }
  if (error.code === 'ENGINE_LOST') {
    return { reason: 'sip-engine-lost', sipStatus: null, detail: null };
  }
  return null;
}

function reasonOf(error: unknown): RefusalReason {
  if (error instanceof SdpError) return SDP_VERDICTS[error.code].reason;
  return error instanceof VoiceError ? VOICE_REASONS[error.code] : 'internal-error';
}

const VOICE_REASONS: Readonly<Record<VoiceErrorCode, RefusalReason>> = {
  MEDIA_PORTS_EXHAUSTED: 'at-capacity',
  MEDIA_SOCKET_FAILED: 'at-capacity',
  MEDIA_PEERS_EXHAUSTED: 'at-capacity',
  MEDIA_WEBRTC_UNAVAILABLE: 'at-capacity',
  MEDIA_OFFER_TOO_LARGE: 'bad-offer',
  MEDIA_OFFER_INVALID: 'bad-offer',
  MEDIA_OFFER_UNSUPPORTED: 'no-common-codec',
  NO_VOICE_WORKER: 'at-capacity',
  VOICE_WORKER_LOST: 'worker-crashed',
};
