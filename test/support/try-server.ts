import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MediaEngine } from '../../src/media/media-engine.ts';
import { MediaError } from '../../src/media/media-error.ts';
import { WebRtcLeg } from '../../src/media/webrtc/webrtc-leg.ts';
import { WebRtcPort } from '../../src/media/webrtc/webrtc-port.ts';
import type { WebRtcCloseReason } from '../../src/media/webrtc/webrtc-transport.ts';
import { type WebPage, webPages } from '../../src/web/web-pages.ts';
import { freeUdpPort } from './webrtc-client.ts';

/** What happened on the server's side of one call. */
export interface TryCall {
  readonly leg: WebRtcLeg;
  readonly digits: string[];
  readonly messages: string[];
  /** RMS of each 20 ms frame heard, and the samples of the last ten seconds. */
  readonly levels: number[];
  readonly samples: number[];
  readonly connectedAtMs: number[];
  endedBy: WebRtcCloseReason | null;
}

const HEARD_SAMPLES_MAX = 160_000;

/** Answers of the offer door that are not a call, by agent. */
const REFUSALS: Readonly<Record<string, { status: number; retryAfter?: string; code: string }>> = {
  agt_off: { status: 404, code: 'NOT_FOUND' },
  agt_busy: { status: 503, retryAfter: '30', code: 'AGENT_BUSY' },
  agt_limited: { status: 429, retryAfter: '60', code: 'RATE_LIMITED' },
  agt_broken: { status: 500, code: 'INTERNAL' },
};

/** The pages, and an offer door whose agent is a tone and whatever the test says. */
export class TryServer {
  readonly calls: TryCall[] = [];
  readonly #pages: readonly WebPage[] = webPages();
  readonly #server: Server;
  readonly #engine: MediaEngine;
  readonly #port: WebRtcPort;
  #newCall: (call: TryCall) => void = () => {};
  #nextCall: Promise<TryCall> = Promise.resolve({} as TryCall);

  private constructor(engine: MediaEngine, port: WebRtcPort) {
    this.#engine = engine;
    this.#port = port;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.expectCall();
  }

  static async start(port = 0): Promise<TryServer> {
    const bindAddress = '127.0.0.1';
    const engine = await MediaEngine.start({ bindAddress, ports: { min: 1, max: 0 } });
    const webRtcPort = WebRtcPort.open({ bindAddress, port: await freeUdpPort() });
    const server = new TryServer(engine, webRtcPort);
    server.#server.listen(port, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next call that connects. */
  get nextCall(): Promise<TryCall> {
    return this.#nextCall;
  }

  expectCall(): void {
    this.#nextCall = new Promise((resolve) => {
      this.#newCall = resolve;
    });
  }

  async stop(): Promise<void> {
    for (const { leg } of this.calls) leg.close();
    this.#port.close();
    this.#engine.close();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '', 'http://localhost').pathname;
    const offer = /^\/v1\/public\/try\/([^/]+)\/offer$/.exec(path);
    if (request.method === 'POST' && offer !== null) {
      return this.#answer(offer[1] ?? '', request, response);
    }
    if (path === '/host') {
      response.setHeader('content-type', 'text/html');
      response.end(
        '<!doctype html><html lang="en"><title>A shop</title><main><h1>A shop</h1>' +
          '<p>Chairs, tables and lamps.</p></main>' +
          '<script src="/embed.js" data-agent="agt_demo" data-label="Talk to us" async></script>',
      );
      return;
    }
    const page = this.#pages.find((one) => matches(one.path, path));
    if (page === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('content-type', page.contentType);
    response.setHeader('cache-control', page.cacheControl);
    response.setHeader('x-content-type-options', 'nosniff');
    if (page.contentSecurityPolicy !== null) {
      response.setHeader('content-security-policy', page.contentSecurityPolicy);
    }
    response.end(page.body);
  }

  async #answer(
    agentId: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const refusal = REFUSALS[agentId];
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const reply = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (refusal !== undefined) {
      if (refusal.retryAfter !== undefined) response.setHeader('retry-after', refusal.retryAfter);
      return reply(refusal.status, { error_code: refusal.code });
    }
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string>;
    try {
      const resumed = this.calls[Number(body['resume_token']?.slice(7))];
      if (resumed !== undefined) {
        const sdp = resumed.leg.resume(body['sdp'] ?? '');
        return reply(200, { sdp, type: 'answer', call_id: body['call_id'] });
      }
      const call = await this.#accept(body['sdp'] ?? '');
      const number = this.calls.length - 1;
      return reply(200, {
        sdp: call.leg.answerSdp,
        type: 'answer',
        call_id: `call_${number}`,
        resume_token: `resume_${number}`,
      });
    } catch (error) {
      const isOffer = error instanceof MediaError && error.code.startsWith('MEDIA_OFFER');
      return reply(isOffer ? 400 : 500, { error_code: 'INVALID_ARGUMENT' });
    }
  }

  async #accept(offerSdp: string): Promise<TryCall> {
    const connect = this.#newCall;
    const facts = { digits: [], messages: [], levels: [], samples: [], connectedAtMs: [] };
    const leg = await WebRtcLeg.accept(offerSdp, {
      port: this.#port,
      ...this.#engine.shared,
      onError: (error) => console.error(error),
      onConnected: () => call.connectedAtMs.push(performance.now()),
      onMessagesOpen: () => connect(call),
      onMessage: (text) => {
        call.messages.push(text);
        if (text.includes('hang-up')) leg.close();
      },
      onClosed: (reason) => {
        call.endedBy = reason;
      },
    });
    const call: TryCall = { leg, ...facts, endedBy: null };
    this.calls.push(call);
    leg.source.onDigit((digit) => call.digits.push(digit));
    leg.source.onFrame(({ samples }) => {
      let energy = 0;
      for (const sample of samples) energy += sample * sample;
      call.levels.push(Math.sqrt(energy / samples.length));
      call.samples.push(...samples);
      if (call.samples.length > HEARD_SAMPLES_MAX) call.samples.splice(0, samples.length);
    });
    return call;
  }
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  return (
    wanted.length === given.length &&
    wanted.every((part, index) => part.startsWith(':') || part === given[index])
  );
}
