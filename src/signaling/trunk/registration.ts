import { DigestClient } from '../digest/digest-client.ts';
import type { RegisterAnswer } from './register-answer.ts';
import { type SipTarget, targetText } from './sip-targets.ts';
import type { Trunk } from './trunk.ts';

export type RegistrationState = 'idle' | 'registering' | 'registered' | 'waiting';

/** One REGISTER, as the shell is to send it. */
export interface RegisterRequest {
  readonly target: SipTarget;
  readonly requestUri: string;
  readonly callId: string;
  readonly fromTag: string;
  readonly cseq: number;
  /** 0 takes the registration away. */
  readonly expiresSeconds: number;
  /** `host:port` for Contact; null: the engine's own address. */
  readonly contactHost: string | null;
  /** A contact of ours that shall be gone. */
  readonly formerContactHost: string | null;
  readonly authorization: readonly { readonly name: string; readonly value: string }[];
}

/** What the shell shall do now. `resolve` is answered with `resolved`, `send` with `answered`. */
export type RegistrationStep =
  | { readonly type: 'resolve' }
  | { readonly type: 'send'; readonly request: RegisterRequest }
  | { readonly type: 'done' };

/** For `GET /v1/trunks` and metrics. Times are in the clock the engine was given. */
export interface RegistrationStatus {
  readonly state: RegistrationState;
  /** Also while a refresh is under way or failed, as long as the registration lasts. */
  readonly isRegistered: boolean;
  /** Like `udp/203.0.113.7:5060`. */
  readonly registrar: string | null;
  readonly expiresAtMs: number | null;
  /** Status 0: there was no answer, and `reason` says why, where that is known. */
  readonly lastAnswer: {
    readonly status: number;
    readonly reason: string;
    readonly atMs: number;
  } | null;
  readonly nextAttemptAtMs: number | null;
  /** Rounds over all registrars that failed, in a row. */
  readonly failures: number;
  /** Our address as the registrar saw it, `host:port`. */
  readonly observedAddress: string | null;
}

export interface RegistrationOptions {
  readonly trunk: Pick<Trunk, 'domain' | 'credentials' | 'registration' | 'externalAddress'>;
  readonly callId: string;
  readonly fromTag: string;
  /** In [0, 1). */
  readonly random: () => number;
}

export const RETRY_FIRST_MS = 5_000;
export const RETRY_MAX_MS = 300_000;
type ObservedAddresses = Pick<RegisterAnswer, 'sentBy' | 'observed'>;

const RETRY_AFTER_MAX_MS = 3_600_000;
/** Challenges, 423s and address changes answered in one round, so that none can be endless. */
export const STEPS_MAX = 6;
export const EXPIRES_MAX_SECONDS = 604_800;
/** A changed address is followed at once, but not more often than this. */
export const ADDRESS_CHANGE_MIN_MS = 10_000;
/** A registration shorter than this would have us do nothing else. */
const EXPIRES_MIN_SECONDS = 10;

/**
 * Keeps one address registered (RFC 3261 §10). It owns no clock and no socket: each call returns
 * what to do next, and `nextAtMs` says when to call `tick`.
 *
 *   idle ──start──▶ registering ──200──▶ registered
 *    ▲               │   ▲  ▲              │    │
 *    │ 401 407 423,  └───┘  └── refresh, observed address changed, `renew`
 *    │ next registrar        │                  │
 *    │               ├─ refused, or no registrar left ─▶ waiting ──back-off──▶ registering
 *    └──── stop: REGISTER with Expires 0, once ◀────────┘
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #digest: DigestClient | null;
  #state: RegistrationState = 'idle';
  #isStopping = false;
  #targets: readonly SipTarget[] = [];
  #tried = 0;
  #current: SipTarget | null = null;
  #cseq: number;
  #expiresSeconds: number;
  #steps = 0;
  #failures = 0;
  #expiresAtMs: number | null = null;
  #nextAtMs: number | null = null;
  #lastAnswer: RegistrationStatus['lastAnswer'] = null;
  #observed: string | null = null;
  #contactHost: string | null = null;
  #formerContactHost: string | null = null;
  #addressChangedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RegistrationOptions) {
    const { credentials, registration } = options.trunk;
    this.#options = options;
    this.#digest = credentials === null ? null : new DigestClient(credentials);
    this.#expiresSeconds = registration?.expiresSeconds ?? 3600;
    this.#cseq = Math.floor(options.random() * 10_000);
  }

  /** When `tick` wants to be called; null: not before something else happens. */
  get nextAtMs(): number | null {
    return this.#nextAtMs;
  }

  /** The registrar that has us, for calls to follow; null when none has. */
  get registrar(): SipTarget | null {
    return this.#expiresAtMs === null ? null : this.#current;
  }

  /** Where the registrar sees us, `host:port`, when our Contact says that; else null. */
  get learntHost(): string | null {
    return this.#contactHost;
  }

  status(nowMs: number): RegistrationStatus {
    const isRegistered = this.#expiresAtMs !== null && nowMs < this.#expiresAtMs;
    return {
      state: this.#state,
      isRegistered,
      registrar: this.#current === null ? null : targetText(this.#current),
      expiresAtMs: isRegistered ? this.#expiresAtMs : null,
      lastAnswer: this.#lastAnswer,
      nextAttemptAtMs: this.#nextAtMs,
      failures: this.#failures,
      observedAddress: this.#observed,
    };
  }

  start(): RegistrationStep | null {
    return this.#state === 'idle' && !this.#isStopping ? this.#begin() : null;
  }

  tick(nowMs: number): RegistrationStep | null {
    if (this.#expiresAtMs !== null && nowMs >= this.#expiresAtMs) this.#expiresAtMs = null;
    if (this.#nextAtMs === null || nowMs < this.#nextAtMs || this.#isStopping) return null;
    return this.#begin();
  }

  /** Registers anew at once: the engine or its addresses are others than before. */
  renew(): RegistrationStep | null {
    if (this.#isStopping || this.#state === 'idle' || this.#state === 'registering') return null;
    return this.#begin();
  }

  /** Takes the registration away; `done` when there is none. Nothing is tried twice. */
  stop(): RegistrationStep {
    this.#isStopping = true;
    this.#nextAtMs = null;
    // A REGISTER under way may yet succeed.
    const mayStand = this.#expiresAtMs !== null || this.#state === 'registering';
    if (!mayStand || this.#current === null) return this.#finish();
    this.#state = 'registering';
    this.#steps = 0;
    return this.#send(this.#current);
  }

  /** Where the registrars are, best first; none: DNS knows nobody. */
  resolved(targets: readonly SipTarget[], nowMs: number): RegistrationStep | null {
    if (this.#state !== 'registering' || this.#isStopping) return null;
    this.#targets = targets;
    this.#tried = 0;
    return this.#nextTarget(nowMs);
  }

  /** The final answer to the last request; null: none came, or it could not be sent, and `why`. */
  answered(answer: RegisterAnswer | null, nowMs: number, why = ''): RegistrationStep | null {
    if (this.#state !== 'registering') return null;
    const { status, reason } = answer ?? { status: 0, reason: why };
    this.#lastAnswer = { status, reason, atMs: nowMs };
    if (this.#isStopping) return this.#stopped(answer);
    if (answer === null || isHostFailure(status)) {
      return this.#nextTarget(nowMs, answer?.retryAfterSeconds ?? null);
    }
    if (status >= 200 && status < 300) return this.#succeeded(answer, nowMs);
    if (status === 401 || status === 407) return this.#challenged(status, answer, nowMs);
    if (status === 423 && this.#lengthen(answer)) return this.#again(nowMs);
    return this.#wait(answer.retryAfterSeconds, nowMs, true);
  }

  /** What an answer to another request (OPTIONS) told about our address. */
  saw(addresses: ObservedAddresses, nowMs: number): RegistrationStep | null {
    if (this.#state !== 'registered' || this.#isStopping) return null;
    return this.#follow(addresses, nowMs);
  }

  #begin(): RegistrationStep {
    this.#state = 'registering';
    this.#nextAtMs = null;
    this.#steps = 0;
    // RFC 3263 §4: stay with the registrar that has us, as long as it answers.
    if (this.#current !== null && this.#expiresAtMs !== null) {
      this.#targets = [];
      this.#tried = 0;
      return this.#send(this.#current);
    }
    return { type: 'resolve' };
  }

  #nextTarget(nowMs: number, retryAfterSeconds: number | null = null): RegistrationStep | null {
    const failed = this.#current;
    // The registrar we were with is gone: ask DNS who else there is.
    if (this.#targets.length === 0 && failed !== null && this.#tried === 0) {
      this.#tried = 1;
      this.#current = null;
      this.#expiresAtMs = null;
      return { type: 'resolve' };
    }
    const target = this.#targets[this.#tried];
    if (target === undefined) return this.#wait(retryAfterSeconds, nowMs, false);
    this.#tried += 1;
    this.#steps = 0;
    this.#digest?.reset();
    return this.#send(target);
  }

  #send(target: SipTarget): RegistrationStep {
    const { trunk, callId, fromTag } = this.#options;
    const requestUri = `sip:${trunk.domain}`;
    this.#current = target;
    this.#cseq += 1;
    return {
      type: 'send',
      request: {
        target,
        requestUri,
        callId,
        fromTag,
        cseq: this.#cseq,
        expiresSeconds: this.#isStopping ? 0 : this.#expiresSeconds,
        contactHost: this.#contactHost,
        formerContactHost: this.#formerContactHost,
        authorization: this.#digest?.authorize({ method: 'REGISTER', uri: requestUri }) ?? [],
      },
    };
  }

  /** The same registrar once more, if this round has not gone on for too long. */
  #again(nowMs: number): RegistrationStep | null {
    this.#steps += 1;
    if (this.#steps > STEPS_MAX || this.#current === null) return this.#wait(null, nowMs, true);
    return this.#send(this.#current);
  }

  #challenged(status: 401 | 407, answer: RegisterAnswer, nowMs: number): RegistrationStep | null {
    const verdict = this.#digest?.challenged(status, answer.challenge ?? '') ?? 'unanswerable';
    if (verdict === 'answer') return this.#again(nowMs);
    this.#digest?.reset();
    return this.#wait(answer.retryAfterSeconds, nowMs, true);
  }

  /** 423 Interval Too Brief (§10.2.8). */
  #lengthen({ minExpiresSeconds }: RegisterAnswer): boolean {
    const isLonger = minExpiresSeconds !== null && minExpiresSeconds > this.#expiresSeconds;
    if (!isLonger || minExpiresSeconds > EXPIRES_MAX_SECONDS) return false;
    this.#expiresSeconds = minExpiresSeconds;
    return true;
  }

  #succeeded(answer: RegisterAnswer, nowMs: number): RegistrationStep | null {
    this.#digest?.accepted();
    const grantedSeconds = answer.expiresSeconds ?? this.#expiresSeconds;
    if (grantedSeconds <= 0) return this.#wait(null, nowMs, true);
    this.#state = 'registered';
    this.#failures = 0;
    this.#formerContactHost = null;
    this.#expiresAtMs = nowMs + grantedSeconds * 1000;
    const seconds = Math.max(EXPIRES_MIN_SECONDS, grantedSeconds);
    this.#nextAtMs = nowMs + seconds * 1000 * (0.75 + 0.1 * this.#options.random());
    return this.#follow(answer, nowMs);
  }

  /**
   * What the registrar saw of us, in `received` and `rport` of our Via (RFC 3581). When it is not
   * what our Contact says, or no longer, the registration is made anew with what it saw.
   */
  #follow({ observed, sentBy }: ObservedAddresses, nowMs: number): RegistrationStep | null {
    const before = this.#observed;
    if (observed === null) return null;
    this.#observed = observed;
    const isMoved = before !== null && before !== observed;
    const isDatagram = this.#current?.transport === 'udp';
    // Over a connection the port is the connection's, which no Contact can name.
    const isBehindNat = isDatagram && observed !== (this.#contactHost ?? sentBy);
    const mayRewrite = this.#options.trunk.externalAddress === null;
    if (!isMoved && !(isBehindNat && mayRewrite)) return null;
    if (nowMs - this.#addressChangedAtMs < ADDRESS_CHANGE_MIN_MS) return null;
    this.#addressChangedAtMs = nowMs;
    if (mayRewrite && isDatagram) {
      this.#formerContactHost = this.#contactHost ?? sentBy;
      this.#contactHost = observed;
    }
    return this.#begin();
  }

  /** @param isRefusal the registrar understood and does not want: asking soon will not help */
  #wait(
    retryAfterSeconds: number | null,
    nowMs: number,
    isRefusal: boolean,
  ): RegistrationStep | null {
    this.#state = 'waiting';
    if (isRefusal) this.#expiresAtMs = null;
    const exponent = Math.min(this.#failures, 16);
    this.#failures += 1;
    const firstMs = isRefusal ? 6 * RETRY_FIRST_MS : RETRY_FIRST_MS;
    const longestMs = Math.min(firstMs * 2 ** exponent, RETRY_MAX_MS);
    // RFC 5626 §4.5: between half and all of it, so that clients do not return together.
    const waitMs = longestMs * (0.5 + 0.5 * this.#options.random());
    const askedMs = Math.min((retryAfterSeconds ?? 0) * 1000, RETRY_AFTER_MAX_MS);
    this.#nextAtMs = nowMs + Math.max(waitMs, askedMs);
    return null;
  }

  #stopped(answer: RegisterAnswer | null): RegistrationStep {
    const { status } = answer ?? { status: 0 };
    const isChallenge = status === 401 || status === 407;
    if (isChallenge && this.#current !== null && this.#steps < STEPS_MAX) {
      this.#steps += 1;
      const verdict = this.#digest?.challenged(status, answer?.challenge ?? '');
      if (verdict === 'answer') return this.#send(this.#current);
    }
    return this.#finish();
  }

  #finish(): RegistrationStep {
    this.#state = 'idle';
    this.#expiresAtMs = null;
    return { type: 'done' };
  }
}

/** The host is at fault, not we: another may do (RFC 3263 §4.3). */
function isHostFailure(status: number): boolean {
  return status === 408 || status === 430 || (status >= 500 && status < 600);
}
