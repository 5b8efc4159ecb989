import type { AgentSnapshot } from '../model/agent.ts';
import type { CallRecord } from '../model/call.ts';
import { blameOf, type EndReason } from '../model/end-reason.ts';
import { type AgentId, asCallId, type CallId, type WorkspaceId } from '../model/ids.ts';
import type { TranscriptTurn } from '../model/turn.ts';
import type { SipInvite, SipLeg } from '../signaling/sip-leg.ts';
import type { WantedCaller } from '../signaling/trunk/outbound-policy.ts';
import type { Trunk } from '../signaling/trunk/trunk.ts';
import { TrunkDialError } from '../signaling/trunk/trunk-dialer.ts';
import type { TrunkService } from '../signaling/trunk/trunk-service.ts';
import type { VoicePool } from '../voice/voice-pool.ts';
import { randomId } from '../lib/random-id.ts';
import type { Admission, Place, Refusal } from './admission.ts';
import { browserUserOf } from './browser-address.ts';
import type { CallGate, GateRefusal } from './call-gate.ts';
import type { CallObserver } from './call-observer.ts';
import { type CallOrigin, originOf, WEB_ORIGIN } from './call-origin.ts';
import { isWithin } from './call-window.ts';
import type {
  BrowserLines,
  DialCallReply,
  DialCallRequest,
  DialPreviewReply,
  WebCallReply,
  WebCallRequest,
  WebResumption,
} from './call-requests.ts';
import { CalledBrowserParty } from './called-browser-party.ts';
import { Call, type CallListener, type CallParts } from './call.ts';
import { type InboundLine, lineOf } from './inbound-line.ts';
import type { CallEnding } from './journal.ts';
import { OutboundParty } from './outbound-party.ts';
import type { Party } from './party.ts';
import { type RefusalReason, refusalStatus } from './refusal-status.ts';
import { SipParty } from './sip-party.ts';
import type { TransferOrder, TransferReply } from './transfer/call-transfers.ts';
import { WebParty } from './web-party.ts';
import { WebSipParty } from './web-sip-party.ts';

/** Who answers what was dialed. */
export interface AgentDirectory {
  /**
   * By phone number or by name, as the trunk has them first; null when nobody has it. Must not
   * wait on anything slow.
   */
  findByDialed(user: string, trunk: Trunk | null): Promise<AgentSnapshot | null>;
  /** An agent of that workspace; null: it has none of that id. */
  findOwned(workspaceId: WorkspaceId, id: AgentId): Promise<AgentSnapshot | null>;
  /**
   * Who calls when an agent does: the number that was asked for, else the one that is the
   * agent's, else whatever the trunk has.
   */
  callerOf(
    workspaceId: WorkspaceId,
    agentId: AgentId,
    fromNumber: string | null,
  ): Promise<WantedCaller>;
}

export interface CallServiceOptions extends CallParts {
  readonly pool: Pick<
    VoicePool,
    'openLeg' | 'openLegBeside' | 'openWebLeg' | 'openWebLegBeside' | 'codecs'
  >;
  readonly directory: AgentDirectory;
  readonly trunks: Pick<TrunkService, 'find' | 'takeInbound' | 'preview' | 'dial'>;
  readonly browsers: BrowserLines;
  readonly admission: Admission;
  /** Asked after `admission`, for what the workspace may have. */
  readonly gate: CallGate;
  readonly observer: CallObserver;
}

/** Whoever gave the call its place. */
interface CallOwner {
  readonly release: () => void;
  readonly onAnswered?: () => void;
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
    if (invite.signedInAs !== null) return this.#onSignedIn(invite);
    if (invite.replaces !== null) return this.#takeOver(invite, invite.replaces);
    const { admission, directory, trunks, log } = this.#options;
    const line = lineOf(invite, invite.trunk === null ? null : trunks.find(invite.trunk));
    if (admission.isDraining) return this.#refuse(invite, line, null, 'draining');
    let agent: AgentSnapshot | null;
    try {
      agent = await directory.findByDialed(invite.dialed.user, line.trunk);
    } catch (error) {
      log.error({ err: error }, 'the agent of a call could not be read');
      return this.#refuse(invite, line, null, 'internal-error');
    }
    if (agent === null) return this.#refuse(invite, line, null, 'agent-not-found');
    const place = this.#takeInbound(agent, line);
    if (!place.admitted) return this.#refuse(invite, line, agent, place.reason);
    const record = this.#newRecord(agent, originOf(invite, line));
    const permitted = await this.#permit(record, agent);
    if (typeof permitted === 'string') {
      place.release();
      return this.#refuse(invite, line, agent, permitted);
    }
    const party = new SipParty(invite, line, this.#options.pool);
    party.dialog.releaseChannel = place.releaseChannel;
    const release = () => place.release();
    await this.#add(record, permitted, party, { release }).begin();
  }

  /** An INVITE by WebSocket. Its caller has signed in, and what that allows is known. */
  async #onSignedIn(invite: SipInvite): Promise<void> {
    const { admission, browsers, pool } = this.#options;
    const signedIn = browsers.take(invite);
    if (signedIn === null) return invite.refuse(403);
    const { agent, caller, dialed, onAnswered, onOver } = signedIn;
    // Nobody of the public takes the place of somebody else in a call.
    if (invite.replaces !== null) {
      onOver();
      return invite.refuse(403);
    }
    const line: InboundLine = {
      trunk: null,
      fromNumber: caller,
      toNumber: dialed,
      variables: {},
      networkFacts: null,
    };
    const place = admission.admit(agent);
    if (!place.admitted) {
      onOver();
      return this.#refuse(invite, line, agent, place.reason);
    }
    const release = () => {
      place.release();
      onOver();
    };
    const record = this.#newRecord(agent, originOf(invite, line));
    const permitted = await this.#permit(record, agent);
    if (typeof permitted === 'string') {
      release();
      return this.#refuse(invite, line, agent, permitted);
    }
    const party = new WebSipParty(invite, pool);
    await this.#add(record, permitted, party, { release, onAnswered }).begin();
  }

  /**
   * Calls a number for an owner. Refused before anything is sent or written; once accepted,
   * whatever happens is on the call. Rejects only when storage fails.
   */
  async dial(request: DialCallRequest): Promise<DialCallReply> {
    const { admission, directory, gate, trunks, pool, nowMs } = this.#options;
    const { workspaceId, agentId, toNumber, fromNumber, variables, door } = request;
    const { machineDetection = null } = request;
    const agent = await directory.findOwned(workspaceId, agentId);
    if (agent === null) return { accepted: false, reason: 'agent-not-found' };
    const { callWindow = null, timeZone = null } = agent;
    if (callWindow !== null && !isWithin(callWindow, timeZone, nowMs())) {
      return { accepted: false, reason: 'call-window-restricted' };
    }
    const user = browserUserOf(toNumber);
    if (user !== null) return this.#dialBrowser(agent, user, request);
    const caller = await directory.callerOf(workspaceId, agentId, fromNumber);
    const numbers = this.#preview(toNumber, caller);
    if (!numbers.accepted) return numbers;
    if (!(await gate.allowsDestination(workspaceId, numbers.to))) {
      return { accepted: false, reason: 'DESTINATION_NOT_ALLOWED' };
    }
    const place = admission.admit(agent);
    if (!place.admitted) return { accepted: false, reason: place.reason };
    const origin: CallOrigin = {
      direction: 'outbound',
      door,
      fromNumber: numbers.from,
      toNumber: numbers.to,
      sipCallId: null,
    };
    const record = this.#newRecord(agent, origin);
    const permitted = await this.#permit(record, agent);
    if (typeof permitted === 'string') {
      place.release();
      return { accepted: false, reason: permitted };
    }
    const target = { to: toNumber, caller, variables, machineDetection };
    const party = new OutboundParty(target, trunks, pool);
    const call = this.#add(record, permitted, party, { release: () => place.release() });
    void call.begin();
    // Who is told the id may ask for the call at once.
    await call.recorded;
    return { accepted: true, record };
  }

  /** Calls somebody of the agent's workspace whose browser is registered. */
  async #dialBrowser(
    agent: AgentSnapshot,
    user: string,
    { variables, door }: DialCallRequest,
  ): Promise<DialCallReply> {
    const { admission, browsers, pool } = this.#options;
    const bindings = browsers.bindingsOf(agent.workspaceId, user);
    if (bindings.length === 0) return { accepted: false, reason: 'callee-not-registered' };
    const place = admission.admit(agent);
    if (!place.admitted) return { accepted: false, reason: place.reason };
    const origin: CallOrigin = {
      direction: 'outbound',
      door,
      fromNumber: '',
      toNumber: `sip:${user}`,
      sipCallId: null,
    };
    const record = this.#newRecord(agent, origin);
    const permitted = await this.#permit(record, agent);
    if (typeof permitted === 'string') {
      place.release();
      return { accepted: false, reason: permitted };
    }
    const from = { user: agent.id, displayName: agent.displayName };
    const callee = { bindings, from, variables };
    const party = new CalledBrowserParty(callee, browsers.dial, pool);
    const call = this.#add(record, permitted, party, { release: () => place.release() });
    void call.begin();
    await call.recorded;
    return { accepted: true, record };
  }

  /** What the trunks would say to a call: nothing is sent, counted or written. */
  async previewDial(
    request: Pick<DialCallRequest, 'workspaceId' | 'agentId' | 'toNumber' | 'fromNumber'>,
  ): Promise<DialPreviewReply> {
    const { workspaceId, agentId, toNumber, fromNumber } = request;
    const { directory } = this.#options;
    return this.#preview(toNumber, await directory.callerOf(workspaceId, agentId, fromNumber));
  }

  #preview(toNumber: string, caller: WantedCaller): DialPreviewReply {
    try {
      const numbers = this.#options.trunks.preview({ to: toNumber, caller, trunk: null });
      return { accepted: true, ...numbers };
    } catch (error) {
      if (error instanceof TrunkDialError) return { accepted: false, reason: error.code };
      throw error;
    }
  }

  /** Decides a browser's offer. Never rejects. Whether the agent may be reached so is known. */
  async onWebOffer(request: WebCallRequest): Promise<WebCallReply> {
    const { agent, door, offerSdp, onAnswered, onOver } = request;
    const place = this.#options.admission.admit(agent);
    const record = this.#newRecord(agent, { ...WEB_ORIGIN, door });
    if (!place.admitted) {
      onOver();
      this.#writeRefused(record, place.reason, null);
      return { accepted: false, reason: place.reason };
    }
    const release = () => {
      place.release();
      onOver();
    };
    const permitted = await this.#permit(record, agent);
    if (typeof permitted === 'string') {
      release();
      this.#writeRefused(record, permitted, null);
      return { accepted: false, reason: permitted };
    }
    const party = new WebParty(offerSdp, this.#options.pool);
    const call = this.#add(record, permitted, party, { release, onAnswered });
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
    if (call === undefined || (agentId !== null && call.agent.id !== agentId)) return null;
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

  /** Puts a live call of the workspace through to a number; null: it is not live here. */
  async transfer(
    workspaceId: WorkspaceId,
    id: CallId,
    order: TransferOrder,
  ): Promise<TransferReply | null> {
    const call = this.#calls.get(id);
    return call?.record.workspaceId === workspaceId ? call.transfer(order) : null;
  }

  /** A place of the daemon and its agent, and a channel of the trunk; or neither. */
  #takeInbound(
    agent: AgentSnapshot,
    { trunk }: InboundLine,
  ): (Place & { readonly releaseChannel: () => void }) | Refusal {
    const place = this.#options.admission.admit(agent);
    if (!place.admitted) return place;
    if (trunk === null) return { ...place, releaseChannel: () => {} };
    const channel = this.#options.trunks.takeInbound(trunk);
    if (typeof channel === 'string') {
      place.release();
      return { admitted: false, reason: 'at-capacity' };
    }
    const release = () => {
      channel.release();
      place.release();
    };
    return { admitted: true, release, releaseChannel: channel.release };
  }

  /** The INVITE takes the place of a caller: no new call, and no agent to look for. */
  async #takeOver(invite: SipInvite, replaced: SipLeg): Promise<void> {
    const { log } = this.#options;
    const call = [...this.#calls.values()].find(({ party }) => party.dialog?.leg === replaced);
    if (call === undefined) return invite.refuse(481);
    try {
      const isTaken = await call.takeOver(invite);
      log.info({ callId: call.record.id, isTaken }, 'a caller is replaced by another');
    } catch (error) {
      log.error({ err: error }, 'a call could not be taken over');
      invite.refuse(500);
    }
  }

  /**
   * The agent as the workspace can pay for it, or why not at all. What cannot be counted is not
   * let in.
   */
  async #permit(
    record: CallRecord,
    agent: AgentSnapshot,
  ): Promise<AgentSnapshot | GateRefusal['reason'] | 'internal-error'> {
    const { gate, log } = this.#options;
    try {
      const { timeLimitSeconds: limit } = agent;
      const permit = await gate.admit({ ...record, timeLimitSeconds: limit });
      if (!permit.admitted) return permit.reason;
      const { timeLimitSeconds } = permit;
      return timeLimitSeconds === agent.timeLimitSeconds ? agent : { ...agent, timeLimitSeconds };
    } catch (error) {
      log.error({ err: error }, 'a call could not be counted');
      return 'internal-error';
    }
  }

  #add(record: CallRecord, agent: AgentSnapshot, party: Party, owner: CallOwner): Call {
    const call = new Call(record, agent, party, this.#options, this.#listener(owner));
    this.#calls.set(record.id, call);
    this.#options.observer.onProgress?.(record, { type: 'initiated' });
    return call;
  }

  #listener({ release, onAnswered }: CallOwner): CallListener {
    const { observer } = this.#options;
    return {
      onProgress: (call, progress) => {
        if (progress.type === 'answered') onAnswered?.();
        observer.onProgress?.(call.record, progress);
      },
      onTurn: (call, turn) => observer.onTurn?.(call.record, turn),
      onEnded: (call, ending) => {
        release();
        this.#tellEnded(call.record, ending, call.turns);
        void call.ended.then(() => this.#calls.delete(call.record.id));
      },
    };
  }

  #tellEnded(record: CallRecord, ending: CallEnding, turns: readonly TranscriptTurn[]): void {
    const { reason, sipStatus, detail } = ending;
    const { observer } = this.#options;
    observer.onEnded?.(record, ending, turns);
    const blame = blameOf(reason);
    observer.onProgress?.(record, { type: 'ended', reason, blame, sipStatus, detail });
  }

  #newRecord(agent: AgentSnapshot, origin: CallOrigin): CallRecord {
    return {
      ...origin,
      id: asCallId(randomId('call')),
      workspaceId: agent.workspaceId,
      agentId: agent.id,
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
  #refuse(
    invite: SipInvite,
    line: InboundLine,
    agent: AgentSnapshot | null,
    reason: RefusalReason,
  ): void {
    const { status, retryAfterSeconds } = refusalStatus(reason);
    invite.refuse(status, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    if (agent === null) this.#options.log.info({ reason, sipStatus: status }, 'call refused');
    else this.#writeRefused(this.#newRecord(agent, originOf(invite, line)), reason, status);
  }

  #writeRefused(record: CallRecord, reason: EndReason, sipStatus: number | null): void {
    const { journal, log, nowMs, observer } = this.#options;
    const endedAtMs = nowMs();
    const ending: CallEnding = { endedAtMs, reason, sipStatus, detail: null, report: null };
    observer.onProgress?.(record, { type: 'initiated' });
    this.#tellEnded(record, ending, []);
    journal
      .started(record)
      .then(() => journal.ended(record, ending))
      .catch((error: unknown) => log.error({ err: error }, 'a refused call could not be written'));
  }
}
