import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { parseMessage } from '../../../src/sip-engine/message/parse-message.ts';
import type {
  SipMessage,
  SipRequest,
  SipResponse,
} from '../../../src/sip-engine/message/message.ts';

const WAIT_MS = 5000;

/** A UDP user agent that does only what a test tells it: no timers, no manners. */
export class UserAgent {
  readonly #socket: Socket;
  readonly #inbox: SipMessage[] = [];
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (packet) => {
      this.#inbox.push(parseMessage(packet));
      this.#wake?.();
    });
  }

  static async open(): Promise<UserAgent> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new UserAgent(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(lines: readonly string[], to: { readonly port: number }, body = ''): void {
    const text = [...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
    this.#socket.send(text, to.port, '127.0.0.1');
  }

  /** The next message that fits; earlier ones that do not are dropped. */
  async next(fits: (message: SipMessage) => boolean): Promise<SipMessage> {
    const giveUp = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const found = this.#inbox.shift();
      if (found !== undefined && fits(found)) return found;
      if (found === undefined) await this.#arrival(giveUp);
    }
  }

  async response(status: number, method?: string): Promise<SipResponse> {
    const found = await this.next(
      (message) =>
        message.type === 'response' &&
        message.status === status &&
        (method ?? message.cseq.method) === message.cseq.method,
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

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #arrival(giveUp: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new Error('the awaited message did not come'));
      if (giveUp.aborted) return fail();
      giveUp.addEventListener('abort', fail, { once: true });
      this.#wake = () => {
        giveUp.removeEventListener('abort', fail);
        resolve();
      };
    });
  }
}
