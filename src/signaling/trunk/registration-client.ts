import { randomBytes } from 'node:crypto';
import { type PlainRequest, type PlainResult, whyUnanswered } from '../plain-request-client.ts';
import type { SignalingLog } from '../sip-settings.ts';
import { readRegisterAnswer } from './register-answer.ts';
import {
  type RegisterRequest,
  Registration,
  type RegistrationStatus,
  type RegistrationStep,
} from './registration.ts';
import { nextHopUri, type SipTarget } from './sip-targets.ts';
import type { Trunk } from './trunk.ts';

/** Between the whole round trips of one REGISTER: RFC 3261's timer F, halved to fail over sooner. */
export const REGISTER_TIMEOUT_MS = 16_000;
/** For the REGISTER that takes us away; a stopping daemon does not wait longer. */
export const UNREGISTER_TIMEOUT_MS = 3_000;
/** `setTimeout` counts in 31 bits. */
const TIMER_MAX_MS = 2_147_000_000;

export interface RegistrationClientOptions {
  readonly trunk: Trunk;
  readonly send: (request: PlainRequest) => Promise<PlainResult>;
  /** Where the trunk's hosts lead, best first. Never rejects. */
  readonly targets: () => Promise<readonly SipTarget[]>;
  /** Unix time in milliseconds that never jumps back. */
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly log: SignalingLog;
  /** After each change of state and each answer. */
  readonly onChange?: (status: RegistrationStatus) => void;
  readonly timeoutMs?: number;
  /** Contact at the trunk's external address, `host:port`; null: the engine's own. */
  readonly contactHost?: () => string | null;
}

/** The thin shell around `Registration`: one timer, one request at a time. */
export class RegistrationClient {
  readonly #options: RegistrationClientOptions;
  readonly #engine: Registration;
  #timer: NodeJS.Timeout | null = null;
  /** Answers to requests of before a `stop` are not for the machine any more. */
  #turn = 0;
  #onDone: (() => void) | null = null;
  #wasRegistered = false;

  constructor(options: RegistrationClientOptions) {
    const { trunk, random } = options;
    this.#options = options;
    const callId = randomBytes(16).toString('hex');
    const fromTag = randomBytes(8).toString('hex');
    this.#engine = new Registration({ trunk, callId, fromTag, random });
  }

  get status(): RegistrationStatus {
    return this.#engine.status(this.#options.nowMs());
  }

  /** See `Registration.learntHost`. */
  get learntHost(): string | null {
    return this.#engine.learntHost;
  }

  get registrar(): SipTarget | null {
    return this.#engine.registrar;
  }

  start(): void {
    this.#follow(this.#engine.start());
  }

  /** Another connection to the SIP engine stands: a new engine knows no flows of the old one. */
  renew(): void {
    this.#follow(this.#engine.renew());
  }

  /** What an answer to another request told about our address. */
  observed(addresses: { readonly sentBy: string | null; readonly observed: string | null }): void {
    this.#follow(this.#engine.saw(addresses, this.#options.nowMs()));
  }

  /** Takes the registration away, for `UNREGISTER_TIMEOUT_MS` at most. Never rejects. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#turn += 1;
      const timer = setTimeout(resolve, UNREGISTER_TIMEOUT_MS);
      this.#onDone = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#follow(this.#engine.stop());
    });
  }

  #follow(step: RegistrationStep | null): void {
    this.#arm();
    this.#tell();
    if (step === null) return;
    switch (step.type) {
      case 'resolve':
        void this.#resolve();
        return;
      case 'send':
        void this.#send(step.request);
        return;
      case 'done':
        if (this.#timer !== null) clearTimeout(this.#timer);
        this.#timer = null;
        this.#onDone?.();
    }
  }

  async #resolve(): Promise<void> {
    const turn = this.#turn;
    const { targets, nowMs } = this.#options;
    const found = await targets();
    if (turn === this.#turn) this.#follow(this.#engine.resolved(found, nowMs()));
  }

  async #send(request: RegisterRequest): Promise<void> {
    const turn = this.#turn;
    const { send, trunk, timeoutMs = REGISTER_TIMEOUT_MS, nowMs } = this.#options;
    const user = trunk.username ?? '';
    const contactHost = request.contactHost ?? this.#options.contactHost?.() ?? null;
    const result = await send(toPlainRequest({ ...request, contactHost }, trunk, timeoutMs)).catch(
      (error: unknown): PlainResult => ({ type: 'unanswered', why: String(error) }),
    );
    if (turn !== this.#turn) return;
    // What the engine says itself (408, 503) is no answer of the registrar's.
    const isAnswer = result.type === 'answered' && !result.answer.isFromEngine;
    const answer = isAnswer ? readRegisterAnswer(result.answer, user) : null;
    this.#follow(this.#engine.answered(answer, nowMs(), whyUnanswered(result)));
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { nextAtMs } = this.#engine;
    if (nextAtMs === null) return;
    const { nowMs } = this.#options;
    const waitMs = Math.min(Math.max(0, nextAtMs - nowMs()), TIMER_MAX_MS);
    this.#timer = setTimeout(() => {
      // A timer may fire a little early.
      this.#follow(this.#engine.tick(Math.max(nowMs(), nextAtMs)));
    }, waitMs);
    this.#timer.unref();
  }

  #tell(): void {
    const { log, trunk, onChange } = this.#options;
    const { status } = this;
    onChange?.(status);
    const { isRegistered, failures, lastAnswer } = status;
    if (isRegistered === this.#wasRegistered) return;
    this.#wasRegistered = isRegistered;
    const { status: sipStatus = null, reason: why = '' } = lastAnswer ?? {};
    const facts = { trunk: trunk.name, failures, sipStatus, why };
    if (isRegistered) log.info(facts, 'registered with a carrier');
    else log.warn(facts, 'not registered with a carrier any more');
  }
}

function toPlainRequest(
  request: RegisterRequest,
  { name: trunk, username }: Trunk,
  timeoutMs: number,
): PlainRequest {
  const user = username ?? '';
  const { requestUri, target, callId, fromTag, cseq, expiresSeconds, authorization } = request;
  const address = `<sip:${user}@${requestUri.replace(/^sip:/, '')}>`;
  const { contactHost, formerContactHost } = request;
  const transport = target.transport === 'udp' ? '' : `;transport=${target.transport}`;
  const contactAt = (host: string) => `<sip:${user}@${host}${transport}>`;
  // Last, because drachtio-server sends the first contact alone; the former then runs out.
  const former = formerContactHost === null ? '' : `, ${contactAt(formerContactHost)};expires=0`;
  const contact = `${contactAt(contactHost ?? 'localhost')};expires=${expiresSeconds}${former}`;
  return {
    method: 'REGISTER',
    uri: requestUri,
    proxy: nextHopUri(target, trunk),
    timeoutMs,
    headers: [
      { name: 'From', value: `${address};tag=${fromTag}` },
      { name: 'To', value: address },
      { name: 'Call-ID', value: callId },
      { name: 'CSeq', value: `${cseq} REGISTER` },
      { name: 'Contact', value: contact },
      { name: 'Expires', value: String(expiresSeconds) },
      ...authorization,
    ],
  };
}
