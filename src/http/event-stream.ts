import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { WorkspaceId } from '../model/ids.ts';
import { HttpError } from './errors.ts';

/** One server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export interface ServerSentEvent {
  /** Where a reader that was cut off goes on; one without is not counted. */
  readonly id?: number;
  /** Left out: `message`. */
  readonly name?: string;
  readonly data: object;
}

export interface EventStreamsOptions {
  readonly totalMax?: number;
  readonly perWorkspaceMax?: number;
  /** A comment so often keeps proxies from closing a silent stream. */
  readonly heartbeatMs?: number;
  /** Bytes that a reader may lag behind what happens; one that lags more is cut off. */
  readonly lagMaxBytes?: number;
}

const TOTAL_MAX = 500;
const PER_WORKSPACE_MAX = 100;
const HEARTBEAT_MS = 15_000;
const LAG_MAX_BYTES = 262_144;
const RETRY_AFTER_SECONDS = 5;
/** What a browser waits before it comes back. */
const RECONNECT_MS = 2000;

/**
 * The id of every stream's last event where none was counted, e.g. of a call that ended long ago:
 * above any other.
 */
export const LAST_ID = 1_000_000_000;

/** All streams of events that are open, of which there is a bounded number. */
export class EventStreams {
  readonly #options: Required<EventStreamsOptions>;
  readonly #open = new Map<EventStream, WorkspaceId>();

  constructor(options: EventStreamsOptions = {}) {
    this.#options = {
      totalMax: TOTAL_MAX,
      perWorkspaceMax: PER_WORKSPACE_MAX,
      heartbeatMs: HEARTBEAT_MS,
      lagMaxBytes: LAG_MAX_BYTES,
      ...options,
    };
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws `RATE_LIMITED` when too many are open, in all or of this workspace. */
  open(workspaceId: WorkspaceId): EventStream {
    const { totalMax, perWorkspaceMax, heartbeatMs, lagMaxBytes } = this.#options;
    const own = [...this.#open.values()].filter((id) => id === workspaceId).length;
    if (this.#open.size >= totalMax || own >= perWorkspaceMax) throw tooManyStreams();
    const stream = new EventStream(heartbeatMs, lagMaxBytes);
    this.#open.set(stream, workspaceId);
    stream.onClosed(() => this.#open.delete(stream));
    return stream;
  }

  /** Cuts every reader off, since the server stops. */
  closeAll(): void {
    for (const stream of this.#open.keys()) stream.cut();
  }
}

export function tooManyStreams(): HttpError {
  const retryAfterSeconds = RETRY_AFTER_SECONDS;
  return new HttpError('RATE_LIMITED', 'Too many streams are open.', { retryAfterSeconds });
}

/** Events on their way to one reader. Nobody waits for a slow one: it is cut off. */
export class EventStream {
  readonly #body: Readable;
  readonly #lagMaxBytes: number;
  readonly #heartbeat: NodeJS.Timeout;
  /** null: the past is being told, of which there is as much as there is. */
  #pastBytes: number | null = null;
  #isOver = false;

  constructor(heartbeatMs: number, lagMaxBytes: number) {
    this.#lagMaxBytes = lagMaxBytes;
    this.#body = new Readable({ read: () => {} });
    this.#body.push(`retry: ${RECONNECT_MS}\n\n`);
    this.#heartbeat = setInterval(() => this.#push(': still here\n\n'), heartbeatMs);
    this.onClosed(() => {
      this.#isOver = true;
      clearInterval(this.#heartbeat);
    });
  }

  /** The reader has got all, has gone, or was cut off. */
  onClosed(listener: () => void): void {
    this.#body.once('close', listener);
  }

  send({ id, name, data }: ServerSentEvent): void {
    const idLine = id === undefined ? '' : `id: ${id}\n`;
    const nameLine = name === undefined ? '' : `event: ${name}\n`;
    this.#push(`${idLine}${nameLine}data: ${JSON.stringify(data)}\n\n`);
  }

  /** All of the past was sent: from now on the reader must keep up. */
  caughtUp(): void {
    this.#pastBytes ??= this.#body.readableLength;
  }

  /** Nothing follows; what was sent is still read. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#heartbeat);
    this.#body.push(null);
  }

  /** Drops what was not read yet. */
  cut(): void {
    this.#body.destroy();
  }

  answer(reply: FastifyReply): FastifyReply {
    return reply
      .header('x-accel-buffering', 'no')
      .type('text/event-stream; charset=utf-8')
      .send(this.#body);
  }

  #push(text: string): void {
    if (this.#isOver) return;
    this.#body.push(text);
    if (this.#pastBytes === null) return;
    if (this.#body.readableLength > this.#pastBytes + this.#lagMaxBytes) this.cut();
  }
}

/** The last event that this reader has got; 0: it begins. */
export function lastEventIdOf({ headers }: FastifyRequest): number {
  const given = headers['last-event-id'] ?? '';
  if (given === '') return 0;
  if (typeof given !== 'string' || !/^\d{1,10}$/.test(given)) {
    throw new HttpError('INVALID_ARGUMENT', 'Last-Event-ID is not one of ours.');
  }
  return Number(given);
}
