import { WebSocket } from 'ws';
import { MESSAGE_BYTES_MAX, readDraft, SipParseError } from '../message/parse-message.ts';
import {
  frameBuffer,
  isLineEnds,
  SIP_SUBPROTOCOL,
  WebSocketAcceptor,
  type WebSocketAcceptorOptions,
  type WebSocketHandshake,
} from './web-socket-acceptor.ts';

export interface WebSocketRelayOptions extends WebSocketAcceptorOptions {
  /** `ws://host:port` of the SIP server behind. */
  readonly target: string;
}

const CONNECT_MS = 5000;
/** Frames kept for a connection that is not there yet. */
const WAITING_FRAMES_MAX = 16;
const UNSENT_BYTES_MAX = 1_048_576;
/** Policy violation (RFC 6455 §7.4.1); and: the server behind is not there. */
const VIOLATION = 1008;
const UNAVAILABLE = 1013;

/**
 * Passes SIP over WebSocket on to a server that listens for it elsewhere, frame by frame.
 *
 * That server sees everybody come from here, which is an address it may trust, and tells us no
 * more of the transport than the Via does. So a request whose Via names another one ends its
 * connection: nobody gets in as something else than a WebSocket.
 */
export class WebSocketRelay {
  readonly #target: string;
  readonly #acceptor: WebSocketAcceptor;
  readonly #pairs = new Set<Pair>();

  constructor(options: WebSocketRelayOptions) {
    this.#target = options.target;
    this.#acceptor = new WebSocketAcceptor(options);
  }

  acceptWebSocket(handshake: WebSocketHandshake): void {
    this.#acceptor.accept(handshake, (client) => {
      const pair = new Pair(client, this.#target);
      this.#pairs.add(pair);
      client.once('close', () => this.#pairs.delete(pair));
    });
  }

  close(): void {
    this.#acceptor.close();
    for (const pair of this.#pairs) pair.cut();
  }
}

/** A client, and our connection to the server on its behalf. Each dies with the other. */
class Pair {
  readonly #client: WebSocket;
  readonly #server: WebSocket;
  #waiting: Buffer[] = [];

  constructor(client: WebSocket, target: string) {
    this.#client = client;
    this.#server = new WebSocket(target, SIP_SUBPROTOCOL, {
      handshakeTimeout: CONNECT_MS,
      maxPayload: MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
      followRedirects: false,
    });
    this.#server.on('error', () => {});
    this.#server.on('open', () => this.#flush());
    client.on('message', (data, isBinary) => this.#fromClient(frameBuffer(data), isBinary));
    this.#server.on('message', (data, isBinary) => pass(client, frameBuffer(data), isBinary));
    client.once('close', () => this.#server.close());
    this.#server.once('close', () => client.close(UNAVAILABLE));
  }

  cut(): void {
    this.#client.terminate();
    this.#server.terminate();
  }

  #fromClient(frame: Buffer, isBinary: boolean): void {
    if (!mayPass(frame)) {
      this.#client.close(VIOLATION, 'not SIP over WebSocket');
      this.#server.close();
      return;
    }
    if (this.#server.readyState === WebSocket.CONNECTING) {
      if (this.#waiting.length >= WAITING_FRAMES_MAX) this.#client.close(UNAVAILABLE);
      else this.#waiting.push(frame);
      return;
    }
    pass(this.#server, frame, isBinary);
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const frame of waiting) pass(this.#server, frame, false);
  }
}

function pass(to: WebSocket, frame: Buffer, isBinary: boolean): void {
  if (to.readyState !== WebSocket.OPEN) return;
  if (to.bufferedAmount > UNSENT_BYTES_MAX) to.terminate();
  else to.send(frame, { binary: isBinary }, () => {});
}

/** Line ends keep alive; answers bear the server's own Via; requests must say where they are. */
function mayPass(frame: Buffer): boolean {
  if (isLineEnds(frame)) return true;
  try {
    const { startLine, headers } = readDraft(frame, (rest) => rest);
    if (/^SIP\/2\.0 /i.test(startLine)) return true;
    const vias = headers.list('via');
    return vias.length > 0 && vias.every((via) => /^SIP\s*\/\s*2\.0\s*\/\s*WSS?\s/i.test(via));
  } catch (error) {
    if (error instanceof SipParseError) return false;
    throw error;
  }
}
