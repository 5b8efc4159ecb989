import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { MediaError } from './media-error.ts';

export interface PortRange {
  readonly min: number;
  readonly max: number;
}

/** Two bound sockets: RTP on an even port, RTCP on the one above it. */
export interface PortPair {
  readonly rtp: Socket;
  readonly rtcp: Socket;
  readonly port: number;
}

/** Each worker's own slice of the configured range; whole pairs, the last one takes no more. */
export function sliceOfPortRange(range: PortRange, index: number, count: number): PortRange {
  const first = range.min + (range.min % 2);
  const pairs = Math.floor((range.max + 1 - first) / 2);
  const from = Math.floor((pairs * index) / count);
  const to = Math.floor((pairs * (index + 1)) / count);
  return { min: first + from * 2, max: first + to * 2 - 1 };
}

/**
 * Hands out port pairs. A released pair stays bound and deaf for `drainMs`, so that late
 * packets of an old call reach nobody.
 */
export class PortPool {
  readonly #address: string;
  readonly #drainMs: number;
  readonly #first: number;
  readonly #pairs: number;
  readonly #taken = new Set<number>();
  readonly #draining = new Map<PortPair, NodeJS.Timeout>();
  #cursor: number;
  #isClosed = false;

  constructor(address: string, range: PortRange, drainMs: number) {
    this.#address = address;
    this.#drainMs = drainMs;
    this.#first = range.min + (range.min % 2);
    this.#pairs = Math.max(0, Math.floor((range.max + 1 - this.#first) / 2));
    this.#cursor = Math.floor(Math.random() * this.#pairs);
  }

  /** Pairs in use or draining. */
  get takenCount(): number {
    return this.#taken.size;
  }

  /** Throws `MEDIA_PORTS_EXHAUSTED` (retryable) or `MEDIA_SOCKET_FAILED`. */
  async acquire(): Promise<PortPair> {
    for (let tries = 0; tries < this.#pairs; tries += 1) {
      const port = this.#first + this.#cursor * 2;
      this.#cursor = (this.#cursor + 1) % this.#pairs;
      if (this.#taken.has(port)) continue;
      this.#taken.add(port);
      const pair = await this.#bindPair(port);
      if (pair !== null) return pair;
      this.#taken.delete(port);
    }
    throw new MediaError(
      'MEDIA_PORTS_EXHAUSTED',
      `all ${this.#pairs} media port pairs are in use`,
      {
        retryable: true,
        facts: { pairs: this.#pairs },
      },
    );
  }

  release(pair: PortPair): void {
    for (const socket of [pair.rtp, pair.rtcp]) {
      socket.removeAllListeners('message');
      socket.removeAllListeners('error');
      // A late ICMP error on a draining port concerns nobody.
      socket.on('error', () => {});
      socket.unref();
    }
    if (this.#isClosed || this.#drainMs === 0) {
      this.#close(pair);
      return;
    }
    const timer = setTimeout(() => this.#close(pair), this.#drainMs);
    timer.unref();
    this.#draining.set(pair, timer);
  }

  /** Closes what drains; pairs in use close when they are released. */
  close(): void {
    this.#isClosed = true;
    for (const pair of this.#draining.keys()) this.#close(pair);
  }

  #close(pair: PortPair): void {
    clearTimeout(this.#draining.get(pair));
    this.#draining.delete(pair);
    this.#taken.delete(pair.port);
    pair.rtp.close();
    pair.rtcp.close();
  }

  /** Null when somebody else has one of both ports. */
  async #bindPair(port: number): Promise<PortPair | null> {
    const rtp = await bindSocket(this.#address, port);
    if (rtp === null) return null;
    try {
      const rtcp = await bindSocket(this.#address, port + 1);
      if (rtcp !== null) return { rtp, rtcp, port };
    } catch (error) {
      rtp.close();
      throw error;
    }
    rtp.close();
    return null;
  }
}

/**
 * Addresses are always literal: without this, every `send` would go through a resolver's tick.
 * dgram does not look at the family.
 */
function lookupLiteral(
  host: string,
  _options: unknown,
  done: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  done(null, host, 4);
}

function bindSocket(address: string, port: number): Promise<Socket | null> {
  const type = isIPv6(address) ? 'udp6' : 'udp4';
  const socket = createSocket({ type, lookup: lookupLiteral });
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(null);
      else {
        const message = `cannot bind a media socket: ${error.code ?? error.message}`;
        reject(new MediaError('MEDIA_SOCKET_FAILED', message, { cause: error }));
      }
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
