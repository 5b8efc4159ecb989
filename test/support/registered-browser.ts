import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { SipRequest } from '../../src/sip-engine/message/message.ts';
import { BrowserAgent, credentialsFor } from '../integration/sip-engine/browser-agent.ts';
import type { Gateway } from './gateway.ts';
import { openPhoneCodec, type PhoneCodec } from './phone-codec.ts';
import { WebRtcClient } from './webrtc-client.ts';

const HOST = '127.0.0.1';
const TAG = 'page';
/** libdatachannel gives packets with their 12-byte header. */
const RTP_HEADER_BYTES = 12;
const FRAME_MS = 20;

/** All that a browser has heard, at 8 kHz. */
export function heardBy({ rtp }: WebRtcClient, codec: PhoneCodec): Int16Array {
  const frames = rtp.filter((packet) => ((packet[1] ?? 0) & 0x7f) === codec.payloadType);
  return Int16Array.from(
    frames.flatMap((packet) => {
      const heard = codec.decode(packet.subarray(RTP_HEADER_BYTES));
      return Array.from(heard).filter((_, n) => n % 2 === 0);
    }),
  );
}

/** Somebody's browser without a browser: signed in by SIP over WebSocket, and can be called. */
export class RegisteredBrowser {
  readonly #sip: BrowserAgent;
  readonly #codec: PhoneCodec;
  readonly #client = new WebRtcClient();
  /** Each page has its own: the same one twice would be the same browser. */
  readonly #contact = `sip:${randomUUID()}@page.invalid;transport=ws`;
  #cseq = 1;
  #invite: SipRequest | null = null;

  private constructor(sip: BrowserAgent, codec: PhoneCodec) {
    this.#sip = sip;
    this.#codec = codec;
  }

  static async signIn(gateway: Gateway, user: string, key?: string): Promise<RegisteredBrowser> {
    const response = await fetch(`${gateway.httpUrl}/v1/webrtc/sip-credentials`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${key ?? gateway.adminKey}`,
      },
      body: JSON.stringify({ user }),
    });
    const { username, password } = (await response.json()) as Record<string, string>;
    assert.ok(username !== undefined && password !== undefined, `status ${response.status}`);
    const url = `${gateway.httpUrl.replace(/^http/, 'ws')}/sip`;
    const sip = await BrowserAgent.open(url);
    const browser = new RegisteredBrowser(sip, await openPhoneCodec('opus'));
    await browser.#register(user, { username, password });
    return browser;
  }

  /** The next call that it is rung for. */
  async rings(): Promise<SipRequest> {
    const invite = await this.#sip.request('INVITE');
    this.#invite = invite;
    this.respond(180);
    return invite;
  }

  respond(status: number): void {
    this.#answer(this.#call, status);
  }

  /** Picks up; resolves once packets pass. */
  async pickUp(): Promise<void> {
    this.#answer(this.#call, 200, this.#client.offerSdp);
    const ack = await this.#sip.request('ACK');
    this.#client.answer(ack.body.toString());
    await this.#client.opened.happened;
  }

  /** Resolves with the next request of that method, answered 200. */
  async nextRequest(method: string): Promise<SipRequest> {
    const request = await this.#sip.request(method);
    this.#answer(request, 200);
    return request;
  }

  /** INFO, BYE; resolves with its status. */
  async request(method: string, body = '', contentType = ''): Promise<number> {
    const { headers } = this.#call;
    this.#cseq += 1;
    const target = /<([^>]+)>/.exec(headers.first('contact') ?? '')?.[1] ?? '';
    this.#sip.send(
      [
        `${method} ${target} SIP/2.0`,
        `Via: SIP/2.0/WS page.invalid;branch=z9hG4bK${method}${this.#cseq}`,
        'Max-Forwards: 70',
        ...headers.lines('record-route').map((route) => `Route: ${route}`),
        `From: ${headers.first('to')};tag=${TAG}`,
        `To: ${headers.first('from')}`,
        `Call-ID: ${headers.first('call-id')}`,
        `CSeq: ${this.#cseq} ${method}`,
        ...(contentType === '' ? [] : [`Content-Type: ${contentType}`]),
      ],
      body,
    );
    return (await this.#sip.response()).status;
  }

  /** Sends 8 kHz samples in real time. */
  async play(samples8k: Int16Array): Promise<void> {
    const startMs = performance.now();
    for (let at = 0, n = 0; at + 160 <= samples8k.length; at += 160, n += 1) {
      const frame = Int16Array.from({ length: 320 }, (_, k) => samples8k[at + (k >> 1)] ?? 0);
      this.#client.sendRtp(Buffer.from(this.#codec.encode(frame)));
      const waitMs = startMs + (n + 1) * FRAME_MS - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  /** All that it has heard, at 8 kHz. */
  heardPcm8k(): Int16Array {
    return heardBy(this.#client, this.#codec);
  }

  async close(): Promise<void> {
    this.#client.close();
    this.#codec.close();
    await this.#sip.close();
  }

  get #call(): SipRequest {
    assert.ok(this.#invite !== null, 'nobody has called');
    return this.#invite;
  }

  async #register(
    user: string,
    credentials: { readonly username: string; readonly password: string },
  ): Promise<void> {
    const uri = `sip:${HOST}`;
    const callId = randomUUID();
    const lines = (cseq: number): string[] => [
      `REGISTER ${uri} SIP/2.0`,
      `Via: SIP/2.0/WS page.invalid;branch=z9hG4bKregister${cseq}`,
      'Max-Forwards: 70',
      `From: <sip:${user}@${HOST}>;tag=${TAG}`,
      `To: <sip:${user}@${HOST}>`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} REGISTER`,
      `Contact: <${this.#contact}>;expires=300`,
    ];
    this.#sip.send(lines(1));
    const challenge = await this.#sip.response(401);
    const method = 'REGISTER';
    this.#sip.send([...lines(2), credentialsFor(challenge, { method, uri, ...credentials })]);
    assert.equal((await this.#sip.response()).status, 200);
  }

  #answer({ headers }: SipRequest, status: number, body = ''): void {
    const isOfCall = headers.first('call-id') === this.#invite?.headers.first('call-id');
    const to = headers.first('to') ?? '';
    this.#sip.send(
      [
        `SIP/2.0 ${status} Whatever`,
        ...headers.lines('via').map((via) => `Via: ${via}`),
        ...headers.lines('record-route').map((route) => `Record-Route: ${route}`),
        `From: ${headers.first('from')}`,
        `To: ${isOfCall && !to.includes(';tag=') ? `${to};tag=${TAG}` : to}`,
        `Call-ID: ${headers.first('call-id')}`,
        `CSeq: ${headers.first('cseq')}`,
        `Contact: <${this.#contact}>`,
        ...(body === '' ? [] : ['Content-Type: application/sdp']),
      ],
      body,
    );
  }
}
