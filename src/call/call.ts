import type { Logger } from '../observability/logger.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { CallRecord } from '../model/call.ts';
import { blameOf, type EndReason } from '../model/end-reason.ts';
import { asLegId } from '../model/ids.ts';
import type { LegReport, RtpParameters } from '../model/media.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import { SdpError } from '../signaling/sdp/sdp-error.ts';
import { SignalingError } from '../signaling/signaling-error.ts';
import type {
  OfferReply,
  SipInvite,
  SipLeg,
  SipLegEnd,
  SipLegEvents,
} from '../signaling/sip-leg.ts';
import type { VoiceLeg, VoiceLegEvents, VoicePool } from '../voice/voice-pool.ts';
import { VoiceError } from '../voice/voice-error.ts';
import { type CallEventType, type CallState, nextCallState } from './call-state.ts';
import type { CallEnding, CallJournal } from './journal.ts';
import { MediaNegotiation } from './media-negotiation.ts';
import { type RefusalReason, refusalStatus } from './refusal-status.ts';

export interface CallParts {
  readonly pool: Pick<VoicePool, 'openLeg' | 'codecs'>;
  readonly journal: CallJournal;
  readonly log: Logger;
  /** Unix time, with fractions of a millisecond. */
  readonly nowMs: () => number;
}

/** What a call tells its service. */
export interface CallListener {
  onAnswered(call: Call): void;
  onTurn(call: Call, turn: TranscriptTurn): void;
  onActivity(call: Call, activity: 'listening' | 'thinking' | 'speaking'): void;
  /** Everything is released and the ending is on its way to the journal. Exactly once. */
  onEnded(call: Call, ending: CallEnding): void;
}

/** Turns whose times the call-ended line knows; every turn is in the journal. */
const TURNS_KEPT_MAX = 2_000;

/** How long a goodbye may take when the owner ends a call politely. */
const FINISH_WITHIN_MS = 5_000;

/** Q.850 cause of our BYE (RFC 3326): normal clearing, or the gateway's own fault. */
const NORMAL_CLEARING = 16;
const TEMPORARY_FAILURE = 41;

/**
 * One live inbound call: a SIP leg, its voice leg, and the single end of both.
 *
 * Whatever happens first (BYE, the agent's goodbye, a time limit, a dead worker) decides the
 * reason; everything after that only helps to release.
 */
export class Call {
  readonly agent: AgentSnapshot;
  /** Resolves when the ending is durable, or could not be written. Never rejects. */
  readonly ended: Promise<void>;
  readonly #parts: CallParts;
  readonly #listener: CallListener;
  readonly #log: Logger;
  readonly #record: CallRecord;
  readonly #negotiation: MediaNegotiation;
  #settleEnded: () => void = () => {};
  #state: CallState = 'offered';
  #answeredAtMs: number | null = null;
  #voice: VoiceLeg | null = null;
  #leg: SipLeg | null = null;
  #isConversing = false;
  readonly #turns: TranscriptTurn[] = [];

  constructor(record: CallRecord, agent: AgentSnapshot, parts: CallParts, listener: CallListener) {
    this.agent = agent;
    this.#record = record;
    this.#parts = parts;
    this.#listener = listener;
    this.#log = parts.log.child({ callId: record.id });
    this.#negotiation = new MediaNegotiation(parts.pool.codecs);
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
  }

  get record(): CallRecord {
    return { ...this.#record, answeredAtMs: this.#answeredAtMs };
  }

  get state(): CallState {
    return this.#state;
  }

  /** What was said so far, oldest first; a very long call keeps its beginning only. */
  get turns(): readonly TranscriptTurn[] {
    return this.#turns;
  }

  /** Takes the INVITE through to a conversation. Never rejects: failures end the call. */
  async accept(invite: SipInvite): Promise<void> {
    invite.onCanceled((end) => this.#onLegEnded(end));
    void this.#write('started', this.#parts.journal.started(this.#record));
    try {
      await this.#answer(invite);
    } catch (error) {
      this.#onAcceptFailed(invite, error);
    }
  }

  /** Speaks a sentence as the agent. False when there is no conversation. */
  say(text: string): boolean {
    if (!this.#isConversing || this.#state !== 'active') return false;
    this.#voice?.say(text);
    return true;
  }

  /** Ends the call at once: BYE, media released, record written. Idempotent. */
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

  async #answer(invite: SipInvite): Promise<void> {
    // Read the offer first: a call we cannot speak with must not cost a port.
    const offered = invite.offerSdp === null ? null : this.#negotiation.readOffer(invite.offerSdp);
    const legId = asLegId(`leg_${this.#record.id.slice('call_'.length)}`);
    const voice = await this.#parts.pool.openLeg(this.#record.id, legId, this.#voiceEvents());
    this.#voice = voice;
    if (this.#isEnding()) {
      await voice.close();
      return;
    }

    this.#negotiation.bind(voice.local);
    if (offered !== null) voice.update(offered);
    const sdp = offered === null ? this.#negotiation.offer() : this.#negotiation.answer();
    const leg = await invite.answer(sdp, this.#sipEvents());
    this.#leg = leg;
    if (this.#isEnding()) return leg.hangUp();

    this.#advance('answer');
    this.#answeredAtMs = this.#parts.nowMs();
    void this.#write('answered', this.#parts.journal.answered(this.#record.id, this.#answeredAtMs));
    this.#listener.onAnswered(this);
    if (offered !== null) this.#converse();
  }

  #onAcceptFailed(invite: SipInvite, error: unknown): void {
    if (this.#isEnding()) return;
    const end = endOfInvite(error);
    if (end !== null) return this.#onLegEnded(end);
    const reason = reasonOf(error);
    if (reason === 'internal-error') this.#log.fatal({ err: error }, 'a call failed');
    else this.#log.warn({ err: error, reason }, 'a call could not be accepted');
    const { status, retryAfterSeconds } = refusalStatus(reason);
    invite.refuse(status, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    this.#endNow(reason, { reason, sipStatus: status, detail: null });
  }

  #converse(): void {
    if (this.#isConversing || this.#voice === null) return;
    this.#isConversing = true;
    const variables = {
      caller_number: this.#record.fromNumber,
      called_number: this.#record.toNumber,
    };
    const answeredAtMs = this.#answeredAtMs ?? this.#parts.nowMs();
    this.#voice.startConversation(this.agent, variables, answeredAtMs);
  }

  #sipEvents(): SipLegEvents {
    return {
      onEnded: (end) => this.#onLegEnded(end),
      onRemoteAnswer: (sdp) => this.#onRemoteAnswer(sdp),
      onRemoteOffer: async (sdp) => this.#onRemoteOffer(sdp),
      makeOffer: () => this.#negotiation.offer(),
      onDigit: (digit) => this.#voice?.injectDigit(digit),
    };
  }

  /** The ACK of a late offer, or of a re-INVITE without one, brought the answer. */
  #onRemoteAnswer(sdp: string): void {
    let parameters: RtpParameters;
    try {
      parameters = this.#negotiation.readAnswer(sdp);
    } catch (error) {
      if (!(error instanceof SdpError)) throw error;
      this.#log.warn({ err: error }, 'the answer to our offer cannot be used');
      // A dialog that already talks keeps what it had; a new one has nothing to talk with.
      if (!this.#isConversing) this.#endNow('no-common-codec', null);
      return;
    }
    this.#voice?.update(parameters);
    this.#converse();
  }

  #onRemoteOffer(sdp: string): OfferReply {
    if (this.#voice === null || this.#isEnding()) return { type: 'refuse', status: 491 };
    try {
      this.#voice.update(this.#negotiation.readOffer(sdp));
      return { type: 'answer', sdp: this.#negotiation.answer() };
    } catch (error) {
      if (error instanceof SdpError) return { type: 'refuse', status: 488 };
      this.#log.fatal({ err: error }, 'a re-INVITE failed');
      return { type: 'refuse', status: 500 };
    }
  }

  #voiceEvents(): VoiceLegEvents {
    return {
      onTurn: (turn) => this.#onTurn(turn),
      onActivity: (activity) => this.#listener.onActivity(this, activity),
      onConversationEnded: (reason, detail) =>
        this.#endNow(reason, { reason, sipStatus: null, detail }),
      onLost: () => {
        this.#voice = null;
        this.#endNow('worker-crashed', null);
      },
    };
  }

  #onTurn(turn: TranscriptTurn): void {
    if (this.#turns.length < TURNS_KEPT_MAX) this.#turns.push(turn);
    void this.#write('turn', this.#parts.journal.turn(this.#record.id, turn));
    this.#listener.onTurn(this, turn);
  }

  #onLegEnded(end: SipLegEnd): void {
    // No reason means that we ended it ourselves, and then ours stands already.
    this.#endNow(end.reason ?? 'internal-error', end);
  }

  /** The first caller decides the reason. */
  #endNow(reason: EndReason, end: SipLegEnd | null): void {
    if (this.#isEnding()) return;
    this.#advance('hangup');
    // A bug while releasing must not leave `ended` pending for ever.
    this.#release(reason, end)
      .catch((error: unknown) => this.#log.fatal({ err: error }, 'a call could not be released'))
      .finally(() => this.#settleEnded());
  }

  async #release(reason: EndReason, end: SipLegEnd | null): Promise<void> {
    const endedAtMs = this.#parts.nowMs();
    const isFault = blameOf(reason) === 'gateway' || blameOf(reason) === 'provider';
    const q850 = isFault ? TEMPORARY_FAILURE : NORMAL_CLEARING;
    // Media first, so that the report holds no packet sent after the end.
    const [report] = await Promise.all([
      this.#voice?.close() ?? Promise.resolve<LegReport | null>(null),
      this.#leg?.hangUp({ q850, text: reason }),
    ]);
    this.#advance('released');
    const ending: CallEnding = {
      endedAtMs,
      reason,
      sipStatus: end?.sipStatus ?? null,
      detail: end?.detail ?? null,
      report,
    };
    this.#listener.onEnded(this, ending);
    await this.#write('ended', this.#parts.journal.ended(this.#record.id, ending));
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
  if (error instanceof SdpError) {
    return error.code === 'SDP_NO_COMMON_CODEC' ? 'no-common-codec' : 'bad-offer';
  }
  if (error instanceof VoiceError) {
    return error.code === 'VOICE_WORKER_LOST' ? 'worker-crashed' : 'at-capacity';
  }
  return 'internal-error';
}
