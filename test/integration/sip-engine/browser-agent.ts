import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type {
  SipMessage,
  SipRequest,
  SipResponse,
} from '../../../src/sip-engine/message/message.ts';
import { parseMessage } from '../../../src/sip-engine/message/parse-message.ts';

const WAIT_MS = 5000;

/** A page's end of SIP over WebSocket that does only what a test tells it. */
export class BrowserAgent {
  readonly socket: WebSocket;
  readonly #inbox: Buffer[] = [];
  readonly #wakes = new Set<() => void>();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      this.#inbox.push(data);
      for (const wake of this.#wakes) wake();
    });
    socket.on('error', () => {});
  }

  /** Rejects with `Unexpected server response: 403` and the like. */
  static async open(
    url: string,
    options: { readonly origin?: string; readonly protocol?: string } = {},
  ): Promise<BrowserAgent> {
    const { origin, protocol = 'sip' } = options;
    const socket = new WebSocket(url, protocol, origin === undefined ? {} : { origin });
    const agent = new BrowserAgent(socket);
    await once(socket, 'open');
    return agent;
  }

  send(lines: readonly string[], body = '', binary = false): void {
    const text = [...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
    this.socket.send(Buffer.from(text), { binary });
  }

  /** The next frame as it came. */
  async frame(): Promise<Buffer> {
    const giveUp = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const found = this.#inbox.shift();
      if (found !== undefined) return found;
      await this.#arrival(giveUp);
    }
  }

  async next(fits: (message: SipMessage) => boolean): Promise<SipMessage> {
    for (;;) {
      const message = parseMessage(await this.frame());
      if (fits(message)) return message;
    }
  }

  async response(status?: number): Promise<SipResponse> {
    const found = await this.next(
      (message) =>
        message.type === 'response' &&
        message.status > 100 &&
        (status === undefined || message.status === status),
    );
    if (found.type !== 'response') throw new TypeError('not a response');
    return found;
  }

  async request(method: string): Promise<SipRequest> {
    const found = await this.next(
      (message) => message.type === 'request' && message.method === method,
    );
    if (found.type !== 'request') throw new TypeError('not a request');
    return found;
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }

  #arrival(giveUp: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#wakes.delete(wake);
        giveUp.removeEventListener('abort', fail);
        act();
      };
      const wake = (): void => settle(resolve);
      const fail = (): void => settle(() => reject(new Error('the awaited message did not come')));
      this.#wakes.add(wake);
      giveUp.addEventListener('abort', fail, { once: true });
    });
  }
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** An Authorization header for the MD5 challenge of a 401, worked out apart from the daemon. */
export function credentialsFor(
  challenge: SipResponse,
  asked: {
    readonly method: string;
    readonly uri: string;
    readonly username: string;
    readonly password: string;
  },
): string {
  const { method, uri, username, password } = asked;
  const line =
    challenge.headers.lines('www-authenticate').find((value) => value.includes('MD5')) ?? '';
  const realm = /realm="([^"]*)"/.exec(line)?.[1] ?? '';
  const nonce = /nonce="([^"]*)"/.exec(line)?.[1] ?? '';
  const key = md5(`${username}:${realm}:${password}`);
  const response = md5(`${key}:${nonce}:00000001:c:auth:${md5(`${method}:${uri}`)}`);
  return `Authorization: Digest username="${username}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"`;
}
