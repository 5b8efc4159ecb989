import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';

/** One frame from the application: the tokens of its leader, and the SIP message if it has one. */
export interface AppFrame {
  readonly id: string;
  readonly verb: string;
  readonly tokens: readonly string[];
  readonly sip: string;
}

/** What the engine says about a SIP message it delivers. */
export interface Delivery {
  readonly source?: 'network' | 'application';
  readonly transactionId?: string;
  readonly dialogId?: string;
}

const FRAMES_KEPT_MAX = 1_000;

/**
 * The engine's end of the drachtio wire protocol, with a test in place of the SIP stack: it
 * authenticates and takes routes by itself, and leaves every `sip` frame to the test. For what a
 * real engine cannot be made to do on command: races, silence, refusals, sudden death.
 */
export class ScriptedEngine {
  readonly secret: string;
  readonly routes: string[] = [];
  /** Connections taken since the start. */
  connectionCount = 0;
  /** Whether `ping` is answered. */
  answersPings = true;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #frames: AppFrame[] = [];
  readonly #readers: { matches: (frame: AppFrame) => boolean; take: (frame: AppFrame) => void }[] =
    [];

  private constructor(secret: string) {
    this.secret = secret;
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#serve(socket);
    });
  }

  static async listen(secret = 'a secret of the tests'): Promise<ScriptedEngine> {
    const engine = new ScriptedEngine(secret);
    engine.#server.listen(0, '127.0.0.1');
    await once(engine.#server, 'listening');
    return engine;
  }

  get address(): { host: string; port: number; secret: string } {
    const { port } = this.#server.address() as AddressInfo;
    return { host: '127.0.0.1', port, secret: this.secret };
  }

  /** The next SIP frame (or one that came already and nobody took) starting with this. */
  nextSip(startsWith: string): Promise<AppFrame> {
    const matches = (frame: AppFrame) => frame.verb === 'sip' && frame.sip.startsWith(startsWith);
    const index = this.#frames.findIndex(matches);
    if (index !== -1) return Promise.resolve(this.#frames.splice(index, 1)[0] as AppFrame);
    return new Promise((take) => {
      this.#readers.push({ matches, take });
    });
  }

  /** SIP frames that nobody took. */
  get leftovers(): readonly string[] {
    return this.#frames.map(({ sip }) => sip.split('\r\n', 1)[0] ?? '');
  }

  /** A message from the network, as text with any line ends. */
  deliver(message: string, { source, transactionId, dialogId }: Delivery = {}): void {
    const leader = `sip|${source ?? 'network'}|0|udp|192.0.2.77|5066|00:00:00.000000`;
    const ids = `${transactionId ?? randomUUID()}|${dialogId ?? ''}|127.0.0.1|5060|`;
    this.#send(`${leader}|${ids}\r\n${wire(message)}`);
  }

  /** Bytes as they are, right or wrong. */
  sendRaw(text: string): void {
    for (const socket of this.#sockets) socket.write(text);
  }

  /** Several messages in one TCP segment. */
  together(send: () => void): void {
    for (const socket of this.#sockets) socket.cork();
    send();
    for (const socket of this.#sockets) socket.uncork();
  }

  /** Says that a response of the application was sent, and in which dialog. */
  echo(frame: AppFrame, dialogId: string, sip: string = frame.sip): void {
    this.#echo(frame, `${frame.tokens[2] ?? ''}|${dialogId}||Msg sent:|`, sip);
  }

  /** Says that a request of the application was sent; its responses carry `transactionId`. */
  echoRequest(frame: AppFrame, transactionId: string, sip: string = frame.sip): void {
    this.#echo(frame, `${transactionId}|Msg sent:|`, sip);
  }

  #echo(frame: AppFrame, tail: string, sip: string): void {
    const head = `response|${frame.id}|OK|application|0|udp|127.0.0.1|5060|00:00:00.000000`;
    this.#send(`${head}|${tail}\r\n${sip}`);
  }

  /** Echoes a 2xx of ours to an INVITE, with the To tag and Contact an engine adds. */
  echoAnswer(frame: AppFrame, dialogId: string): void {
    const sip = frame.sip
      .replace(/^to: (.*)$/im, 'To: $1;tag=ours')
      .replace('\r\n\r\n', '\r\nContact: <sip:127.0.0.1:5060>\r\n\r\n');
    this.echo(frame, dialogId, sip);
  }

  refuse(frame: AppFrame, text: string): void {
    this.#send(`response|${frame.id}|NOK|${text}`);
  }

  /** Loses every connection at once, as a crash would. */
  crash(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.crash();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.connectionCount += 1;
    this.#sockets.add(socket);
    let buffered = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (bytes) => {
      buffered = Buffer.concat([buffered, bytes]);
      for (let hash = buffered.indexOf('#'); hash > 0; hash = buffered.indexOf('#')) {
        const end = hash + 1 + Number(buffered.toString('utf8', 0, hash));
        if (buffered.length < end) return;
        const payload = buffered.toString('utf8', hash + 1, end);
        buffered = buffered.subarray(end);
        this.#take(payload);
      }
    });
  }

  #take(payload: string): void {
    const [leader = ''] = payload.split('\r\n', 1);
    const tokens = leader.split('|');
    const [id = '', verb = ''] = tokens;
    const frame = { id, verb, tokens, sip: payload.slice(leader.length + 2) };
    if (verb === 'authenticate') this.#authenticate(id, tokens[2]);
    else if (verb === 'route') {
      this.routes.push(tokens[2] ?? '');
      this.#send(`response|${id}|OK`);
    } else if (verb === 'ping') {
      if (this.answersPings) this.#send(`response|${id}|OK|pong`);
    } else {
      const index = this.#readers.findIndex(({ matches }) => matches(frame));
      if (index !== -1) this.#readers.splice(index, 1)[0]?.take(frame);
      else if (this.#frames.length < FRAMES_KEPT_MAX) this.#frames.push(frame);
    }
  }

  #authenticate(id: string, secret: string | undefined): void {
    if (secret === this.secret) {
      this.#send(`response|${id}|OK|udp/127.0.0.1:5060|v0.9.9|udp/127.0.0.1:5060`);
      return;
    }
    this.#send(`response|${id}|NO|incorrect secret`);
    for (const socket of this.#sockets) socket.end();
  }

  #send(payload: string): void {
    const text = `${randomUUID()}|${payload}`;
    for (const socket of this.#sockets) socket.write(`${Buffer.byteLength(text)}#${text}`);
  }
}

/** Lines with CRLF, and the Content-Length the body really has. */
function wire(message: string): string {
  const text = message.replace(/\r?\n/g, '\r\n');
  const blank = text.indexOf('\r\n\r\n');
  const head = blank === -1 ? text.replace(/(\r\n)*$/, '') : text.slice(0, blank);
  const body = blank === -1 ? '' : text.slice(blank + 4);
  return `${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
