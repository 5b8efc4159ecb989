import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { networkOf } from '../guard/network-of.ts';
import { MESSAGE_BYTES_MAX } from '../message/parse-message.ts';
import type { HostPort } from './transport.ts';

/** An HTTP upgrade as the HTTP server hands it over: from now on the socket is ours. */
export interface WebSocketHandshake {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** Who asks: behind a trusted proxy not the other end of the socket. */
  readonly clientAddress: string;
  /** By TLS, ours or a trusted proxy's. */
  readonly isSecure: boolean;
}

export interface WebSocketAcceptorOptions {
  readonly connectionsMax: number;
  readonly connectionsPerSourceMax: number;
  /** Judges the Origin header; undefined comes from clients that are no browsers. */
  readonly isOriginAllowed: (origin: string | undefined, request: IncomingMessage) => boolean;
  /** Default: they come from anywhere. */
  readonly isSourceAllowed?: (address: string) => boolean;
}

/** Where a connection comes from and arrives; the port is that of its nearest hop. */
export interface WebSocketPlace {
  readonly local: HostPort;
  readonly remote: HostPort;
  readonly isSecure: boolean;
}

/** The subprotocol of RFC 7118 §4: who does not offer it does not speak SIP. */
export const SIP_SUBPROTOCOL = 'sip';
/** Our ping, and the time by which its pong, or anything else, must have come. */
const PING_MS = 30_000;

/** Turns upgrades into WebSockets: origin, subprotocol and numbers are judged before. */
export class WebSocketAcceptor {
  readonly #options: WebSocketAcceptorOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MESSAGE_BYTES_MAX,
    // Compression costs memory for each connection, and SIP frames are few and small.
    perMessageDeflate: false,
    handleProtocols: () => SIP_SUBPROTOCOL,
  });
  readonly #perSource = new Map<string, number>();
  #count = 0;
  #isClosed = false;

  constructor(options: WebSocketAcceptorOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** Answers the handshake; `onOpen` is called unless it was refused. */
  accept(
    handshake: WebSocketHandshake,
    onOpen: (connection: WebSocket, place: WebSocketPlace) => void,
  ): void {
    const { request, socket, head } = handshake;
    const refusal = this.#refusal(handshake);
    const place = placeOf(handshake);
    socket.on('error', () => {});
    if (refusal !== null || place === null) {
      refuseUpgrade(socket, refusal ?? 400);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (connection) => {
      this.#keep(connection, networkOf(handshake.clientAddress));
      onOpen(connection, place);
    });
  }

  /** Further upgrades get 503. */
  close(): void {
    this.#isClosed = true;
  }

  #refusal({ request, clientAddress }: WebSocketHandshake): number | null {
    const { connectionsMax, connectionsPerSourceMax, isOriginAllowed } = this.#options;
    if (this.#isClosed || this.#count >= connectionsMax) return 503;
    if (this.#options.isSourceAllowed?.(clientAddress) === false) return 403;
    if (!isOriginAllowed(request.headers.origin, request)) return 403;
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',');
    if (!offered.some((name) => name.trim().toLowerCase() === SIP_SUBPROTOCOL)) return 400;
    if ((this.#perSource.get(networkOf(clientAddress)) ?? 0) >= connectionsPerSourceMax) return 429;
    return null;
  }

  #keep(connection: WebSocket, source: string): void {
    this.#count += 1;
    this.#perSource.set(source, (this.#perSource.get(source) ?? 0) + 1);
    let wasHeard = true;
    const heard = () => (wasHeard = true);
    connection.on('pong', heard);
    connection.on('message', heard);
    // What goes wrong, as a frame too large, closes the connection by itself.
    connection.on('error', () => {});
    const timer = setInterval(() => {
      if (!wasHeard) connection.terminate();
      wasHeard = false;
      if (connection.readyState === connection.OPEN) connection.ping();
    }, PING_MS);
    timer.unref();
    connection.once('close', () => {
      clearInterval(timer);
      this.#count -= 1;
      const left = (this.#perSource.get(source) ?? 1) - 1;
      if (left > 0) this.#perSource.set(source, left);
      else this.#perSource.delete(source);
    });
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

/** Says no in HTTP, where there is no WebSocket yet. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  const line = `HTTP/1.1 ${status} ${REASONS[status] ?? 'Refused'}`;
  socket.end(`${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

function placeOf({ request, clientAddress, isSecure }: WebSocketHandshake): WebSocketPlace | null {
  const { localAddress, localPort, remotePort } = request.socket;
  if (localAddress === undefined || localPort === undefined || remotePort === undefined)
    return null;
  return {
    local: { address: plainAddress(localAddress), port: localPort },
    remote: { address: plainAddress(clientAddress), port: remotePort },
    isSecure,
  };
}

/** An IPv4 address in IPv6 form is an IPv4 address. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** What `ws` gives as a frame, as one buffer. */
export function frameBuffer(frame: RawData): Buffer {
  if (Buffer.isBuffer(frame)) return frame;
  return Array.isArray(frame) ? Buffer.concat(frame) : Buffer.from(frame);
}

const LINE_ENDS_MAX = 16;

/** Nothing but CR and LF: a keep-alive. */
export function isLineEnds(frame: Buffer): boolean {
  return frame.length <= LINE_ENDS_MAX && frame.every((octet) => octet === 13 || octet === 10);
}
