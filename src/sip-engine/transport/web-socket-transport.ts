import { isUtf8 } from 'node:buffer';
import type { WebSocket } from 'ws';
import { TokenBuckets } from '../guard/token-buckets.ts';
import type { Flow, HostPort, TransportEvents } from './transport.ts';
import {
  frameBuffer,
  isLineEnds,
  WebSocketAcceptor,
  type WebSocketAcceptorOptions,
  type WebSocketHandshake,
  type WebSocketPlace,
} from './web-socket-acceptor.ts';

export interface WebSocketTransportOptions extends WebSocketAcceptorOptions {
  readonly advertise: (bound: HostPort, remote: HostPort) => HostPort;
  readonly events: Omit<TransportEvents, 'isSourceAllowed' | 'onStreamFault'>;
  /** A connection without a SIP message or keep-alive is closed after this. */
  readonly idleMs: number;
}

/** Unsent octets that one slow browser may make us hold. */
const UNSENT_BYTES_MAX = 1_048_576;
const GOODBYE_MS = 300;
const GOODBYE_POLL_MS = 10;
/** More is no person with a browser. */
const MESSAGES = { perSecond: 50, burst: 200, keysMax: 1 };
const PONG = '\r\n';

/**
 * SIP over WebSocket, RFC 7118, ws and wss alike. It has no listener: the HTTP server hands
 * upgrades over. It never connects: a browser is reached by the connection it made, or not.
 */
export class WebSocketTransport {
  readonly #options: WebSocketTransportOptions;
  readonly #acceptor: WebSocketAcceptor;
  readonly #flows = new Map<string, WebSocketFlow>();

  constructor(options: WebSocketTransportOptions) {
    this.#options = options;
    this.#acceptor = new WebSocketAcceptor(options);
  }

  get connections(): number {
    return this.#acceptor.count;
  }

  accept(handshake: WebSocketHandshake): void {
    this.#acceptor.accept(handshake, (connection, place) => this.#adopt(connection, place));
  }

  /** The open connection from that place. */
  flowTo(remote: HostPort): Flow | undefined {
    const flow = this.#flows.get(placeKey(remote));
    return flow?.isOpen === true ? flow : undefined;
  }

  /** Says 1001, going away, so that clients connect anew; who does not hear it is cut. */
  async close(): Promise<void> {
    this.#acceptor.close();
    for (const flow of this.#flows.values()) flow.end(1001);
    const endMs = performance.now() + GOODBYE_MS;
    while (this.#flows.size > 0 && performance.now() < endMs) {
      await new Promise<void>((resolve) => setTimeout(resolve, GOODBYE_POLL_MS));
    }
    for (const flow of this.#flows.values()) flow.destroy();
  }

  #adopt(connection: WebSocket, place: WebSocketPlace): void {
    const { advertise, events, idleMs } = this.#options;
    const local = advertise(place.local, place.remote);
    const flow = new WebSocketFlow(connection, { ...place, local, events, idleMs });
    const key = placeKey(place.remote);
    this.#flows.set(key, flow);
    connection.once('close', () => {
      if (this.#flows.get(key) === flow) this.#flows.delete(key);
      events.onFlowClosed(flow);
    });
  }
}

function placeKey({ address, port }: HostPort): string {
  return `${address}|${port}`;
}

interface WebSocketFlowOptions extends WebSocketPlace {
  readonly events: WebSocketTransportOptions['events'];
  readonly idleMs: number;
}

class WebSocketFlow implements Flow {
  readonly protocol: 'ws' | 'wss';
  readonly isReliable = true;
  readonly local: HostPort;
  readonly remote: HostPort;
  readonly #connection: WebSocket;
  readonly #events: WebSocketFlowOptions['events'];
  readonly #idleTimer: NodeJS.Timeout;
  readonly #messages = new TokenBuckets(MESSAGES);

  constructor(connection: WebSocket, options: WebSocketFlowOptions) {
    this.#connection = connection;
    this.protocol = options.isSecure ? 'wss' : 'ws';
    this.local = options.local;
    this.remote = options.remote;
    this.#events = options.events;
    this.#idleTimer = setTimeout(() => this.end(1000), options.idleMs);
    this.#idleTimer.unref();
    connection.on('message', (frame) => this.#receive(frameBuffer(frame)));
    connection.once('close', () => clearTimeout(this.#idleTimer));
  }

  get isOpen(): boolean {
    return this.#connection.readyState === this.#connection.OPEN;
  }

  /** One message, one frame (§4.1): a text frame where it is text, as most clients like it. */
  send(packet: Buffer): void {
    if (!this.isOpen || packet.length === 0) return;
    if (this.#connection.bufferedAmount > UNSENT_BYTES_MAX) {
      this.#connection.terminate();
      return;
    }
    this.#connection.send(packet, { binary: !isUtf8(packet) }, ignoreLoss);
  }

  destroy(): void {
    this.#connection.terminate();
  }

  /** Closes politely; `ws` cuts a connection whose other side does not, after half a minute. */
  end(code: number): void {
    this.#connection.close(code);
  }

  #receive(frame: Buffer): void {
    if (!this.isOpen) return;
    this.#idleTimer.refresh();
    // 1008: policy violation.
    if (!this.#messages.take('', performance.now())) return this.end(1008);
    if (!isLineEnds(frame)) {
      this.#events.onPacket(frame, this);
      return;
    }
    // RFC 5626 §3.5.1: two line ends are a ping, one is a pong.
    if (frame.length >= 4) this.#connection.send(PONG, ignoreLoss);
  }
}

function ignoreLoss(): void {}
