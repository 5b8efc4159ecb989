import type {
  SipMessage,
  SipRequest,
  SipResponse,
} from '../../../src/sip-engine/message/message.ts';
import { parseMessage } from '../../../src/sip-engine/message/parse-message.ts';
import type { AppPort } from '../../../src/sip-engine/drachtio/app-port.ts';
import type { Armour } from '../../../src/sip-engine/guard/armour.ts';
import { DEFAULT_LIMITS, type EngineLimits } from '../../../src/sip-engine/core/context.ts';
import { EngineCore } from '../../../src/sip-engine/core/engine-core.ts';
import { DEFAULT_TIMERS } from '../../../src/sip-engine/transaction/timers.ts';
import { TimerWheel } from '../../../src/sip-engine/transaction/timer-wheel.ts';
import type { Flow, HostPort, Protocol } from '../../../src/sip-engine/transport/transport.ts';

/** A flow that keeps what is sent. */
export class RecordingFlow implements Flow {
  readonly protocol: Protocol;
  readonly isReliable: boolean;
  readonly local: HostPort = { address: '127.0.0.1', port: 5060 };
  readonly remote: HostPort;
  isOpen = true;
  readonly sent: Buffer[] = [];

  constructor(protocol: Protocol = 'udp', remote: HostPort = { address: '192.0.2.1', port: 5060 }) {
    this.protocol = protocol;
    this.isReliable = protocol !== 'udp';
    this.remote = remote;
  }

  send(packet: Buffer): void {
    this.sent.push(packet);
  }

  get messages(): SipMessage[] {
    return this.sent.map((packet) => parseMessage(packet));
  }

  /** Start lines up to the second space: `SIP/2.0 200`, `BYE sip:x`. */
  get lines(): string[] {
    return this.sent.map((packet) => packet.toString().split('\r\n')[0] ?? '');
  }

  last(): SipMessage {
    const packet = this.sent.at(-1);
    if (packet === undefined) throw new Error('nothing was sent');
    return parseMessage(packet);
  }

  lastRequest(): SipRequest {
    const message = this.last();
    if (message.type !== 'request') throw new Error('the last message is a response');
    return message;
  }

  lastResponse(): SipResponse {
    const message = this.last();
    if (message.type !== 'response') throw new Error('the last message is a request');
    return message;
  }
}

/** A frame as an application got it. */
export interface AppFrame {
  readonly tokens: readonly string[];
  readonly text: string;
}

/** An application without a socket. */
export class RecordingApp implements AppPort {
  readonly frames: AppFrame[] = [];

  send(leader: string, message?: Buffer): void {
    this.frames.push({ tokens: leader.split('|'), text: message?.toString() ?? '' });
  }

  last(): AppFrame {
    const frame = this.frames.at(-1);
    if (frame === undefined) throw new Error('no frame');
    return frame;
  }

  /** Frames that bring a message, not answers to ours. */
  get told(): AppFrame[] {
    return this.frames.filter(({ tokens }) => tokens[1] === 'sip');
  }
}

/** A core with hand-made time, one application and flows that record. */
export class Bench {
  readonly wheel = new TimerWheel(0);
  readonly flows = new Map<string, RecordingFlow>();
  readonly app = new RecordingApp();
  readonly core: EngineCore;
  #nowMs = 0;
  #frameId = 0;

  constructor(
    limits: Partial<EngineLimits> = {},
    verbs = ['invite', 'subscribe', 'message'],
    armour?: Armour,
  ) {
    this.core = new EngineCore({
      wheel: this.wheel,
      timers: DEFAULT_TIMERS,
      limits: { ...DEFAULT_LIMITS, ...limits },
      outbound: {
        flowTo: (protocol, remote) => this.flow(protocol, remote),
        isSelf: (_protocol, { address, port }) => address === '127.0.0.1' && port === 5060,
      },
      resolver: { resolve: () => Promise.reject(new Error('no names in unit tests')) },
      epochMs: 0,
      prefersTcp: () => false,
      ...(armour === undefined ? {} : { armour }),
    });
    this.core.appConnected(this.app);
    for (const verb of verbs) this.core.context.routes.add(this.app, verb);
  }

  flow(protocol: Protocol, remote: HostPort): RecordingFlow {
    const key = `${protocol}|${remote.address}|${remote.port}`;
    const known = this.flows.get(key);
    if (known !== undefined) return known;
    const flow = new RecordingFlow(protocol, remote);
    this.flows.set(key, flow);
    return flow;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    this.core.advance(this.#nowMs);
  }

  /** The network sends these lines. */
  receive(lines: readonly string[], flow: RecordingFlow, body = ''): void {
    const text = [...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
    this.core.receive(Buffer.from(text), flow);
  }

  /** The application sends a frame: tokens after the verb, and a message. Returns the answer. */
  say(tokens: readonly string[], message: readonly string[], body = ''): AppFrame {
    this.#frameId += 1;
    const id = `f${this.#frameId}`;
    this.core.sipFrame(this.app, {
      tokens: [id, 'sip', ...tokens],
      message: Buffer.from([...message, '', body].join('\r\n')),
    });
    const answer = this.app.frames.find(
      ({ tokens: got }) => got[1] === 'response' && got[2] === id,
    );
    if (answer === undefined) throw new Error('the frame was not answered');
    return answer;
  }
}

export const SDP =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n';

/** Header lines of a call from outside; `over` replaces or adds. */
export function requestLines(
  method: string,
  over: { readonly [name: string]: string | undefined } = {},
): string[] {
  const headers: { [name: string]: string | undefined } = {
    Via: `SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-${method}-1`,
    'Max-Forwards': '70',
    From: '"Ann" <sip:ann@192.0.2.1>;tag=ann',
    To: '<sip:demo@127.0.0.1>',
    'Call-ID': 'call-1',
    CSeq: `1 ${method}`,
    Contact: '<sip:ann@192.0.2.1:5060>',
    ...over,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return [`${method} sip:demo@127.0.0.1 SIP/2.0`, ...lines];
}

/** An answer of the far end to a request of ours. */
export function answerLines(
  request: SipRequest,
  status: number,
  over: { readonly toTag?: string; readonly headers?: readonly string[] } = {},
): string[] {
  const { headers } = request;
  const to = headers.first('to') ?? '';
  const tag = over.toTag === undefined || to.includes('tag=') ? '' : `;tag=${over.toTag}`;
  return [
    `SIP/2.0 ${status} Whatever`,
    ...headers.lines('via').map((via) => `Via: ${via}`),
    `From: ${headers.first('from')}`,
    `To: ${to}${tag}`,
    `Call-ID: ${request.callId}`,
    `CSeq: ${headers.first('cseq')}`,
    ...(over.headers ?? []),
  ];
}
