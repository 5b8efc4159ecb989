import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { AddressGuard } from './address-guard.ts';

export interface WebhookClientOptions {
  /** Inner networks that events may go to. */
  readonly allowedNetworks: readonly string[];
  /** For the whole attempt. */
  readonly timeoutMs: number;
  /** How names become addresses. */
  readonly lookup?: typeof systemLookup;
}

/** What became of one request. */
export type PostResult = { readonly timeMs: number } & (
  | {
      readonly type: 'answered';
      readonly status: number;
      /** The server asks for so long a pause. */
      readonly retryAfterMs: number | null;
    }
  | { readonly type: 'failed'; readonly why: PostFailure }
);

export type PostFailure =
  /** The name or address leads into an inner network, or the address is no http address. */
  | 'address-not-allowed'
  | 'name-not-found'
  | 'timeout'
  | 'connection-refused'
  | 'connection-broken'
  | 'tls-failed'
  /** Of a request whose answer is read. */
  | 'answer-too-long';

/** What became of a request whose answer is read. */
export type AskResult =
  | { readonly type: 'answered'; readonly status: number; readonly text: string }
  | { readonly type: 'failed'; readonly why: PostFailure };

export interface AskOptions {
  readonly answerBytesMax: number;
  readonly signal: AbortSignal;
}

/** Of an answer; nobody reads it. */
const ANSWER_MAX_BYTES = 65_536;
const RETRY_AFTER_SECONDS_MAX = 3600;
const NOT_ALLOWED = 'WEBHOOK_ADDRESS_NOT_ALLOWED';

/**
 * Sends events. The name is resolved by the connection itself, which then goes to the very address
 * that was checked: there is no second look-up that could say something else.
 */
export class WebhookClient {
  readonly #guard: AddressGuard;
  readonly #agent: Agent;
  readonly #timeoutMs: number;

  constructor({ allowedNetworks, timeoutMs, lookup = systemLookup }: WebhookClientOptions) {
    this.#guard = new AddressGuard(allowedNetworks);
    this.#timeoutMs = timeoutMs;
    this.#agent = new Agent({
      connect: { timeout: timeoutMs, lookup: guarded(lookup, this.#guard) },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      keepAliveTimeout: 10_000,
      maxHeaderSize: 16_384,
    });
  }

  /** Never rejects. */
  async post(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
  ): Promise<PostResult> {
    const beganAtMs = performance.now();
    const timeMs = () => Math.round(performance.now() - beganAtMs);
    if (!this.#mayAsk(url)) return { type: 'failed', why: 'address-not-allowed', timeMs: timeMs() };
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      // undici follows no redirection unless it is told to.
      const answer = await request(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        dispatcher: this.#agent,
        signal,
      });
      const { statusCode: status } = answer;
      const retryAfterMs = retryAfterOf(answer.headers['retry-after']);
      const result = { type: 'answered', status, retryAfterMs, timeMs: timeMs() } as const;
      await answer.body.dump({ limit: ANSWER_MAX_BYTES, signal }).catch(() => {});
      return result;
    } catch (error) {
      const why = signal.aborted ? 'timeout' : failureOf(error);
      return { type: 'failed', why, timeMs: timeMs() };
    }
  }

  /** The same when somebody waits for what the server says. Never rejects. */
  async ask(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    { answerBytesMax, signal: dropped }: AskOptions,
  ): Promise<AskResult> {
    if (!this.#mayAsk(url)) return { type: 'failed', why: 'address-not-allowed' };
    const late = AbortSignal.timeout(this.#timeoutMs);
    try {
      const answer = await request(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        dispatcher: this.#agent,
        signal: AbortSignal.any([late, dropped]),
      });
      const text = await textOf(answer.body, answerBytesMax);
      if (text === null) return { type: 'failed', why: 'answer-too-long' };
      return { type: 'answered', status: answer.statusCode, text };
    } catch (error) {
      return { type: 'failed', why: late.aborted ? 'timeout' : failureOf(error) };
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Addresses are judged here, since nobody looks them up; names when they are connected to. */
  #mayAsk(text: string): boolean {
    if (!URL.canParse(text)) return false;
    const { protocol, username, password, hostname } = new URL(text);
    if (!['http:', 'https:'].includes(protocol) || username !== '' || password !== '') return false;
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    return isIP(host) === 0 || this.#guard.allows(host);
  }
}

/** One address that is not allowed spoils the name: it is not for us to choose the good one. */
function guarded(lookup: typeof systemLookup, guard: AddressGuard): LookupFunction {
  return (hostname, options, callback) => {
    const done = (error: NodeJS.ErrnoException | null, found: readonly LookupAddress[]) => {
      if (error !== null) return callback(error, '', 0);
      const [first] = found;
      if (first === undefined || !found.every(({ address }) => guard.allows(address))) {
        const refusal = Object.assign(new Error('the address is not allowed'), {
          code: NOT_ALLOWED,
        });
        return callback(refusal, '', 0);
      }
      if (options.all === true) callback(null, [...found]);
      else callback(null, first.address, first.family);
    };
    lookup(hostname, { ...options, all: true }, done);
  };
}

/** null: it is longer than that, and the rest is not read. */
async function textOf(body: AsyncIterable<Buffer>, bytesMax: number): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function failureOf(error: unknown): PostFailure {
  const code = codeOf(error);
  if (code === NOT_ALLOWED) return 'address-not-allowed';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA') return 'name-not-found';
  if (code === 'ECONNREFUSED' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') {
    return 'connection-refused';
  }
  if (/TIMEOUT|ETIMEDOUT/.test(code)) return 'timeout';
  return /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)
    ? 'tls-failed'
    : 'connection-broken';
}

/** The code of an error, or of the first of several addresses that were tried. */
function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if ('errors' in error && Array.isArray(error.errors)) return codeOf(error.errors[0]);
  return 'cause' in error ? codeOf(error.cause) : '';
}

function retryAfterOf(header: string | string[] | undefined): number | null {
  if (typeof header !== 'string' || !/^\d{1,6}$/.test(header)) return null;
  return Math.min(Number(header), RETRY_AFTER_SECONDS_MAX) * 1000;
}
