import { connect, createServer, type Server, type Socket } from 'node:net';
import { SipEngineError } from '../engine-error.ts';
import { StreamError, StreamReader } from './stream-reader.ts';
import type { Flow, HostPort, Transport, TransportEvents } from './transport.ts';

export interface TcpTransportOptions {
  readonly host: string;
  readonly port: number;
  readonly advertise: (bound: HostPort, remote: HostPort) => HostPort;
  readonly events: TransportEvents;
  readonly connectionsMax: number;
  readonly connectionsPerSourceMax: number;
  /** A connection without traffic is closed after this. */
  readonly idleMs: number;
}

/** A message that stays unfinished this long ends its connection: nobody sends SIP that slowly. */
const UNFINISHED_MS = 30_000;
const CONNECT_MS = 10_000;
/** Unsent octets that one slow peer may make us hold. */
const UNSENT_BYTES_MAX = 1_048_576;
const PONG = Buffer.from('\r\n');

/** SIP over TCP, RFC 3261 §18. Resolves once listening. */
export async function openTcpTransport(options: TcpTransportOptions): Promise<Transport> {
  const server = createServer({ noDelay: true, keepAlive: true });
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(new SipEngineError('SIP_LISTEN_FAILED', 'cannot listen on TCP', { cause }));
    server.once('error', fail);
    server.listen({ host: options.host, port: options.port, exclusive: true }, () => {
      server.off('error', fail);
      resolve();
    });
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new TypeError('no TCP address');
  return new TcpTransport(server, { address: bound.address, port: bound.port }, options);
}

class TcpTransport implements Transport {
  readonly protocol = 'tcp';
  readonly bound: HostPort;
  readonly #server: Server;
  readonly #options: TcpTransportOptions;
  readonly #connections = new Map<string, TcpFlow>();
  readonly #perSource = new Map<string, number>();

  constructor(server: Server, bound: HostPort, options: TcpTransportOptions) {
    this.#server = server;
    this.bound = bound;
    this.#options = options;
    server.on('connection', (socket) => this.#accept(socket));
    server.on('error', () => {});
  }

  flowTo(remote: HostPort): Flow {
    const known = this.#connections.get(placeKey(remote));
    if (known?.isOpen === true) return known;
    const socket = connect({ host: remote.address, port: remote.port, timeout: CONNECT_MS });
    socket.setNoDelay(true);
    return this.#adopt(socket, remote);
  }

  async close(): Promise<void> {
    for (const flow of this.#connections.values()) flow.destroy();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    socket.on('error', () => {});
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    const address = remoteAddress.replace(/^::ffff:/, '');
    const { connectionsMax, connectionsPerSourceMax, events } = this.#options;
    const isCrowded =
      this.#connections.size >= connectionsMax ||
      (this.#perSource.get(address) ?? 0) >= connectionsPerSourceMax;
    if (isCrowded || !events.isSourceAllowed(address)) {
      socket.destroy();
      return;
    }
    this.#adopt(socket, { address, port: remotePort });
  }

  #adopt(socket: Socket, remote: HostPort): TcpFlow {
    const key = placeKey(remote);
    const local = this.#options.advertise(this.bound, remote);
    const flow = new TcpFlow(socket, {
      local,
      remote,
      idleMs: this.#options.idleMs,
      events: this.#options.events,
    });
    this.#connections.set(key, flow);
    this.#perSource.set(remote.address, (this.#perSource.get(remote.address) ?? 0) + 1);
    socket.once('close', () => {
      if (this.#connections.get(key) === flow) this.#connections.delete(key);
      const left = (this.#perSource.get(remote.address) ?? 1) - 1;
      if (left > 0) this.#perSource.set(remote.address, left);
      else this.#perSource.delete(remote.address);
      this.#options.events.onFlowClosed(flow);
    });
    return flow;
  }
}

function placeKey({ address, port }: HostPort): string {
  return `${address}|${port}`;
}

interface TcpFlowOptions {
  readonly local: HostPort;
  readonly remote: HostPort;
  readonly idleMs: number;
  readonly events: TransportEvents;
}

class TcpFlow implements Flow {
  readonly protocol = 'tcp';
  readonly isReliable = true;
  readonly local: HostPort;
  readonly remote: HostPort;
  readonly #socket: Socket;
  readonly #events: TransportEvents;
  readonly #reader = new StreamReader();
  #unfinishedTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, options: TcpFlowOptions) {
    this.#socket = socket;
    this.local = options.local;
    this.remote = options.remote;
    this.#events = options.events;
    socket.on('error', () => {});
    socket.on('connect', () => socket.setTimeout(options.idleMs));
    if (!socket.connecting) socket.setTimeout(options.idleMs);
    socket.on('timeout', () => socket.destroy());
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('end', () => socket.destroy());
    socket.once('close', () => clearTimeout(this.#unfinishedTimer));
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

  destroy(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    try {
      const { messages, pings } = this.#reader.push(bytes);
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
