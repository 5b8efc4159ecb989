import { createHash } from 'node:crypto';
import type { DialCallReply, DialCallRequest, DialPreviewReply } from '../call/call-requests.ts';
import type { CallService } from '../call/call-service.ts';
import { assertNever } from '../lib/assert-never.ts';
import { RateLimiter } from '../lib/rate-limiter.ts';
import type { AgentRepository, StoredAgent } from '../storage/agent-repository.ts';
import type {
  ClickToCallCredentials,
  ClickToCallRepository,
} from '../storage/click-to-call-repository.ts';
import { dayOf, secondsToMidnight } from './calendar-day.ts';
import { type ClickToCallAnswer, type ClickToCallRefusal, refuse } from './click-to-call-answer.ts';
import type { DailyCalls } from './daily-calls.ts';
import { isSigned } from './click-to-call-signature.ts';
import { missingInScript, readVariables } from './click-to-call-variables.ts';

/** A request as it came; nothing of it has been checked. */
export interface ClickToCallRequest {
  readonly apiKey: string | null;
  readonly signature: string | null;
  readonly timestamp: string | null;
  readonly idempotencyKey: string | null;
  readonly body: Uint8Array;
  /** Who is counted as one when keys or signatures are wrong. */
  readonly network: string;
  /** The agent whose own address was asked; null: the common one. */
  readonly agentId: string | null;
}

export interface ClickToCallOptions {
  readonly credentials: Pick<
    ClickToCallRepository,
    'findByToken' | 'reserve' | 'settle' | 'remember' | 'answer'
  >;
  readonly agents: Pick<AgentRepository, 'find'>;
  readonly calls: () => Pick<CallService, 'dial' | 'previewDial'>;
  /** For test credentials: nothing is sent by SIP. */
  readonly simulate: CallService['dial'];
  readonly dailyCalls: DailyCalls;
  readonly hasTrunks: () => boolean;
  /** Of one agent's credentials. */
  readonly requestsPerMinute: number;
  /** What could not be written once a call was on its way. */
  readonly onError: (error: unknown) => void;
  /** Unix time. */
  readonly nowMs: () => number;
}

/** Calls a day of an agent whose requests are not signed, unless its owner says otherwise. */
export const UNSIGNED_CALLS_PER_DAY_MAX = 100;
/** Wrong keys and signatures of one network. */
const FAILURES_PER_MINUTE_MAX = 30;
const MINUTE_MS = 60_000;
const RETRY_AFTER_SECONDS = 5;
const API_KEY_LENGTH_MAX = 200;
const IDEMPOTENCY_KEY_LENGTH_MAX = 255;

/** Who asks, proven by token and signature. */
interface Caller {
  readonly agent: StoredAgent;
  readonly credentials: ClickToCallCredentials;
}

/** What is asked for, read and found to be possible. */
interface Wanted {
  readonly phone: string;
  /** The same in E.164. */
  readonly number: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/**
 * Calls that backends ask for: `POST /api/click-to-call`. What is wrong is said in the order of
 * the codes, so that each request has exactly one answer.
 */
export class ClickToCall {
  readonly #options: ClickToCallOptions;
  readonly #requests: RateLimiter;
  readonly #failures = new RateLimiter({ max: FAILURES_PER_MINUTE_MAX, windowMs: MINUTE_MS });
  /** Requests of this process that named an idempotency key and are not answered yet. */
  readonly #inHand = new Map<string, Promise<ClickToCallAnswer>>();

  constructor(options: ClickToCallOptions) {
    this.#options = options;
    this.#requests = new RateLimiter({ max: options.requestsPerMinute, windowMs: MINUTE_MS });
  }

  /** Never rejects for what the request holds; a storage that fails is an answer too. */
  async request(request: ClickToCallRequest): Promise<ClickToCallAnswer> {
    const caller = await this.#identify(request);
    if ('code' in caller) return caller;
    const { idempotencyKey } = request;
    if (idempotencyKey === null) return this.#call(caller, request.body);
    if (idempotencyKey.length > IDEMPOTENCY_KEY_LENGTH_MAX) {
      return refuse('INVALID_BODY', { detail: 'The Idempotency-Key is too long.' });
    }
    return this.#callOnce(caller, idempotencyKey, request.body);
  }

  /** 001 to 006, in this order. */
  async #identify(request: ClickToCallRequest): Promise<Caller | ClickToCallRefusal> {
    const { nowMs } = this.#options;
    const { apiKey, signature, network } = request;
    if (apiKey === null) return refuse('MISSING_HEADERS', { detail: 'api-key' });
    if (this.#failures.isFull(network, nowMs())) return tooOften(MINUTE_MS);
    const found = await this.#find(request, apiKey);
    if (found === null) {
      this.#failures.take(network, nowMs());
      return refuse('INVALID_API_KEY');
    }
    if ('code' in found) return found;
    const { agent, credentials } = found;
    const verdict = this.#requests.take(agent.id, nowMs());
    if (!verdict.isAllowed) return tooOften(verdict.retryAfterMs);
    const { isSignatureOff } = agent.clickToCall;
    if (!isSignatureOff && signature === null) {
      return refuse('MISSING_HEADERS', { detail: 'signature' });
    }
    if (!agent.isEnabled) return refuse('AGENT_DISABLED');
    const lack = this.#lackOf(agent, credentials.isTest);
    if (lack !== null) return refuse('AGENT_NOT_CONFIGURED', { detail: lack });
    if (isSignatureOff) return found;
    const { secret } = credentials;
    if (signature !== null && isSigned({ ...request, secret, signature, nowMs: nowMs() })) {
      return found;
    }
    this.#failures.take(network, nowMs());
    return refuse('INVALID_SIGNATURE');
  }

  /** Null: nobody has that key. */
  async #find(
    { agentId }: ClickToCallRequest,
    apiKey: string,
  ): Promise<Caller | ClickToCallRefusal | null> {
    const { credentials: repository, agents, nowMs, onError } = this.#options;
    if (apiKey.length > API_KEY_LENGTH_MAX) return null;
    try {
      const credentials = await repository.findByToken(apiKey, nowMs());
      if (credentials === null) return null;
      const agent = await agents.find(credentials.workspaceId, credentials.agentId);
      const isOther = agentId !== null && agentId !== agent?.id;
      return agent === null || isOther ? null : { agent, credentials };
    } catch (error) {
      onError(error);
      return refuse('AGENT_FETCH_FAILED');
    }
  }

  /** What an agent needs before it can call anybody; null: nothing. */
  #lackOf({ type, ...agent }: StoredAgent, isTest: boolean): string | null {
    if (type !== 'click_to_call') return "The agent's type is not click_to_call.";
    if (!isTest && !this.#options.hasTrunks()) return 'There is no trunk to call by.';
    const isSilent =
      agent.systemPrompt.trim() === '' &&
      agent.greetingText.trim() === '' &&
      agent.phrasebook === null;
    return isSilent ? 'The agent has no script.' : null;
  }

  /** The same key gives the same answer and never a second call; a refusal does not use it up. */
  async #callOnce(caller: Caller, key: string, body: Uint8Array): Promise<ClickToCallAnswer> {
    const id = `${caller.agent.id} ${sha256(Buffer.from(key))}`;
    const bodyHash = sha256(body);
    const calling = this.#inHand.get(`${id} ${bodyHash}`);
    if (calling !== undefined) return calling;
    const answering = this.#remembered(caller, { id, bodyHash }, body);
    this.#inHand.set(`${id} ${bodyHash}`, answering);
    try {
      return await answering;
    } finally {
      this.#inHand.delete(`${id} ${bodyHash}`);
    }
  }

  async #remembered(
    caller: Caller,
    { id, bodyHash }: { readonly id: string; readonly bodyHash: string },
    body: Uint8Array,
  ): Promise<ClickToCallAnswer> {
    const { credentials, nowMs, onError } = this.#options;
    let before: Awaited<ReturnType<ClickToCallRepository['remember']>>;
    try {
      before = await credentials.remember(id, bodyHash, nowMs());
    } catch (error) {
      onError(error);
      return refuse('CALL_FAILED', { reason: 'storage' });
    }
    if (before !== null && before.bodyHash !== bodyHash) {
      return refuse('INVALID_BODY', { detail: 'That Idempotency-Key belongs to another request.' });
    }
    // A process that died here may have called: never twice.
    if (before?.answer === null) return refuse('CALL_IN_PROGRESS', { detail: 'Idempotency-Key' });
    if (before !== null) return readAnswer(before.answer);
    const answer = await this.#call(caller, body);
    const kept = 'code' in answer ? null : JSON.stringify(answer);
    await credentials.answer(id, kept).catch(onError);
    return answer;
  }

  async #call(caller: Caller, body: Uint8Array): Promise<ClickToCallAnswer> {
    try {
      const { agent, credentials } = caller;
      const wanted = await this.#read(caller, body);
      if ('code' in wanted) return wanted;
      return credentials.isTest
        ? await this.#simulate(agent, wanted)
        : await this.#reserveAndDial(agent, wanted);
    } catch (error) {
      this.#options.onError(error);
      return refuse('CALL_FAILED', { reason: 'internal' });
    }
  }

  /** Counted and reserved like no other: it never comes out of this house. */
  async #simulate(agent: StoredAgent, wanted: Wanted): Promise<ClickToCallAnswer> {
    const dialed = await this.#options.simulate(requestOf(agent, wanted));
    if (!dialed.accepted) return refusalOf(dialed.reason);
    const warnings = [SIMULATED_WARNING, ...wanted.warnings];
    return { callId: dialed.record.id, warnings };
  }

  /** Test credentials need no trunk: their numbers are only read. */
  async #preview(phone: string, { agent, credentials }: Caller): Promise<DialPreviewReply> {
    if (!credentials.isTest) {
      const { id: agentId, workspaceId } = agent;
      const wanted = { workspaceId, agentId, toNumber: phone, fromNumber: null };
      return this.#options.calls().previewDial(wanted);
    }
    const to = phone.replaceAll(/[ ().\-/]/g, '');
    const isNumber = /^\+[1-9][0-9]{6,14}$/.test(to);
    return isNumber
      ? { accepted: true, from: '', to }
      : { accepted: false, reason: 'NUMBER_MALFORMED' };
  }

  async #read(caller: Caller, body: Uint8Array): Promise<Wanted | ClickToCallRefusal> {
    const parsed = parseBody(body);
    if (parsed === null) return refuse('INVALID_BODY', { detail: 'Send a JSON object.' });
    const { phone } = parsed;
    if (typeof phone !== 'string' || !isLongEnough(phone)) return refuse('INVALID_NUMBER');
    const preview = await this.#preview(phone, caller);
    if (!preview.accepted && preview.reason === 'NUMBER_MALFORMED') return refuse('INVALID_NUMBER');
    const given = readVariables(parsed.variables);
    if (given === null) {
      return refuse('INVALID_VARIABLES', { detail: 'variables is no object.', variables: [] });
    }
    const { variables, reserved, invalid } = given;
    const { agent } = caller;
    const { isStrict, isSignatureOff, allowedPrefixes } = agent.clickToCall;
    const wrong = isStrict ? [...invalid, ...reserved] : invalid;
    if (wrong.length > 0) return wrongVariables('cannot be used', wrong);
    const missing = missingInScript(agent, variables);
    if (missing.length > 0) return wrongVariables('needed by the script and not given', missing);
    if (!preview.accepted) return refusalOf(preview.reason);
    const { to: number } = preview;
    const isListed = allowedPrefixes.some((prefix) => number.startsWith(prefix));
    if (allowedPrefixes.length > 0 && !isListed) return refuse('DESTINATION_NOT_ALLOWED');
    const warnings = reserved.map((name) => `The variable "${name}" is reserved and was ignored.`);
    if (isSignatureOff) warnings.unshift(UNSIGNED_WARNING);
    return { phone, number, variables, warnings };
  }

  async #reserveAndDial(agent: StoredAgent, wanted: Wanted): Promise<ClickToCallAnswer> {
    const { credentials, nowMs, onError } = this.#options;
    const reserved = agent.clickToCall.isOneAtATime ? null : wanted.number;
    if (!(await credentials.reserve(agent.id, reserved, nowMs()))) {
      return refuse('CALL_IN_PROGRESS');
    }
    let callId: string | null = null;
    try {
      const answer = await this.#countAndDial(agent, wanted);
      if (!('code' in answer)) callId = answer.callId;
      return answer;
    } finally {
      // From here on the call itself holds the number, until it ends.
      await credentials.settle(agent.id, reserved, callId).catch(onError);
    }
  }

  async #countAndDial(agent: StoredAgent, wanted: Wanted): Promise<ClickToCallAnswer> {
    const { dailyCalls, calls, nowMs, onError } = this.#options;
    const { callsPerDayMax, isSignatureOff } = agent.clickToCall;
    const dailyMax = callsPerDayMax ?? (isSignatureOff ? UNSIGNED_CALLS_PER_DAY_MAX : null);
    const day = dayOf(nowMs());
    const counted = await dailyCalls.take(`click-to-call ${agent.id}`, day, dailyMax);
    if (counted === null) {
      const retryAfterSeconds = secondsToMidnight(nowMs());
      return refuse('TOO_OFTEN', { detail: 'calls a day', retryAfterSeconds });
    }
    let dialed: DialCallReply | null = null;
    try {
      dialed = await calls().dial(requestOf(agent, wanted));
    } finally {
      await (dialed?.accepted === true ? counted.keep() : counted.giveBack()).catch(onError);
    }
    if (!dialed.accepted) return refusalOf(dialed.reason);
    return { callId: dialed.record.id, warnings: wanted.warnings };
  }
}

const SIMULATED_WARNING = 'These are test credentials: the call is simulated and rings nowhere.';
const UNSIGNED_WARNING =
  'Signature verification is disabled: whoever has the API token can have this agent call.';

function requestOf(agent: StoredAgent, { phone, variables }: Wanted): DialCallRequest {
  return {
    workspaceId: agent.workspaceId,
    agentId: agent.id,
    toNumber: phone,
    fromNumber: null,
    variables,
    door: 'click-to-call',
  };
}

function refusalOf(
  reason: Extract<DialCallReply, { accepted: false }>['reason'],
): ClickToCallRefusal {
  const full = { reason: 'capacity', retryAfterSeconds: RETRY_AFTER_SECONDS };
  switch (reason) {
    case 'agent-not-found':
      return refuse('INVALID_API_KEY');
    case 'agent-disabled':
      return refuse('AGENT_DISABLED');
    case 'TRUNK_NOT_FOUND':
      return refuse('AGENT_NOT_CONFIGURED', { detail: 'There is no trunk to call by.' });
    case 'CALLER_ID_NOT_ALLOWED':
      return refuse('AGENT_NOT_CONFIGURED', { detail: 'There is no number to call from.' });
    case 'NUMBER_MALFORMED':
    // Only numbers come this far.
    case 'callee-not-registered':
      return refuse('INVALID_NUMBER');
    case 'DESTINATION_NOT_ALLOWED':
      return refuse('DESTINATION_NOT_ALLOWED');
    case 'call-window-restricted':
      return refuse('CALL_FAILED', { reason: 'call-window' });
    case 'draining':
      return refuse('CALL_FAILED', { ...full, reason: 'draining' });
    case 'quota-exceeded':
      return refuse('CALL_FAILED', { reason: 'quota' });
    case 'spend-cap-reached':
      return refuse('CALL_FAILED', { reason: 'spend-cap' });
    case 'internal-error':
      return refuse('CALL_FAILED', { reason: 'internal' });
    case 'workspace-busy':
    case 'agent-busy':
    case 'at-capacity':
    case 'TRUNK_AT_CAPACITY':
      return refuse('CALL_FAILED', full);
    default:
      return assertNever(reason);
  }
}

function wrongVariables(what: string, variables: readonly string[]): ClickToCallRefusal {
  const detail = `${variables.join(', ').slice(0, 500)}: ${what}.`;
  return refuse('INVALID_VARIABLES', { detail, variables });
}

function tooOften(retryAfterMs: number): ClickToCallRefusal {
  return refuse('TOO_OFTEN', { retryAfterSeconds: Math.ceil(retryAfterMs / 1000) });
}

function parseBody(body: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMap ? { ...value } : null;
  } catch {
    return null;
  }
}

/** Shorter ones are services of a network, longer ones no numbers (E.164). */
function isLongEnough(phone: string): boolean {
  const digits = phone.replaceAll(/\D/g, '').length;
  return digits >= 7 && digits <= 17;
}

/** What we wrote ourselves. */
function readAnswer(json: string): ClickToCallAnswer {
  const { callId, warnings }: { callId: string; warnings: readonly string[] } = JSON.parse(json);
  return { callId, warnings };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
