import { isIP } from 'node:net';
import { GatewayError } from '../../lib/gateway-error.ts';
import type {
  DialEvents,
  DialProgress,
  DialRefusal,
  DialRequest,
  DialResult,
} from '../outbound-dial.ts';
import type { OfferReply, SipLegEnd } from '../sip-leg.ts';
import {
  type CallerHeaders,
  callerHeaders,
  callerThrough,
  destinationThrough,
  sessionHeaders,
  type WantedCaller,
} from './outbound-policy.ts';
import { normalizeUser, toCarrierFormat } from './phone-number.ts';
import { RefusalAnswers } from './refusal-answers.ts';
import { judgeRefusal, type Redirect, REDIRECTS_MAX } from './refusal-verdict.ts';
import { nextHopUri, type SipTarget, targetText } from './sip-targets.ts';
import type { Trunk } from './trunk.ts';
import type { TrunkLimits } from './trunk-limits.ts';

/** INVITEs of one call, over all trunks, hosts and redirections. */
export const ATTEMPTS_MAX = 8;

export type TrunkDialErrorCode =
  /** There is no trunk, or none of that name. */
  | 'TRUNK_NOT_FOUND'
  /** No trunk can read it as a number: without `+` it needs the trunk's `country`. */
  | 'NUMBER_MALFORMED'
  /** No trunk may call that number: `outbound_prefixes`. */
  | 'DESTINATION_NOT_ALLOWED'
  /** `caller_id_policy` does not let this number be the caller. */
  | 'CALLER_ID_NOT_ALLOWED'
  /** Every trunk that may call it has all its channels in use, or had too many calls this second. */
  | 'TRUNK_AT_CAPACITY';

/** A call that was refused before anything was sent. */
export class TrunkDialError extends GatewayError<TrunkDialErrorCode> {}

export interface TrunkDialRequest {
  /** A number in any writing that the trunk's country lets us read. */
  readonly to: string;
  readonly caller: WantedCaller;
  /** Only by this trunk; null: by the first that may and can. */
  readonly trunk: string | null;
  /** Made for each trunk, whose codecs and addresses may differ. */
  readonly offerFor: (trunk: Trunk) => string | Promise<string>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Shortens the trunk's own `no_answer_seconds`. */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

/** Who would call whom, in E.164 where it can be. */
export interface DialPreview {
  readonly from: string;
  readonly to: string;
}

/** Each INVITE as it goes out. */
export interface DialAttempt {
  readonly trunk: string;
  readonly target: string;
  /** From 1. */
  readonly number: number;
}

export interface TrunkDialEvents extends DialEvents {
  onAttempt?(attempt: DialAttempt): void;
}

export type TrunkDialResult = (
  | Extract<DialResult, { readonly type: 'answered' }>
  | ({ readonly type: 'ended' } & SipLegEnd)
) & { readonly trunk: Trunk; readonly attempts: number };

export interface TrunkDialerOptions {
  readonly trunks: () => readonly Trunk[];
  readonly limits: TrunkLimits;
  readonly dial: (request: DialRequest, events: DialEvents) => Promise<DialResult>;
  /** Where a trunk leads now, best first: its registrar, else its hosts. Never rejects. */
  readonly targetsOf: (trunk: Trunk) => Promise<readonly SipTarget[]>;
  /** Whether the trunk answers OPTIONS and is registered, where it should be. */
  readonly isUp: (trunk: Trunk) => boolean;
  /** An address of the trunk, that a redirection may lead to. */
  readonly isSourceOf: (trunk: Trunk, address: string) => boolean;
  readonly nowMs: () => number;
  /** Contact where the trunk reaches us; null: the engine's own. */
  readonly contactOf: (trunk: Trunk, transport: SipTarget['transport']) => string | null;
}

/** Calls numbers through trunks: who may call whom, and where to next when a host fails. */
export class TrunkDialer {
  readonly #options: TrunkDialerOptions;

  constructor(options: TrunkDialerOptions) {
    this.#options = options;
  }

  /**
   * Calls a number. Resolves with a leg or a typed end; rejects with `TrunkDialError` when it is
   * refused before dialing, and with `SignalingError` when it cannot be written into a message.
   */
  async dial(request: TrunkDialRequest, events: TrunkDialEvents): Promise<TrunkDialResult> {
    const plans = this.#plan(request);
    const deadlineMs = this.#options.nowMs() + (request.timeoutMs ?? Number.POSITIVE_INFINITY);
    const tally = { attempts: 0, redirects: 0 };
    let last: TrunkDialResult | null = null;
    for (const plan of plans) {
      const held = this.#options.limits.take(plan.trunk, this.#options.nowMs());
      if (typeof held === 'string') continue;
      const watched = new WatchedEvents(events, held.release);
      const call = new TrunkCall({ ...plan, request, deadlineMs, tally }, this.#options, watched);
      try {
        last = await call.run();
      } catch (error) {
        held.release();
        throw error;
      }
      if (last.type === 'answered') return last;
      held.release();
      if (!call.mayGoElsewhere) return last;
    }
    if (last !== null) return last;
    throw noRoom();
  }

  /**
   * What `dial` would refuse before anything is sent, with nothing sent and nothing taken.
   * Throws `TrunkDialError`.
   */
  preview(wanted: Pick<TrunkDialRequest, 'to' | 'caller' | 'trunk'>): DialPreview {
    const { limits, nowMs } = this.#options;
    const plans = this.#plan(wanted);
    const free = plans.find(({ trunk }) => limits.fullness(trunk, nowMs()) === null);
    if (free === undefined) throw noRoom();
    return { from: free.callerNumber, to: free.number };
  }

  /** The trunks that may take the call, those that are up first. */
  #plan({
    to,
    caller,
    trunk: wanted,
  }: Pick<TrunkDialRequest, 'to' | 'caller' | 'trunk'>): readonly Plan[] {
    const { trunks, isUp } = this.#options;
    const eligible = trunks().filter(({ name }) => wanted === null || name === wanted);
    if (eligible.length === 0) {
      throw new TrunkDialError('TRUNK_NOT_FOUND', 'there is no such trunk');
    }
    if (!eligible.some((trunk) => normalizeUser(to, trunk).startsWith('+'))) {
      throw new TrunkDialError('NUMBER_MALFORMED', 'that is no telephone number');
    }
    const reachable = eligible.flatMap((trunk) => {
      const number = destinationThrough(trunk, to);
      return number === null ? [] : [{ trunk, number }];
    });
    if (reachable.length === 0) {
      throw new TrunkDialError('DESTINATION_NOT_ALLOWED', 'no trunk may call that number');
    }
    const plans = reachable.flatMap(({ trunk, number }) => {
      const callerNumber = callerThrough(trunk, caller);
      if (callerNumber === null) return [];
      return [{ trunk, number, callerNumber, caller: callerHeaders(trunk, callerNumber, caller) }];
    });
    if (plans.length === 0) {
      throw new TrunkDialError('CALLER_ID_NOT_ALLOWED', 'that number may not be the caller');
    }
    // A trunk that is down is a last resort, not an impossibility: our view may be old.
    return plans.sort((a, b) => Number(isUp(b.trunk)) - Number(isUp(a.trunk)));
  }
}

function noRoom(): TrunkDialError {
  return new TrunkDialError('TRUNK_AT_CAPACITY', 'no trunk has room for the call', {
    retryable: true,
  });
}

interface Plan {
  readonly trunk: Trunk;
  readonly number: string;
  readonly callerNumber: string;
  readonly caller: CallerHeaders;
}

interface TrunkCallOptions extends Plan {
  readonly request: TrunkDialRequest;
  readonly deadlineMs: number;
  /** Counts over all trunks of the call. */
  readonly tally: { attempts: number; redirects: number };
}

/** One call on one trunk: host by host, redirection by redirection. */
class TrunkCall {
  readonly #plan: TrunkCallOptions;
  readonly #options: TrunkDialerOptions;
  readonly #events: WatchedEvents;
  readonly #deadlineMs: number;
  #mayGoElsewhere = true;

  constructor(plan: TrunkCallOptions, options: TrunkDialerOptions, events: WatchedEvents) {
    this.#plan = plan;
    this.#options = options;
    this.#events = events;
    const ringMs = plan.trunk.noAnswerSeconds * 1000;
    this.#deadlineMs = Math.min(plan.deadlineMs, options.nowMs() + ringMs);
  }

  /** Whether the end says nothing about the callee, so that another trunk may be asked. */
  get mayGoElsewhere(): boolean {
    return this.#mayGoElsewhere;
  }

  async run(): Promise<TrunkDialResult> {
    const { trunk, number, request } = this.#plan;
    const targets = await this.#options.targetsOf(trunk);
    const offerSdp = await request.offerFor(trunk);
    const queue = targets.map((target) => ({ target, number }));
    let result: TrunkDialResult = this.#ended(NOWHERE);
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const tried = await this.#attempt(next, offerSdp);
      result = tried.result;
      if (result.type === 'answered') return result;
      const { refusal } = tried;
      const verdict = refusal === null ? FINAL : judgeRefusal(refusal, this.#events.hasRung);
      if (verdict.type === 'final') {
        this.#mayGoElsewhere = false;
        return result;
      }
      if (verdict.type === 'redirected') {
        this.#mayGoElsewhere = false;
        queue.splice(0, queue.length, ...this.#follow(verdict.to, next.target));
      }
      if (this.#isOver()) break;
    }
    if (!this.#mayGoElsewhere || result.type === 'answered') return result;
    const { sipStatus, detail } = result;
    return this.#ended({ reason: 'trunk-unavailable', sipStatus, detail });
  }

  #isOver(): boolean {
    const { request, tally } = this.#plan;
    const isLate = this.#options.nowMs() >= this.#deadlineMs;
    return request.signal.aborted || isLate || tally.attempts >= ATTEMPTS_MAX;
  }

  /** RFC 3261 §8.1.3.4, within the trunk's prefixes and at the trunk's own addresses. */
  #follow(to: readonly Redirect[], from: SipTarget): { target: SipTarget; number: string }[] {
    const { trunk, tally } = this.#plan;
    return to.flatMap(({ user, host }) => {
      const number = destinationThrough(trunk, user);
      tally.redirects += 1;
      if (number === null || tally.redirects > REDIRECTS_MAX) return [];
      const isTheirs = isIP(host) !== 0 && this.#options.isSourceOf(trunk, host);
      const target = isTheirs ? { ...from, host, address: host } : from;
      return [{ target, number }];
    });
  }

  async #attempt(
    { target, number }: { readonly target: SipTarget; readonly number: string },
    offerSdp: string,
  ): Promise<Tried> {
    const { trunk, request, caller, tally } = this.#plan;
    const { dial, contactOf, nowMs } = this.#options;
    tally.attempts += 1;
    this.#events.onAttempt({
      trunk: trunk.name,
      target: targetText(target),
      number: tally.attempts,
    });
    const uri = `sip:${toCarrierFormat(number, trunk)}@${trunk.domain}`;
    const answers = new RefusalAnswers(trunk, uri);
    const contact = contactOf(trunk, target.transport);
    const result = await dial(
      {
        uri,
        from: caller.from,
        offerSdp,
        headers: {
          ...sessionHeaders(trunk),
          ...request.headers,
          ...caller.headers,
          ...(contact === null ? {} : { Contact: contact }),
        },
        proxy: nextHopUri(target, trunk.name),
        timeoutMs: Math.max(1, this.#deadlineMs - nowMs()),
        signal: request.signal,
        onRefusal: (refusal) => answers.to(refusal),
      },
      this.#events,
    );
    if (result.type === 'answered') {
      return { result: { ...result, trunk, attempts: tally.attempts }, refusal: null };
    }
    // Canceled, not answered in time, or the engine is lost: no refusal, whatever came before.
    const { last } = answers;
    const isRefusal = result.reason !== null && last !== null && last.status === result.sipStatus;
    return { result: this.#ended(result), refusal: isRefusal ? last : null };
  }

  #ended({ reason, sipStatus, detail }: SipLegEnd): TrunkDialResult {
    const { trunk, tally } = this.#plan;
    return { type: 'ended', reason, sipStatus, detail, trunk, attempts: tally.attempts };
  }
}

/** How one INVITE ended, and the answer that refused it, if one did. */
interface Tried {
  readonly result: TrunkDialResult;
  readonly refusal: DialRefusal | null;
}

const FINAL = { type: 'final' } as const;
const NOWHERE: SipLegEnd = { reason: 'trunk-unavailable', sipStatus: null, detail: null };

/** Passes everything on, and gives the channel back when the leg ends. */
class WatchedEvents implements DialEvents {
  readonly #events: TrunkDialEvents;
  readonly #release: () => void;
  hasRung = false;

  constructor(events: TrunkDialEvents, release: () => void) {
    this.#events = events;
    this.#release = release;
  }

  onAttempt(attempt: DialAttempt): void {
    this.#events.onAttempt?.(attempt);
  }

  onProgress(progress: DialProgress): void {
    // 183 may be an announcement of the network's; a telephone rings with 180.
    if (progress.type === 'ringing' || progress.sipStatus === 180) this.hasRung = true;
    this.#events.onProgress(progress);
  }

  onEnded(end: SipLegEnd): void {
    this.#release();
    this.#events.onEnded(end);
  }

  onRemoteAnswer(sdp: string): void {
    this.#events.onRemoteAnswer(sdp);
  }

  onRemoteOffer(sdp: string): Promise<OfferReply> {
    return this.#events.onRemoteOffer(sdp);
  }

  makeOffer(): string {
    return this.#events.makeOffer();
  }

  onDigit(digit: string): void {
    this.#events.onDigit(digit);
  }
}
