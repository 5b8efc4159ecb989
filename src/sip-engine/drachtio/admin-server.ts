import { randomUUID, timingSafeEqual, createHash } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { SipEngineError } from '../engine-error.ts';
import type { HostPort } from '../transport/transport.ts';
import { type AppPort, AppRoutes } from './app-port.ts';
import { type Frame, FrameReader } from './frame-reader.ts';

/** What the admin server needs of the engine. */
export interface AdminEvents {
  readonly routes: AppRoutes;
  onAuthenticated(app: AppPort): void;
  onSipFrame(app: AppPort, frame: Frame): void;
  /** Called once, and only for an application that had authenticated. */
  onGone(app: AppPort): void;
}

export interface AdminServerOptions {
  readonly secret: string;
  /** `udp/127.0.0.1:5060,…` as srf shows them. */
  readonly hostPorts: () => string;
  readonly events: AdminEvents;
}

export const ENGINE_VERSION = 'v0.9.11-trunkline';
const CONNECTIONS_MAX = 64;
const AUTHENTICATE_MS = 10_000;
/** Octets an application that does not read may make us hold. */
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;

/** The port that drachtio-srf connects to: always loopback, always authenticated. */
export class AdminServer {
  readonly #server: Server;
  readonly #connections = new Set<AppConnection>();

  private constructor(server: Server, options: AdminServerOptions) {
    this.#server = server;
    server.on('connection', (socket) => {
      if (this.#connections.size >= CONNECTIONS_MAX) {
        socket.destroy();
        return;
      }
      const connection = new AppConnection(socket, options);
      this.#connections.add(connection);
      socket.once('close', () => this.#connections.delete(connection));
    });
  }

  static async listen(options: AdminServerOptions): Promise<AdminServer> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(
          new SipEngineError('SIP_LISTEN_FAILED', 'cannot listen for applications', { cause }),
        ),
      );
      server.listen({ host: '127.0.0.1', port: 0 }, () => resolve());
    });
    return new AdminServer(server, options);
  }

  get address(): HostPort {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string')
      throw new TypeError('the admin port is closed');
    return { address: bound.address, port: bound.port };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }
}

class AppConnection implements AppPort {
  readonly #socket: Socket;
  readonly #options: AdminServerOptions;
  readonly #reader = new FrameReader();
  readonly #loginTimer: NodeJS.Timeout;
  #isAuthenticated = false;
  #isCorked = false;

  constructor(socket: Socket, options: AdminServerOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#loginTimer = setTimeout(() => socket.destroy(), AUTHENTICATE_MS);
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', () => {});
    socket.once('close', () => this.#closed());
  }

  send(leader: string, message?: Buffer): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (socket.writableLength > UNSENT_BYTES_MAX) {
      socket.destroy();
      return;
    }
    if (!this.#isCorked) {
      // Everything that one turn of the event loop produces leaves in one write.
      this.#isCorked = true;
      socket.cork();
      setImmediate(() => {
        this.#isCorked = false;
        socket.uncork();
      });
    }
    if (message === undefined) {
      socket.write(`${Buffer.byteLength(leader)}#${leader}`);
      return;
    }
    socket.write(`${Buffer.byteLength(leader) + 2 + message.length}#${leader}\r\n`);
    socket.write(message);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    try {
      for (const frame of this.#reader.push(bytes)) this.#handle(frame);
    } catch (error) {
      if (!(error instanceof SipEngineError)) throw error;
      this.#socket.destroy();
    }
  }

  #handle(frame: Frame): void {
    const [frameId = '', verb = '', argument = ''] = frame.tokens;
    if (verb === 'authenticate') return this.#authenticate(frameId, argument);
    if (!this.#isAuthenticated) return this.#refuse(frameId, 'not authenticated');
    switch (verb) {
      case 'sip':
        return this.#options.events.onSipFrame(this, frame);
      case 'route':
        this.#options.events.routes.add(this, argument.toLowerCase());
        return this.#acknowledge(frameId);
      case 'remove_route':
        this.#options.events.routes.remove(this, argument.toLowerCase());
        return this.#acknowledge(frameId);
      case 'ping':
        return this.#acknowledge(frameId, '|pong');
      case 'proxy':
        return this.send(`${randomUUID()}|response|${frameId}|NOK|proxy is not supported`);
      default:
        return this.#refuse(frameId, 'Unknown message type');
    }
  }

  #authenticate(frameId: string, secret: string): void {
    if (!isSame(secret, this.#options.secret)) return this.#refuse(frameId, 'incorrect secret');
    clearTimeout(this.#loginTimer);
    const places = this.#options.hostPorts();
    this.#acknowledge(frameId, `|${places}|${ENGINE_VERSION}|${places}`);
    if (this.#isAuthenticated) return;
    this.#isAuthenticated = true;
    this.#options.events.onAuthenticated(this);
  }

  #acknowledge(frameId: string, more = ''): void {
    this.send(`${randomUUID()}|response|${frameId}|OK${more}`);
  }

  #refuse(frameId: string, text: string): void {
    this.send(`${randomUUID()}|response|${frameId}|NO|${text}`);
    this.#socket.end();
  }

  #closed(): void {
    clearTimeout(this.#loginTimer);
    if (!this.#isAuthenticated) return;
    this.#isAuthenticated = false;
    this.#options.events.onGone(this);
  }
}

/** Compares digests, so that time tells nothing about the secret. */
function isSame(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}
