import { Agent, request, type Dispatcher } from 'undici';
import { DialogueError } from '../dialogue-error.ts';
import { errorFromStatus } from './provider-error.ts';
import { SseParser, type SseEvent } from './sse-parser.ts';

/** Connections to one provider from one worker (one live reply each), and how long an idle one is kept. */
const CONNECTIONS_MAX = 256;
const KEEP_ALIVE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 5_000;
const ERROR_BODY_MAX = 65_536;
/** After the last event the server has this long to end its body; then the socket goes. */
const TRAILER_MS = 250;

const newPool = (): Agent =>
  new Agent({
    connections: CONNECTIONS_MAX,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    // A reply's pace is watched here, by what is said and not by what is sent.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

/** Shared by every call of a worker, so that a second reply needs no handshake. */
let pool = newPool();

/** Closes every connection to language model providers; a request after it opens new ones. */
export async function closeLlmConnections(): Promise<void> {
  const closing = pool;
  pool = newPool();
  await closing.destroy();
}

export interface EventRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly signal: AbortSignal;
  /** Longest wait for the first event, and between two. Comments do not count. */
  readonly timeoutMs: number;
  readonly onRequested?: () => void;
  /** Whether the events so far are the whole answer; the rest is then read unseen. */
  readonly isWhole: () => boolean;
}

/** Aborts when the caller does, or when nothing came for too long. */
class Patience {
  readonly #gate = new AbortController();
  readonly #caller: AbortSignal;
  readonly #timeoutMs: number;
  readonly #onAbort = (): void => this.#gate.abort();
  #timer: NodeJS.Timeout;
  isTimedOut = false;

  constructor(caller: AbortSignal, timeoutMs: number) {
    this.#caller = caller;
    this.#timeoutMs = timeoutMs;
    this.#timer = this.#start();
    caller.addEventListener('abort', this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#gate.signal;
  }

  /** Something came: wait as long again. */
  renew(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  /** The time that the consumer takes is not the provider's. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#caller.removeEventListener('abort', this.#onAbort);
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => {
      this.isTimedOut = true;
      this.#gate.abort();
    }, this.#timeoutMs);
  }
}

/**
 * Posts a request and yields the events of its answer. Ends without throwing when `signal`
 * aborts; the socket is closed at once then. Throws one `DialogueError`.
 */
export async function* requestEvents(options: EventRequest): AsyncGenerator<SseEvent, void> {
  if (options.signal.aborted) return;
  const patience = new Patience(options.signal, options.timeoutMs);
  let body: Dispatcher.ResponseData['body'] | null = null;
  try {
    const response = await post(options, patience);
    body = response.body;
    // An abort between two reads is seen by the next read; the event itself means nothing.
    body.on('error', () => {});
    await checkResponse(response);
    for await (const event of events(body, patience)) {
      if (options.signal.aborted) return;
      yield event;
      if (options.isWhole()) return;
    }
  } catch (error) {
    if (options.signal.aborted) return;
    throw toFailure(error, patience);
  } finally {
    patience.end();
    if (body !== null) leave(body, options.isWhole() && !options.signal.aborted);
  }
}

function post(options: EventRequest, patience: Patience): Promise<Dispatcher.ResponseData> {
  const sent = request(options.url, {
    dispatcher: pool,
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      ...options.headers,
    },
    body: JSON.stringify(options.body),
    signal: patience.signal,
  });
  options.onRequested?.();
  return sent;
}

async function checkResponse({
  statusCode,
  headers,
  body,
}: Dispatcher.ResponseData): Promise<void> {
  if (statusCode !== 200) {
    const retryAfter = headers['retry-after'];
    const text = await readText(body);
    throw errorFromStatus(statusCode, text, typeof retryAfter === 'string' ? retryAfter : null);
  }
  const type = String(headers['content-type'] ?? '');
  // Some servers send no type at all; HTML and plain JSON are surely no stream.
  if (type === '' || type.includes('event-stream') || type.includes('octet-stream')) return;
  const message = 'the language model provider answered with something other than an event stream';
  throw new DialogueError('LLM_BAD_RESPONSE', message, {
    facts: { contentType: type.slice(0, 80) },
  });
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    pieces.push(piece);
    length += piece.length;
    if (length >= ERROR_BODY_MAX) break;
  }
  return Buffer.concat(pieces).toString('utf8', 0, ERROR_BODY_MAX);
}

/** `for await` would destroy the body when left early; this leaves that to the caller. */
async function* events(
  body: Dispatcher.ResponseData['body'],
  patience: Patience,
): AsyncGenerator<SseEvent, void> {
  const parser = new SseParser();
  const pieces = body.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const piece: IteratorResult<Uint8Array, undefined> = await pieces.next();
      const complete = piece.done === true ? parser.end() : parser.push(piece.value);
      for (const event of complete) {
        patience.pause();
        yield event;
      }
      if (piece.done === true) return;
      if (complete.length > 0) patience.renew();
    }
  } finally {
    await pieces.return?.();
  }
}

/** Of a whole answer the last empty chunk is read, so that the connection serves again. */
function leave(body: Dispatcher.ResponseData['body'], isWhole: boolean): void {
  if (body.destroyed || body.readableEnded) return;
  if (!isWhole) {
    body.destroy();
    return;
  }
  const timer = setTimeout(() => body.destroy(), TRAILER_MS);
  body.once('close', () => clearTimeout(timer));
  body.resume();
}

function toFailure(error: unknown, patience: Patience): DialogueError {
  if (error instanceof DialogueError) return error;
  if (patience.isTimedOut) {
    const message = 'the language model provider took too long';
    return new DialogueError('LLM_TIMEOUT', message, { retryable: true });
  }
  if (error instanceof RangeError) {
    const message = 'the language model provider sent more than any reply may be';
    return new DialogueError('LLM_BAD_RESPONSE', message, { cause: error });
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'UND_ERR_ABORTED') {
    const message = 'the connection to the language model provider broke';
    return new DialogueError('LLM_STREAM_BROKEN', message, { retryable: true, cause: error });
  }
  const message = 'the language model provider cannot be reached';
  return new DialogueError('LLM_UNAVAILABLE', message, {
    retryable: true,
    cause: error,
    facts: { reason: code },
  });
}

/**
 * Opens a connection that the next reply will find ready. What the server answers does not
 * matter, and a failure will show again, and be reported, when a reply is asked for.
 */
export async function warmConnection(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
    const { body } = await request(url, {
      dispatcher: pool,
      method: 'HEAD',
      headers: { ...headers },
      signal: limit,
      // Or else undici closes the connection after a HEAD.
      reset: false,
    });
    await body.dump();
  } catch {
    // See above.
  }
}
