import { connect, createServer, type Server, Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { networkOf } from '../guard/network-of.ts';
import { SipEngineError } from '../engine-error.ts';
import { StreamFlow } from './stream-flow.ts';
import { connectTls, type FindTlsPeer, TLS_MIN_VERSION } from './tls-peer.ts';
import type { Flow, HostPort, Place, Transport, TransportEvents } from './transport.ts';

export interface StreamTransportOptions {
  readonly host: string;
  readonly port: number;
  readonly advertise: (bound: HostPort, remote: HostPort) => HostPort;
  readonly events: TransportEvents;
  readonly connectionsMax: number;
  readonly connectionsPerSourceMax: number;
  /** A connection without traffic is closed after this. */
  readonly idleMs: number;
}

/** PEM texts: a certificate with its chain, and its key. */
export interface TlsCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface TlsTransportOptions extends StreamTransportOptions {
  /** Null: nobody can connect to us, but we can connect to others. */
  readonly certificate: TlsCertificate | null;
  readonly findPeer: FindTlsPeer;
}

/** For the handshake of who connects to us. */
const HANDSHAKE_MS = 10_000;

/** SIP over TCP, RFC 3261 §18. Resolves once listening. */
export async function openTcpTransport(options: StreamTransportOptions): Promise<Transport> {
  const server = createServer({ noDelay: true, keepAlive: true });
  const bound = await listen(server, options, 'TCP');
  return new StreamTransport({
    ...options,
    protocol: 'tcp',
    server,
    bound,
    connect: ({ address, port }) => connect({ host: address, port }),
  });
}

/** The same over TLS; the certificate of its listener can be replaced while it runs. */
export interface TlsTransport extends Transport {
  /** Throws when it cannot be used; the former stays then. */
  setCertificate(certificate: TlsCertificate): void;
}

/** SIP over TLS, RFC 3261 §26.2.1 and RFC 5922. Resolves once listening. */
export async function openTlsTransport(options: TlsTransportOptions): Promise<TlsTransport> {
  const { certificate, host, port, findPeer } = options;
  const server = certificate === null ? null : tlsServer(certificate);
  const bound = server === null ? { address: host, port } : await listen(server, options, 'TLS');
  const transport = new StreamTransport({
    ...options,
    protocol: 'tls',
    server,
    bound,
    connect: (place) => connectTls(place, findPeer),
  });
  return Object.assign(transport, {
    setCertificate: (next: TlsCertificate) => server?.setSecureContext(secure(next)),
  });
}

const secure = ({ cert, key }: TlsCertificate) =>
  ({ cert, key, minVersion: TLS_MIN_VERSION }) as const;

function tlsServer(certificate: TlsCertificate): TlsServer {
  try {
    const common = { noDelay: true, keepAlive: true, handshakeTimeout: HANDSHAKE_MS };
    return createTlsServer({ ...secure(certificate), ...common });
  } catch (cause) {
    throw new SipEngineError('SIP_TLS_CERTIFICATE', 'the TLS certificate cannot be used', {
      cause,
    });
  }
}

async function listen(
  server: Server,
  { host, port }: StreamTransportOptions,
  name: string,
): Promise<HostPort> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(new SipEngineError('SIP_LISTEN_FAILED', `cannot listen on ${name}`, { cause }));
    server.once('error', fail);
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', fail);
      resolve();
    });
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new TypeError(`no ${name} address`);
  return { address: bound.address, port: bound.port };
}

interface Wiring extends StreamTransportOptions {
  readonly protocol: 'tcp' | 'tls';
  readonly server: Server | null;
  readonly bound: HostPort;
  readonly connect: (place: Place) => Socket;
}

/** Connections of both directions; one that is open is used again. */
class StreamTransport implements Transport {
  readonly protocol: 'tcp' | 'tls';
  readonly bound: HostPort;
  readonly isListening: boolean;
  readonly #options: Wiring;
  readonly #flows = new Map<string, StreamFlow>();
  /** Accepted sockets, those that still shake hands too. */
  readonly #accepted = new Set<Socket>();
  readonly #perSource = new Map<string, number>();

  constructor(options: Wiring) {
    const { server, protocol } = options;
    this.#options = options;
    this.protocol = protocol;
    this.bound = options.bound;
    this.isListening = server !== null;
    // Before TLS sees them: who may not connect costs no handshake.
    server?.prependListener('connection', (socket) => this.#admit(socket));
    const event = protocol === 'tls' ? 'secureConnection' : 'connection';
    server?.on(event, (socket: Socket) => this.#accept(socket));
    server?.on('tlsClientError', () => {});
    server?.on('error', () => {});
  }

  flowTo(place: Place): Flow {
    const { protocol, advertise } = this.#options;
    const { address, port, peer } = place;
    const known = this.#flows.get(placeKey(place, peer));
    if (known?.isOpen === true) return known;
    const socket = this.#connect(place);
    const remote = { address, port };
    return this.#adopt(socket, {
      protocol,
      remote,
      peer,
      local: advertise(this.bound, remote),
      isReady: false,
    });
  }

  keepAlive(place: Place): boolean {
    const known = this.#flows.get(placeKey(place, place.peer));
    if (known?.isOpen !== true) return false;
    known.ping();
    return true;
  }

  async close(): Promise<void> {
    const { server } = this.#options;
    for (const flow of this.#flows.values()) flow.destroy();
    for (const socket of this.#accepted) socket.destroy();
    if (server?.listening !== true) return;
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** Settings that cannot be used fail as a connection does: later, and with a cause. */
  #connect(place: Place): Socket {
    try {
      const socket = this.#options.connect(place);
      socket.setNoDelay(true);
      return socket;
    } catch (error) {
      const socket = new Socket();
      setImmediate(() => socket.destroy(error instanceof Error ? error : new Error(String(error))));
      return socket;
    }
  }

  #admit(socket: Socket): void {
    const address = plain(socket.remoteAddress);
    const { connectionsMax, connectionsPerSourceMax, events } = this.#options;
    socket.on('error', () => {});
    const source = networkOf(address);
    const count = this.#perSource.get(source) ?? 0;
    const isCrowded = this.#flows.size >= connectionsMax || count >= connectionsPerSourceMax;
    if (address === '' || isCrowded || !events.isSourceAllowed(address)) {
      socket.destroy();
      return;
    }
    this.#accepted.add(socket);
    this.#perSource.set(source, count + 1);
    socket.once('close', () => {
      this.#accepted.delete(socket);
      const left = (this.#perSource.get(source) ?? 1) - 1;
      if (left > 0) this.#perSource.set(source, left);
      else this.#perSource.delete(source);
    });
  }

  #accept(socket: Socket): void {
    const { remotePort, destroyed } = socket;
    if (destroyed || remotePort === undefined) return;
    const { protocol, advertise } = this.#options;
    const remote = { address: plain(socket.remoteAddress), port: remotePort };
    const local = advertise(this.bound, remote);
    this.#adopt(socket, { protocol, remote, local, peer: undefined, isReady: true });
  }

  #adopt(
    socket: Socket,
    facts: {
      readonly protocol: 'tcp' | 'tls';
      readonly remote: HostPort;
      readonly local: HostPort;
      readonly peer: string | undefined;
      readonly isReady: boolean;
    },
  ): StreamFlow {
    const { idleMs, events } = this.#options;
    const key = placeKey(facts.remote, facts.peer);
    const flow = new StreamFlow(socket, { ...facts, idleMs, events });
    this.#flows.set(key, flow);
    socket.once('close', () => {
      if (this.#flows.get(key) === flow) this.#flows.delete(key);
      events.onFlowClosed(flow);
    });
    return flow;
  }
}

function placeKey({ address, port }: HostPort, peer: string | undefined): string {
  return `${address}|${port}|${peer ?? ''}`;
}

const plain = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/, '');
