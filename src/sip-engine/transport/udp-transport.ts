import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { SipEngineError } from '../engine-error.ts';
import type { Flow, HostPort, Transport, TransportEvents } from './transport.ts';

export interface UdpTransportOptions {
  readonly host: string;
  readonly port: number;
  /** What Via and Contact say to that remote. */
  readonly advertise: (bound: HostPort, remote: HostPort) => HostPort;
  readonly events: TransportEvents;
}

const KEEP_ALIVE = Buffer.from('\r\n\r\n');
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** SIP over UDP, RFC 3261 §18. Resolves once bound. */
export async function openUdpTransport(options: UdpTransportOptions): Promise<Transport> {
  const socket = createSocket({
    type: isIPv6(options.host) ? 'udp6' : 'udp4',
    reuseAddr: false,
  });
  await bind(socket, options);
  const { address, port } = socket.address();
  const transport = new UdpTransport(socket, { address, port }, options);
  return transport;
}

function bind(socket: Socket, { host, port }: UdpTransportOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      socket.close();
      reject(new SipEngineError('SIP_LISTEN_FAILED', 'cannot listen on UDP', { cause }));
    };
    socket.once('error', fail);
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off('error', fail);
      growBuffer(socket);
      resolve();
    });
  });
}

/** A burst of calls must not be lost while the event loop is busy; a smaller buffer still works. */
function growBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch {
    return;
  }
}

class UdpTransport implements Transport {
  readonly protocol = 'udp';
  readonly isListening = true;
  readonly bound: HostPort;
  readonly #socket: Socket;
  readonly #options: UdpTransportOptions;
  #closed = false;

  constructor(socket: Socket, bound: HostPort, options: UdpTransportOptions) {
    this.#socket = socket;
    this.bound = bound;
    this.#options = options;
    socket.on('message', (packet, { address, port }) => {
      if (!options.events.isSourceAllowed(address)) return;
      options.events.onPacket(packet, this.flowTo({ address, port }));
    });
    // ECONNREFUSED and the like concern one datagram; timers deal with its loss.
    socket.on('error', () => {});
  }

  flowTo(remote: HostPort): Flow {
    const { bound } = this;
    return new UdpFlow(this.#options.advertise(bound, remote), remote, (packet) => {
      if (this.#closed || packet.length === 0) return;
      this.#socket.send(packet, remote.port, remote.address, ignoreLoss);
    });
  }

  keepAlive(remote: HostPort): boolean {
    this.flowTo(remote).send(KEEP_ALIVE);
    return true;
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

function ignoreLoss(): void {}

class UdpFlow implements Flow {
  readonly protocol = 'udp';
  readonly isReliable = false;
  readonly isOpen = true;
  readonly local: HostPort;
  readonly remote: HostPort;
  readonly send: (packet: Buffer) => void;

  constructor(local: HostPort, remote: HostPort, send: (packet: Buffer) => void) {
    this.local = local;
    this.remote = remote;
    this.send = send;
  }
}
