import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';

/** A SIP message as this phone sees it: first line, headers by lower-case name, body. */
export interface SipText {
  readonly startLine: string;
  readonly status: number | null;
  readonly method: string | null;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
}

export interface PhoneCallOptions {
  readonly user?: string;
  /** Session description; empty: late offer. */
  readonly sdp: string;
  /** Further header lines. */
  readonly headers?: readonly string[];
  /** What to put into the ACK of the first 200, given the 200's body (late offer). */
  readonly ackBody?: (answerSdp: string) => string;
  /** false: never acknowledge the 200. */
  readonly acknowledge?: boolean;
}

const T1_MS = 500;
const RETRANSMISSIONS_MAX = 6;

/**
 * A telephone's signaling side over UDP, written for tests and on purpose apart from the
 * engine under test: plain strings, one call per object, retransmission of requests only.
 */
export class SipPhone extends EventEmitter {
  readonly #socket: Socket;
  readonly #remotePort: number;
  readonly callId = `${randomBytes(8).toString('hex')}@test-phone`;
  readonly fromTag = randomBytes(4).toString('hex');
  readonly received: SipText[] = [];
  #cseq = 1;
  #to = '';
  #remoteTarget = '';
  #routes: readonly string[] = [];
  #isInDialog = false;
  #inviteBranch = '';
  #inviteCseq = 1;
  #inviteUri = '';
  #options: PhoneCallOptions = { sdp: '' };
  #timers = new Set<NodeJS.Timeout>();
  #lastAck = '';
  #claims = '';
  /** Answers to requests of the other side: status, and a body for re-INVITEs. */
  onRequest: (request: SipText) => { status: number; body?: string } = () => ({ status: 200 });

  private constructor(socket: Socket, remotePort: number) {
    super();
    this.#socket = socket;
    this.#remotePort = remotePort;
    socket.on('message', (data) => this.#onMessage(data.toString('utf8')));
  }

  /** @param claims the address that it says it has, as a phone behind a NAT does */
  static async open(remotePort: number, claims?: string): Promise<SipPhone> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const phone = new SipPhone(socket, remotePort);
    phone.#claims = claims ?? `127.0.0.1:${phone.localPort}`;
    return phone;
  }

  get localPort(): number {
    return this.#socket.address().port;
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#socket.close();
  }

  /** Sends the INVITE and resolves with the final response; a 200 is acknowledged. */
  async invite(options: PhoneCallOptions): Promise<SipText> {
    this.#options = options;
    this.#inviteUri = `sip:${options.user ?? 'demo'}@127.0.0.1:${this.#remotePort}`;
    this.#to = `<${this.#inviteUri}>`;
    this.#remoteTarget = this.#inviteUri;
    return this.#sendInvite(options.sdp, options.headers ?? []);
  }

  /** Sends a re-INVITE in the dialog and resolves with its final response. */
  reinvite(
    sdp: string,
    ackBody?: (offerSdp: string) => string,
    headers: readonly string[] = [],
  ): Promise<SipText> {
    const { ackBody: _, ...options } = this.#options;
    this.#options = { ...options, sdp, ...(ackBody === undefined ? {} : { ackBody }) };
    return this.#sendInvite(sdp, headers);
  }

  /** Cancels the INVITE under way (RFC 3261 §9.1: same branch, same CSeq number). */
  cancel(): void {
    const lines = this.#requestLines(
      'CANCEL',
      this.#inviteUri,
      this.#inviteBranch,
      this.#inviteCseq,
    );
    this.#send([...lines, 'Content-Length: 0'].join('\r\n') + '\r\n\r\n');
  }

  /** Sends an in-dialog request and resolves with its final response. */
  async request(
    method: string,
    body = '',
    contentType = '',
    headers: string[] = [],
  ): Promise<SipText> {
    this.#cseq += 1;
    const branch = newBranch();
    const lines = this.#requestLines(method, this.#remoteTarget, branch, this.#cseq);
    return this.#transact(method, this.#cseq, [...lines, ...headers], body, contentType);
  }

  bye(): Promise<SipText> {
    return this.request('BYE');
  }

  /** Resolves with the next request of that method from the other side, or one that came already. */
  async nextRequest(method: string): Promise<SipText> {
    const seen = this.received.find((message) => message.method === method);
    if (seen !== undefined) return seen;
    const [request] = await once(this, method);
    return request as SipText;
  }

  async #sendInvite(sdp: string, headers: readonly string[]): Promise<SipText> {
    this.#cseq += 1;
    this.#inviteCseq = this.#cseq;
    this.#inviteBranch = newBranch();
    const uri = this.#remoteTarget;
    const lines = this.#requestLines('INVITE', uri, this.#inviteBranch, this.#inviteCseq);
    const contentType = sdp === '' ? '' : 'application/sdp';
    return this.#transact('INVITE', this.#inviteCseq, [...lines, ...headers], sdp, contentType);
  }

  async #transact(
    method: string,
    cseq: number,
    lines: readonly string[],
    body: string,
    contentType: string,
  ): Promise<SipText> {
    const type = contentType === '' ? [] : [`Content-Type: ${contentType}`];
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    const text = `${[...lines, ...type, length].join('\r\n')}\r\n\r\n${body}`;
    const stop = this.#retransmit(text, `${method}-${cseq}-any`);
    const [response] = await once(this, `${method}-${cseq}-final`);
    stop();
    return response as SipText;
  }

  #retransmit(text: string, untilEvent: string): () => void {
    let delayMs = T1_MS;
    let left = RETRANSMISSIONS_MAX;
    let timer: NodeJS.Timeout;
    const stop = () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
    const arm = () => {
      timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#send(text);
        delayMs *= 2;
        if (--left > 0) arm();
      }, delayMs);
      this.#timers.add(timer);
    };
    this.#send(text);
    arm();
    this.once(untilEvent, stop);
    return stop;
  }

  #requestLines(method: string, uri: string, branch: string, cseq: number): string[] {
    const here = this.#claims;
    return [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/UDP ${here};branch=${branch};rport`,
      ...this.#routes.map((route) => `Route: ${route}`),
      'Max-Forwards: 70',
      `From: "Test Phone" <sip:+34600111222@${here}>;tag=${this.fromTag}`,
      `To: ${this.#to}`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${cseq} ${method}`,
      `Contact: <sip:phone@${here}>`,
    ];
  }

  #onMessage(text: string): void {
    const message = parse(text);
    if (message === null) return;
    if (message.status === null) return this.#onSipRequest(message);
    this.received.push(message);
    const [number, method] = header(message, 'cseq').split(' ');
    const name = `${method}-${number}`;
    this.emit(`${name}-any`, message);
    this.emit(`status-${message.status}`, message);
    if (message.status < 200) return;
    if (method === 'INVITE') this.#acknowledge(message, Number(number));
    this.emit(`${name}-final`, message);
  }

  #acknowledge(response: SipText, cseq: number): void {
    const isSuccess = response.status !== null && response.status < 300;
    if (isSuccess) {
      this.#to = header(response, 'to');
      this.#remoteTarget = /<([^>]+)>/.exec(header(response, 'contact'))?.[1] ?? this.#remoteTarget;
      // The routes of a dialog stand with its first answer (RFC 3261 §12.2).
      if (!this.#isInDialog)
        this.#routes = [...(response.headers.get('record-route') ?? [])].reverse();
      this.#isInDialog = true;
      if (this.#options.acknowledge === false) return;
    }
    const branch = isSuccess ? newBranch() : this.#inviteBranch;
    const uri = isSuccess ? this.#remoteTarget : this.#inviteUri;
    const to = this.#to;
    if (!isSuccess) this.#to = header(response, 'to');
    const lines = this.#requestLines('ACK', uri, branch, cseq);
    this.#to = isSuccess ? this.#to : to;
    const body = isSuccess ? (this.#options.ackBody?.(response.body) ?? '') : '';
    const type = body === '' ? [] : ['Content-Type: application/sdp'];
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    this.#lastAck = `${[...lines, ...type, length].join('\r\n')}\r\n\r\n${body}`;
    this.#send(this.#lastAck);
  }

  #onSipRequest(request: SipText): void {
    this.received.push(request);
    if (request.method !== 'ACK') {
      const { status, body = '' } = this.onRequest(request);
      this.#send(this.#responseText(request, status, body));
    }
    this.emit(request.method ?? '', request);
  }

  #responseText(request: SipText, status: number, body: string): string {
    const copy = (name: string, label: string) =>
      (request.headers.get(name) ?? []).map((value) => `${label}: ${value}`);
    return [
      `SIP/2.0 ${status} ${status === 200 ? 'OK' : 'Refused'}`,
      ...copy('via', 'Via'),
      ...copy('from', 'From'),
      ...copy('to', 'To'),
      ...copy('call-id', 'Call-ID'),
      ...copy('cseq', 'CSeq'),
      `Contact: <sip:phone@${this.#claims}>`,
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }

  #send(text: string): void {
    this.#socket.send(text, this.#remotePort, '127.0.0.1');
  }
}

/** First value of a header, by its lower-case name; empty when absent. */
export function header(message: SipText, name: string): string {
  return message.headers.get(name)?.[0] ?? '';
}

function newBranch(): string {
  return `z9hG4bK${randomBytes(8).toString('hex')}`;
}

function parse(text: string): SipText | null {
  const split = text.indexOf('\r\n\r\n');
  if (split < 0) return null;
  const [startLine = '', ...lines] = text.slice(0, split).split('\r\n');
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    const values = headers.get(name) ?? [];
    values.push(line.slice(colon + 1).trim());
    headers.set(name, values);
  }
  const status = /^SIP\/2\.0 (\d{3})/.exec(startLine)?.[1];
  return {
    startLine,
    status: status === undefined ? null : Number(status),
    method: status === undefined ? (startLine.split(' ')[0] ?? null) : null,
    headers,
    body: text.slice(split + 4),
  };
}
