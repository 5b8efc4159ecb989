import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** What the server does from now on. */
export type SmtpMood =
  | 'accepts'
  /** 550 to every recipient. */
  | 'refuses'
  /** 451 to every recipient. */
  | 'defers'
  /** Says nothing after its greeting. */
  | 'stalls'
  /** Closes the connection in the middle of a mail. */
  | 'breaks';

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body, as they came. */
  readonly text: string;
  readonly user: string | null;
}

/** Speaks SMTP as a server does, on loopback, without TLS. */
export class SmtpServer {
  readonly mails: ReceivedMail[] = [];
  mood: SmtpMood = 'accepts';
  /** Mails begun with MAIL FROM, sent or not. */
  attempts = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: ((mail: ReceivedMail) => void)[] = [];
  #given = 0;

  readonly #password: string | null;

  private constructor(password: string | null) {
    this.#password = password;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(options: { readonly password?: string } = {}): Promise<SmtpServer> {
    const server = new SmtpServer(options.password ?? null);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next mail that nobody was given yet. */
  async nextMail(): Promise<ReceivedMail> {
    const known = this.mails[this.#given];
    this.#given += 1;
    return known ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const say = (line: string) => void socket.write(`${line}\r\n`);
    const state = {
      from: '',
      to: [] as string[],
      data: null as string[] | null,
      user: null as string | null,
    };
    const command = (line: string): unknown => {
      const [verb = ''] = line.toUpperCase().split(/[ :]/);
      if (this.mood === 'stalls') return null;
      if (verb === 'EHLO')
        return say(this.#password === null ? '250 loopback' : '250-loopback\r\n250 AUTH PLAIN');
      if (verb === 'AUTH') {
        const [, user = '', password] = Buffer.from(line.slice(11), 'base64')
          .toString()
          .split('\0');
        if (password !== this.#password) return say('535 wrong');
        state.user = user;
        return say('235 welcome');
      }
      if (verb === 'MAIL') {
        this.attempts += 1;
        state.from = addressIn(line);
        state.to = [];
        return say('250 ok');
      }
      if (verb === 'RCPT') {
        if (this.mood === 'refuses') return say(`550 no such person ${addressIn(line)}`);
        if (this.mood === 'defers') return say(`451 later ${addressIn(line)}`);
        state.to.push(addressIn(line));
        return say('250 ok');
      }
      if (verb === 'DATA') {
        if (this.mood === 'breaks') return socket.destroy();
        state.data = [];
        return say('354 go on');
      }
      if (verb === 'QUIT') {
        say('221 bye');
        return socket.end();
      }
      return say(verb === 'RSET' || verb === 'NOOP' ? '250 ok' : '502 unknown');
    };
    let rest = '';
    socket.on('data', (bytes) => {
      rest += bytes.toString('utf8');
      for (let at = rest.indexOf('\r\n'); at >= 0; at = rest.indexOf('\r\n')) {
        const line = rest.slice(0, at);
        rest = rest.slice(at + 2);
        if (state.data === null) command(line);
        else if (line === '.') {
          const { from, to, user } = state;
          this.#take({ from, to: [...to], user, text: state.data.join('\n') });
          state.data = null;
          say('250 kept');
        } else state.data.push(line.startsWith('..') ? line.slice(1) : line);
      }
    });
    say('220 loopback');
  }

  #take(mail: ReceivedMail): void {
    this.mails.push(mail);
    this.#waiting.shift()?.(mail);
  }
}

function addressIn(line: string): string {
  return /<([^>]*)>/.exec(line)?.[1] ?? '';
}

/** The six digits that a mail carries. */
export function codeIn({ text }: Pick<ReceivedMail, 'text'>): string {
  const code = /^(\d{6}) is your code/m.exec(text)?.[1];
  if (code === undefined) throw new Error('there is no code in this mail');
  return code;
}
