import { type Dispatcher, request } from 'undici';
import { SpeechError, type SpeechErrorCode } from '../speech-error.ts';

/** What is read of a refusal, to find its code. */
const ERROR_BYTES_MAX = 4096;
/** What is read of the list of models, which nobody looks at. */
const WARM_UP_BYTES_MAX = 256 * 1024;

export interface OpenAiEndpoint {
  /** Up to and including the version, e.g. `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Longest wait for the answer to begin, and between two pieces of it. */
  readonly timeoutMs: number;
  /** Connections shared by the calls of one worker. */
  readonly dispatcher: Dispatcher;
}

export interface OpenAiRequest {
  readonly path: string;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly signal: AbortSignal;
}

/**
 * Posts and gives the body of a 200. Throws a `SpeechError`; when `signal` aborted it throws
 * too, and the caller, who aborted it, looks at the signal first.
 */
export async function post(
  { baseUrl, apiKey, timeoutMs, dispatcher }: OpenAiEndpoint,
  { path, contentType, body, signal }: OpenAiRequest,
): Promise<Dispatcher.ResponseData['body']> {
  let response: Dispatcher.ResponseData;
  try {
    response = await request(`${baseUrl.replace(/\/+$/, '')}${path}`, {
      method: 'POST',
      dispatcher,
      signal,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      headers: { 'content-type': contentType, ...authorization(apiKey) },
      body: typeof body === 'string' ? body : Buffer.from(body),
    });
  } catch (err) {
    throw networkError(err);
  }
  if (response.statusCode === 200) return response.body;
  throw await refusal(response);
}

/** Servers at home often need no key. */
function authorization(apiKey: string): Record<string, string> {
  return apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` };
}

/** Reads a body that must not be longer than `bytesMax`. Throws a `SpeechError`. */
export async function readBounded(
  body: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of body) {
      length += piece.length;
      if (length > bytesMax) {
        throw new SpeechError('SPEECH_PROVIDER_MALFORMED', 'the answer is too long');
      }
      pieces.push(piece);
    }
  } catch (err) {
    throw networkError(err);
  }
  return Buffer.concat(pieces);
}

/** What undici throws, in our words. */
export function networkError(err: unknown): SpeechError {
  if (err instanceof SpeechError) return err;
  const code = err instanceof Error && 'code' in err ? String(err.code) : 'UNKNOWN';
  const isTimeout = code.includes('TIMEOUT');
  return new SpeechError(
    isTimeout ? 'SPEECH_PROVIDER_TIMEOUT' : 'SPEECH_PROVIDER_UNREACHABLE',
    isTimeout ? 'the provider did not answer in time' : 'the connection to the provider failed',
    { cause: err, retryable: true, facts: { cause: code } },
  );
}

async function refusal({ statusCode, body }: Dispatcher.ResponseData): Promise<SpeechError> {
  const isOverloaded = statusCode === 408 || statusCode === 429 || statusCode >= 500;
  let code: SpeechErrorCode = isOverloaded
    ? 'SPEECH_PROVIDER_OVERLOADED'
    : 'SPEECH_PROVIDER_REFUSED';
  const type = await errorType(body);
  // Out of money looks like too many requests, but waiting will not help.
  if (type === 'insufficient_quota') code = 'SPEECH_PROVIDER_REFUSED';
  return new SpeechError(code, `the provider answered ${statusCode}`, {
    retryable: code === 'SPEECH_PROVIDER_OVERLOADED',
    facts: { status: statusCode, type },
  });
}

/** `error.code` or `error.type` of the answer: a word, never its message, which may quote us. */
async function errorType(body: AsyncIterable<Uint8Array>): Promise<string | null> {
  try {
    const parsed: unknown = JSON.parse((await readBounded(body, ERROR_BYTES_MAX)).toString());
    if (typeof parsed !== 'object' || parsed === null || !('error' in parsed)) return null;
    const { error } = parsed;
    if (typeof error !== 'object' || error === null) return null;
    const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
    const type = 'type' in error && typeof error.type === 'string' ? error.type : null;
    return (code ?? type)?.slice(0, 64) ?? null;
  } catch {
    return null;
  }
}

/** Opens a connection ahead of the first request. Never throws. */
export async function connectAhead(endpoint: OpenAiEndpoint, signal: AbortSignal): Promise<void> {
  try {
    // Not HEAD: undici closes the connection after one.
    const { body } = await request(`${endpoint.baseUrl.replace(/\/+$/, '')}/models`, {
      method: 'GET',
      headers: authorization(endpoint.apiKey),
      dispatcher: endpoint.dispatcher,
      signal,
      headersTimeout: endpoint.timeoutMs,
      bodyTimeout: endpoint.timeoutMs,
    });
    await body.dump({ limit: WARM_UP_BYTES_MAX });
  } catch {
    // Whatever is wrong will show, with its reason, when the connection is needed.
  }
}
