import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';

/** A message as the carrier got it. */
export interface CarrierMessage {
  readonly startLine: string;
  readonly method: string | null;
  readonly status: number | null;
  readonly uri: string;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly sourcePort: number;
  readonly sourceAddress: string;
}

/** How the registrar behaves; each may be changed at any time. */
export interface RegistrarRules {
  user: string;
  password: string;
  realm: string;
  /** Challenges sent, in this order; empty: none. */
  algorithms: readonly ('MD5' | 'SHA-256' | 'SHA-512-256' | 'MD5-sess' | 'TIGER')[];
  /** 407 instead of 401. */
  isProxy: boolean;
  /** false: a server of RFC 2069. */
  hasQop: boolean;
  /** Call each nonce stale after so many uses. */
  nonceUsesMax: number;
  minExpiresSeconds: number;
  grantSeconds: number | null;
  /** Our address as it claims to see it, `host:port`. */
  seenAs: string | null;
  /** Every request is answered with this; null: as usual. */
  refuseWith: { readonly status: number; readonly headers?: readonly string[] } | null;
}

interface ReplyTo {
  send(text: string): void;
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly port: number;
  readonly address: string;
}

const HASHES: Record<string, string> = {
  MD5: 'md5',
  'MD5-sess': 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};

export const CARRIER_SDP =
  'v=0\r\no=- 7 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n';

/**
 * A SIP provider on loopback, over UDP and TCP on one port. It is written apart from the code
 * under test: plain strings, its own digest, no transactions but the repetition of answers.
 */
export class FakeCarrier extends EventEmitter {
  readonly requests: CarrierMessage[] = [];
  readonly rules: RegistrarRules = {
    user: 'ann',
    password: 'secret',
    realm: 'carrier.test',
    algorithms: ['MD5'],
    isProxy: false,
    hasQop: true,
    nonceUsesMax: Number.POSITIVE_INFINITY,
    minExpiresSeconds: 0,
    grantSeconds: null,
    seenAs: null,
    refuseWith: null,
  };
  /** Hears nothing and says nothing. */
  isSilent = false;
  /** INVITEs are challenged by the rules of the registrar. */
  challengesInvites = false;
  /** Answers OPTIONS with this. */
  optionsStatus = 200;
  /** What becomes of a call; until set, it rings for ever. */
  onInvite: (call: CarrierCall) => void = (call) => call.respond(180);
  /** Keep-alives as they came, by their transport. */
  readonly keepAlives: string[] = [];
  /** Answers those that come over connections. */
  answersPings = true;
  /** Answers to requests that were sent by hand. */
  onStray: (message: CarrierMessage) => void = () => {};
  /** Contact of the registered client, by its user; absent: not registered. */
  readonly bindings = new Map<string, string>();
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  #tls: TlsServer | null = null;
  readonly #sockets = new Set<Socket>();
  readonly #answers = new Map<string, string>();
  readonly #nonces = new Map<string, number>();
  readonly #calls = new Map<string, CarrierCall>();

  private constructor(udp: UdpSocket, tcp: Server) {
    super();
    this.setMaxListeners(100);
    this.#udp = udp;
    this.#tcp = tcp;
    udp.on('message', (data, { address, port }) => {
      if (/^(\r\n)+$/.test(data.toString('utf8'))) {
        this.#keptAlive('udp');
        return;
      }
      const send = (text: string) => udp.send(text, port, address, () => {});
      this.#receive(data.toString('utf8'), { transport: 'udp', address, port, send });
    });
    tcp.on('connection', (socket) => this.#serve(socket, 'tcp'));
  }

  /** @param address its own; loopback, or of a network that a test has made */
  static async listen(address = '127.0.0.1'): Promise<FakeCarrier> {
    for (;;) {
      const udp = createSocket('udp4');
      udp.bind(0, address);
      await once(udp, 'listening');
      const tcp = createServer();
      tcp.listen(udp.address().port, address);
      const isBound = await once(tcp, 'listening').then(
        () => true,
        // TCP has that port already: try another.
        () => false,
      );
      if (isBound) return new FakeCarrier(udp, tcp);
      udp.close();
    }
  }

  /** Listens by TLS too, on a port of its own; once more: with another certificate. */
  async listenTls(certificate: { readonly cert: string; readonly key: string }): Promise<number> {
    const { cert, key } = certificate;
    this.#tls?.setSecureContext({ cert, key });
    if (this.#tls === null) {
      this.#tls = createTlsServer({ cert, key });
      this.#tls.on('secureConnection', (socket) => this.#serve(socket, 'tls'));
      this.#tls.on('tlsClientError', () => {});
      this.#tls.listen(0, '127.0.0.1');
      await once(this.#tls, 'listening');
    }
    return (this.#tls.address() as AddressInfo).port;
  }

  /** From now on nobody can connect by TCP. */
  async closeTcp(): Promise<void> {
    this.disconnect();
    const closed = once(this.#tcp, 'close');
    this.#tcp.close();
    await closed;
  }

  #keptAlive(transport: string): void {
    this.keepAlives.push(transport);
    this.emit('keep-alive');
  }

  /** Cuts all connections. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** Sends a text from its UDP port. */
  sendByUdp(text: string, port: number, address: string): void {
    this.#udp.send(text, port, address, () => {});
  }

  /** Sends a text over the connection made last. */
  sendByConnection(text: string): void {
    [...this.#sockets].at(-1)?.write(text);
  }

  get port(): number {
    return this.#udp.address().port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = [once(this.#udp, 'close')];
    if (this.#tcp.listening) closed.push(once(this.#tcp, 'close'));
    if (this.#tls !== null) closed.push(once(this.#tls, 'close'));
    this.#tls?.close();
    if (this.#tcp.listening) this.#tcp.close();
    this.#udp.close();
    await Promise.all(closed);
  }

  /** The n-th request of a method (from 1), as soon as it came. */
  async request(method: string, n = 1): Promise<CarrierMessage> {
    for (;;) {
      const found = this.requests.filter((message) => message.method === method)[n - 1];
      if (found !== undefined) return found;
      await once(this, 'request');
    }
  }

  count(method: string): number {
    return this.requests.filter((message) => message.method === method).length;
  }

  get address(): string {
    return this.#udp.address().address;
  }

  get contact(): string {
    return `<sip:carrier@${this.address}:${this.port}>`;
  }

  #serve(socket: Socket, transport: 'tcp' | 'tls'): void {
    this.#sockets.add(socket);
    let buffered = '';
    const reply: ReplyTo = {
      transport,
      address: '127.0.0.1',
      port: socket.remotePort ?? 0,
      send: (text) => socket.write(text),
    };
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (data) => {
      buffered += data.toString('utf8');
      for (;;) {
        if (buffered.startsWith('\r\n\r\n')) {
          this.#keptAlive(transport);
          if (this.answersPings) socket.write('\r\n');
        }
        buffered = buffered.replace(/^(\r\n)+/, '');
        const blank = buffered.indexOf('\r\n\r\n');
        if (blank === -1) return;
        const length = Number(
          /^(?:content-length|l)\s*:\s*(\d+)/im.exec(buffered.slice(0, blank))?.[1] ?? 0,
        );
        if (buffered.length < blank + 4 + length) return;
        const text = buffered.slice(0, blank + 4 + length);
        buffered = buffered.slice(text.length);
        this.#receive(text, reply);
      }
    });
  }

  #receive(text: string, reply: ReplyTo): void {
    const message = parse(text, reply);
    if (message === null || this.isSilent) return;
    const call = this.#calls.get(first(message, 'call-id'));
    if (message.status !== null) {
      if (call === undefined) {
        this.onStray(message);
        this.emit('stray', message);
      } else call.onResponse(message);
      return;
    }
    // A repeated request gets the same answer, and is recorded once.
    const key = `${message.method} ${first(message, 'via')} ${first(message, 'cseq')}`;
    const before = this.#answers.get(key);
    if (before !== undefined) {
      if (before !== '') reply.send(before);
      return;
    }
    this.#answers.set(key, '');
    this.requests.push(message);
    const answer = (
      line: string,
      headers: readonly string[] = [],
      body = '',
      toTag = 'carrier',
    ) => {
      const response = this.responseText(message, line, headers, body, toTag);
      this.#answers.set(key, response);
      reply.send(response);
    };
    this.#handle(message, answer, reply, call);
    this.emit('request', message);
    this.emit(`request-${message.method}`, message);
  }

  #handle(
    message: CarrierMessage,
    answer: Answer,
    reply: ReplyTo,
    call: CarrierCall | undefined,
  ): void {
    const { refuseWith } = this.rules;
    switch (message.method) {
      case 'REGISTER':
        if (refuseWith !== null) answer(`${refuseWith.status} Refused`, refuseWith.headers ?? []);
        else if (this.#isAuthorized(message, answer)) this.#register(message, answer);
        return;
      case 'OPTIONS':
        return answer(`${this.optionsStatus} Whatever`);
      case 'INVITE': {
        if (/;tag=/.test(first(message, 'to').replace(/<.*>/, '')))
          return call?.onRequest(message, answer);
        if (this.challengesInvites && !this.#isAuthorized(message, answer)) return;
        const next = new CarrierCall(this, message, answer, reply);
        this.#calls.set(first(message, 'call-id'), next);
        this.onInvite(next);
        return;
      }
      case 'ACK':
        return call?.onAck(message);
      default:
        if (call === undefined) answer('481 Call/Transaction Does Not Exist');
        else call.onRequest(message, answer);
    }
  }

  #isAuthorized(message: CarrierMessage, answer: Answer): boolean {
    const { algorithms, isProxy } = this.rules;
    if (algorithms.length === 0) return true;
    const header = first(message, isProxy ? 'proxy-authorization' : 'authorization');
    const verdict = header === '' ? 'missing' : this.#judge(message, header);
    if (verdict === 'right') return true;
    this.#challenge(answer, verdict === 'stale');
    return false;
  }

  #challenge(answer: Answer, isStale: boolean): void {
    const { algorithms, isProxy, hasQop, realm } = this.rules;
    const nonce = randomBytes(12).toString('hex');
    this.#nonces.set(nonce, 0);
    const name = isProxy ? 'Proxy-Authenticate' : 'WWW-Authenticate';
    const headers = algorithms.map(
      (algorithm) =>
        `${name}: Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}` +
        `${hasQop ? ', qop="auth,auth-int"' : ''}${isStale ? ', stale=true' : ''}, opaque="o;=,"`,
    );
    answer(isProxy ? '407 Proxy Authentication Required' : '401 Unauthorized', headers);
  }

  #judge(message: CarrierMessage, header: string): 'right' | 'wrong' | 'stale' {
    const { user, password, realm, algorithms, nonceUsesMax } = this.rules;
    const get = (name: string) =>
      new RegExp(`[ ,]${name}=(?:"([^"]*)"|([^,\\s]*))`)
        .exec(header)
        ?.slice(1)
        .find((text) => text !== undefined) ?? '';
    const algorithm = get('algorithm') || 'MD5';
    const uses = this.#nonces.get(get('nonce'));
    if (!algorithms.some((offered) => offered === algorithm) || get('opaque') !== 'o;=,')
      return 'wrong';
    const hash = (text: string) =>
      createHash(HASHES[algorithm] ?? 'md5')
        .update(text)
        .digest('hex');
    const secret = hash(`${user}:${realm}:${password}`);
    const key = algorithm.endsWith('-sess')
      ? hash(`${secret}:${get('nonce')}:${get('cnonce')}`)
      : secret;
    const request = hash(`${message.method}:${get('uri')}`);
    const middle =
      get('qop') === ''
        ? get('nonce')
        : `${get('nonce')}:${get('nc')}:${get('cnonce')}:${get('qop')}`;
    if (get('response') !== hash(`${key}:${middle}:${request}`)) return 'wrong';
    if (uses === undefined || uses >= nonceUsesMax) return 'stale';
    if (get('qop') !== '' && Number.parseInt(get('nc'), 16) !== uses + 1) return 'wrong';
    this.#nonces.set(get('nonce'), uses + 1);
    return 'right';
  }

  #register(message: CarrierMessage, answer: Answer): void {
    const { minExpiresSeconds, grantSeconds } = this.rules;
    const contact = first(message, 'contact');
    const asked = Number(
      /;expires=(\d+)/.exec(contact.split(',')[0] ?? '')?.[1] ??
        (first(message, 'expires') || 3600),
    );
    if (asked > 0 && asked < minExpiresSeconds) {
      return answer('423 Interval Too Brief', [`Min-Expires: ${minExpiresSeconds}`]);
    }
    const user = /<sip:([^@>]+)@/.exec(first(message, 'to'))?.[1] ?? '';
    const kept = contact.split(',')[0]?.trim() ?? '';
    // A question (RFC 3261 §10.2.3): nothing is made or taken away.
    if (kept === '') return answer('200 OK');
    if (asked === 0) this.bindings.delete(user);
    else this.bindings.set(user, kept);
    const granted = grantSeconds ?? asked;
    const others = '<sip:desk@192.0.2.50:5060>;expires=17';
    const mine = `${kept.replace(/;expires=\d+/, '')};expires=${granted}`;
    answer('200 OK', [`Contact: ${asked === 0 ? others : `${others}, ${mine}`}`]);
  }

  /** A response with our view of the sender in the top Via. */
  responseText(
    message: CarrierMessage,
    line: string,
    headers: readonly string[],
    body: string,
    toTag: string,
  ): string {
    const copy = (name: string, label: string) =>
      (message.headers.get(name) ?? []).map((value) => `${label}: ${value}`);
    const seen = this.rules.seenAs ?? `${message.sourceAddress}:${message.sourcePort}`;
    const [host = '', port = ''] = seen.split(':');
    const [via = '', ...otherVias] = message.headers.get('via') ?? [];
    const marked = `${via.replace(/;rport(?:=\d*)?/, '')};rport=${port};received=${host}`;
    const to = first(message, 'to');
    const isTagged = line.startsWith('100') || /;tag=/.test(to.replace(/<.*>/, ''));
    return [
      `SIP/2.0 ${line}`,
      `Via: ${marked}`,
      ...otherVias.map((value) => `Via: ${value}`),
      ...copy('record-route', 'Record-Route'),
      ...copy('from', 'From'),
      `To: ${to}${isTagged ? '' : `;tag=${toTag}`}`,
      ...copy('call-id', 'Call-ID'),
      ...copy('cseq', 'CSeq'),
      ...headers,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }
}

type Answer = (line: string, headers?: readonly string[], body?: string, toTag?: string) => void;

const REASONS: Record<number, string> = {
  180: 'Ringing',
  183: 'Session Progress',
  200: 'OK',
  302: 'Moved Temporarily',
  486: 'Busy Here',
  487: 'Request Terminated',
};

export interface RespondOptions {
  readonly sdp?: string;
  readonly headers?: readonly string[];
  /** Another branch of a fork answers. */
  readonly toTag?: string;
}

/** One INVITE at the carrier, and the dialog that may come of it. */
export class CarrierCall extends EventEmitter {
  readonly invite: CarrierMessage;
  readonly #carrier: FakeCarrier;
  readonly #answer: Answer;
  readonly #reply: ReplyTo;
  readonly acks: CarrierMessage[] = [];
  readonly received: CarrierMessage[] = [];
  #toTag = 'carrier';
  #cseq = 100;
  #isFinal = false;
  /** What it says to requests in the dialog. */
  answerTo: (message: CarrierMessage) => {
    readonly line: string;
    readonly headers?: readonly string[];
    readonly body?: string;
  } = () => ({ line: '200 OK' });

  constructor(carrier: FakeCarrier, invite: CarrierMessage, answer: Answer, reply: ReplyTo) {
    super();
    this.#carrier = carrier;
    this.invite = invite;
    this.#answer = answer;
    this.#reply = reply;
  }

  respond(
    status: number,
    { sdp = '', headers = [], toTag = 'carrier' }: RespondOptions = {},
  ): void {
    if (status >= 200) this.#isFinal = true;
    if (status >= 200 && status < 300) this.#toTag = toTag;
    const type = sdp === '' ? [] : ['Content-Type: application/sdp'];
    const contact = headers.some((header) => /^contact:/i.test(header))
      ? []
      : [`Contact: ${this.#carrier.contact}`];
    this.#answer(
      `${status} ${REASONS[status] ?? 'Whatever'}`,
      [...contact, ...headers, ...type],
      sdp,
      toTag,
    );
  }

  answer(sdp: string = CARRIER_SDP, options: RespondOptions = {}): void {
    this.respond(200, { ...options, sdp });
  }

  /** Sends a request in the dialog; resolves with its final response. */
  async request(
    method: string,
    { headers = [], body = '' }: { headers?: readonly string[]; body?: string } = {},
  ): Promise<CarrierMessage> {
    this.#cseq += 1;
    const cseq = `${this.#cseq} ${method}`;
    this.#reply.send(this.#requestText(method, cseq, headers, body));
    for (;;) {
      const [response] = (await once(this, 'response')) as [CarrierMessage];
      if (first(response, 'cseq') !== cseq || (response.status ?? 0) < 200) continue;
      if (method === 'INVITE')
        this.#reply.send(this.#requestText('ACK', `${this.#cseq} ACK`, [], ''));
      return response;
    }
  }

  async nextRequest(method: string): Promise<CarrierMessage> {
    for (;;) {
      const found = this.received.find((message) => message.method === method);
      if (found !== undefined) return found;
      await once(this, 'request');
    }
  }

  async acked(): Promise<CarrierMessage> {
    while (this.acks.length === 0) await once(this, 'ack');
    return this.acks[0] as CarrierMessage;
  }

  onAck(message: CarrierMessage): void {
    this.acks.push(message);
    this.emit('ack', message);
  }

  onResponse(message: CarrierMessage): void {
    this.emit('response', message);
  }

  onRequest(message: CarrierMessage, answer: Answer): void {
    this.received.push(message);
    if (message.method === 'CANCEL') {
      answer('200 OK');
      if (!this.#isFinal) this.respond(487);
    } else {
      const { line, headers = [], body = '' } = this.answerTo(message);
      const type = body === '' ? [] : ['Content-Type: application/sdp'];
      answer(line, [`Contact: ${this.#carrier.contact}`, ...headers, ...type], body);
    }
    this.emit('request', message);
  }

  #requestText(method: string, cseq: string, headers: readonly string[], body: string): string {
    const target = /<([^>]+)>/.exec(first(this.invite, 'contact'))?.[1] ?? '';
    const to = first(this.invite, 'to');
    const transport = this.#reply.transport.toUpperCase();
    const isTyped = headers.some((header) => /^content-type:/i.test(header));
    const type = body === '' || isTyped ? [] : ['Content-Type: application/sdp'];
    return [
      `${method} ${target} SIP/2.0`,
      `Via: SIP/2.0/${transport} ${this.#carrier.address}:${this.#carrier.port};branch=z9hG4bK${randomBytes(6).toString('hex')};rport`,
      'Max-Forwards: 70',
      `From: ${to};tag=${this.#toTag}`,
      `To: ${first(this.invite, 'from')}`,
      `Call-ID: ${first(this.invite, 'call-id')}`,
      `CSeq: ${cseq}`,
      `Contact: ${this.#carrier.contact}`,
      ...headers,
      ...type,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }
}

/** First value of a header, by its lower-case name; empty when absent. */
export function first(message: CarrierMessage, name: string): string {
  return message.headers.get(name)?.[0] ?? '';
}

const SHORT: Record<string, string> = {
  v: 'via',
  f: 'from',
  t: 'to',
  i: 'call-id',
  m: 'contact',
  l: 'content-length',
  c: 'content-type',
};

function parse(text: string, { transport, port, address }: ReplyTo): CarrierMessage | null {
  const split = text.indexOf('\r\n\r\n');
  if (split === -1) return null;
  const [startLine = '', ...lines] = text.slice(0, split).split('\r\n');
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    const full = SHORT[name] ?? name;
    headers.set(full, [...(headers.get(full) ?? []), line.slice(colon + 1).trim()]);
  }
  const status = /^SIP\/2\.0 (\d{3})/.exec(startLine)?.[1];
  const [method = '', uri = ''] = startLine.split(' ');
  return {
    startLine,
    status: status === undefined ? null : Number(status),
    method: status === undefined ? method : null,
    uri,
    headers,
    body: text.slice(split + 4),
    transport,
    sourcePort: port,
    sourceAddress: address,
  };
}
