import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';

/** A request as it came. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly atMs: number;
  readonly event: ReceivedEvent;
}

/** The body, as far as tests look. */
export interface ReceivedEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly created_at: string;
  readonly payload: Readonly<Record<string, unknown>> & {
    readonly transcript?: readonly { readonly text: string }[];
    readonly duration_seconds?: number;
  };
}

/** What a path does with a request; until told, it answers 200. */
export type Behavior = (response: ServerResponse, received: Received) => void;

export const answering =
  (status: number, headers: Readonly<Record<string, string>> = {}): Behavior =>
  (response) =>
    response.writeHead(status, headers).end('{"received": true}');
/** Takes the request and says nothing. */
export const stalling: Behavior = () => {};
/** Breaks the connection in the middle of an answer. */
export const breaking: Behavior = (response) => {
  response.socket?.destroy();
};

/** An owner's server on loopback, that behaves as it is told. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  readonly behaviors = new Map<string, Behavior>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts).toString('utf8');
        const path = request.url ?? '';
        const { headers } = request;
        const event = JSON.parse(body);
        const received = { path, headers, body, atMs: Date.now(), event };
        this.received.push(received);
        (this.behaviors.get(path) ?? answering(200))(response, received);
      });
    });
  }

  static async listen(port = 0): Promise<WebhookReceiver> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new WebhookReceiver(server);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  at(path: string): readonly Received[] {
    return this.received.filter((one) => one.path === path);
  }

  /** Waits until a path has got what is wanted. */
  async until(
    path: string,
    what: string,
    holds: (received: readonly Received[]) => boolean,
    timeoutMs = 20_000,
  ): Promise<readonly Received[]> {
    const deadline = Date.now() + timeoutMs;
    while (!holds(this.at(path))) {
      if (Date.now() > deadline) {
        const seen = this.at(path).map(({ event }) => event.event_type);
        throw new Error(`not ${what} at ${path}: ${JSON.stringify(seen)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return this.at(path);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** As a receiver checks it: the HMAC of `timestamp.body`, not older than five minutes. */
export function isSignedBy(
  secret: string,
  { headers, body }: Received,
  { prefix = 'x-trunkline', header = 'signature' } = {},
): boolean {
  const timestamp = String(headers[`${prefix}-timestamp`]);
  const hmac = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  const isFresh = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300;
  return isFresh && headers[`${prefix}-${header}`] === `sha256=${hmac}`;
}
