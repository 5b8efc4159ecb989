import type { Socket } from 'node:net';
import { connectionFault } from './tls-peer.ts';
import { StreamError, StreamReader } from './stream-reader.ts';
import type { Flow, HostPort, TransportEvents } from './transport.ts';

export interface StreamFlowOptions {
  readonly protocol: 'tcp' | 'tls';
  readonly local: HostPort;
  readonly remote: HostPort;
  readonly peer: string | undefined;
  /** False while it connects, or shakes hands. */
  readonly isReady: boolean;
  readonly idleMs: number;
  readonly events: TransportEvents;
}

/** A message that stays unfinished this long ends its connection: nobody sends SIP that slowly. */
const UNFINISHED_MS = 30_000;
const CONNECT_MS = 10_000;
/** Unsent octets that one slow peer may make us hold. */
const UNSENT_BYTES_MAX = 1_048_576;
const PING = Buffer.from('\r\n\r\n');
const PONG = Buffer.from('\r\n');
/** RFC 5626 §4.4.1. */
const PONG_WITHIN_MS = 10_000;

/** One connection, TCP or TLS: messages in, messages out. What is sent while it connects waits. */
export class StreamFlow implements Flow {
  readonly protocol: 'tcp' | 'tls';
  readonly isReliable = true;
  readonly local: HostPort;
  readonly remote: HostPort;
  readonly peer: string | undefined;
  failure: string | undefined;
  readonly #socket: Socket;
  readonly #events: TransportEvents;
  readonly #reader = new StreamReader();
  readonly #connectTimer: NodeJS.Timeout | undefined;
  #unfinishedTimer: NodeJS.Timeout | undefined;
  #pongTimer: NodeJS.Timeout | undefined;
  /** Not all servers answer pings: silence says something only of one that did before. */
  #answersPings = false;

  constructor(socket: Socket, options: StreamFlowOptions) {
    this.#socket = socket;
    this.protocol = options.protocol;
    this.local = options.local;
    this.remote = options.remote;
    this.peer = options.peer;
    this.#events = options.events;
    socket.on('error', (error) => (this.failure ??= connectionFault(error)));
    socket.setTimeout(options.idleMs);
    socket.on('timeout', () => socket.destroy());
    if (!options.isReady) this.#connectTimer = setTimeout(() => this.#giveUp(), CONNECT_MS);
    const ready = options.protocol === 'tls' ? 'secureConnect' : 'connect';
    socket.once(ready, () => clearTimeout(this.#connectTimer));
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('end', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(this.#connectTimer);
      clearTimeout(this.#unfinishedTimer);
      clearTimeout(this.#pongTimer);
    });
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  send(packet: Buffer): void {
    if (!this.isOpen || packet.length === 0) return;
    if (this.#socket.writableLength > UNSENT_BYTES_MAX) {
      this.#socket.destroy();
      return;
    }
    this.#socket.write(packet);
  }

  /** Keeps the way open (RFC 5626 §3.5.1), and finds out when it is not. */
  ping(): void {
    this.send(PING);
    if (!this.#answersPings || this.#pongTimer !== undefined) return;
    this.#pongTimer = setTimeout(() => {
      this.failure ??= 'no answer to a keep-alive';
      this.#socket.destroy();
    }, PONG_WITHIN_MS);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #giveUp(): void {
    this.failure ??= 'no answer to the connection';
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    try {
      const { messages, pings, hasPong } = this.#reader.push(bytes);
      if (hasPong) this.#answersPings = true;
      // Whatever comes shows that the connection lives.
      clearTimeout(this.#pongTimer);
      this.#pongTimer = undefined;
      if (pings > 0) this.send(PONG);
      for (const message of messages) this.#events.onPacket(message, this);
      this.#watchUnfinished();
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#events.onStreamFault(error.rest, this);
      this.#socket.end();
      this.#socket.destroySoon();
    }
  }

  #watchUnfinished(): void {
    clearTimeout(this.#unfinishedTimer);
    if (this.#reader.pendingBytes === 0) return;
    this.#unfinishedTimer = setTimeout(() => this.#socket.destroy(), UNFINISHED_MS);
  }
}
