/** Transports of RFC 3261 §18 and RFC 7118. */
export type Protocol = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

export interface HostPort {
  readonly address: string;
  readonly port: number;
}

/** A place to connect to, and under what name it was found. */
export interface Place extends HostPort {
  /** As the URI named it, before it was resolved. */
  readonly host?: string;
  /** Whose settings of TLS apply: the application's name for the other side. */
  readonly peer?: string | undefined;
}

/**
 * Where a message came from, and the way back: one UDP remote, or one connection.
 * The engine compares flows by identity only for connections.
 */
export interface Flow {
  readonly protocol: Protocol;
  /** True for everything but UDP: no retransmissions. */
  readonly isReliable: boolean;
  /** What Via and Contact say: address and port under which this side can be reached. */
  readonly local: HostPort;
  readonly remote: HostPort;
  /** False once a connection is gone. */
  readonly isOpen: boolean;
  /** As `Place.peer`, where we connected. */
  readonly peer?: string | undefined;
  /** Why it was not made, or broke; for people. */
  readonly failure?: string | undefined;
  send(packet: Buffer): void;
  /** Cuts a connection; there is none to cut over UDP. */
  destroy?(): void;
}

/** What a transport tells the engine. */
export interface TransportEvents {
  onPacket(packet: Buffer, flow: Flow): void;
  /** A stream that cannot be read on: answer what can be answered, then it is closed. */
  onStreamFault(packet: Buffer, flow: Flow): void;
  /** A connection failed or was closed. Never called for UDP. */
  onFlowClosed(flow: Flow): void;
  /** Judged before a datagram is parsed or a connection accepted. */
  isSourceAllowed(address: string): boolean;
}

/** One listener. */
export interface Transport {
  readonly protocol: Protocol;
  /** As bound. */
  readonly bound: HostPort;
  /** False when it only connects. */
  readonly isListening: boolean;
  /** An open connection to that place, or a new one; for UDP just the way there. */
  flowTo(place: Place): Flow;
  /** Sends a keep-alive there; false when there is no connection that could be kept. */
  keepAlive(place: Place): boolean;
  close(): Promise<void>;
}

/** What the engine needs of all transports together. */
export interface Outbound {
  /** Undefined where there is no such transport, and for WebSockets that are not there. */
  flowTo(protocol: Protocol, place: Place): Flow | undefined;
  /** True when that is one of our own listeners. */
  isSelf(protocol: Protocol, remote: HostPort): boolean;
}

/** RFC 3263 §4: names to addresses, best first. Rejects when there is none. */
export interface Resolver {
  resolve(host: string, port: number | undefined, protocol: Protocol): Promise<readonly HostPort[]>;
}

export function defaultPort(protocol: Protocol): number {
  switch (protocol) {
    case 'ws':
      return 80;
    case 'wss':
      return 443;
    case 'tls':
      return 5061;
    default:
      return 5060;
  }
}

/** Browsers, softphones in pages: whatever address they come from, nobody vouches for it. */
export const isWebSocket = (protocol: Protocol): boolean => protocol === 'ws' || protocol === 'wss';
