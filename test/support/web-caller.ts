import assert from 'node:assert/strict';
import { BROWSER_OFFER } from './browser-offer.ts';
import type { Gateway } from './gateway.ts';
import { WebRtcClient } from './webrtc-client.ts';

export interface WebCall {
  readonly client: WebRtcClient;
  readonly id: string;
  readonly resumeToken: string;
}

export interface OfferOptions {
  readonly token?: string;
  /** Whom the request seems to come from; the gateway must trust loopback as a proxy. */
  readonly from?: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** Browsers without a browser: other WebRTC peers, and offers that nobody stands behind. */
export class WebCallers {
  readonly #gateway: () => Gateway;
  readonly #clients: WebRtcClient[] = [];

  constructor(gateway: () => Gateway) {
    this.#gateway = gateway;
  }

  /** An offer of a browser that will never connect. */
  offer(path: string, options: OfferOptions = {}): Promise<Response> {
    const { token, from, body } = options;
    return fetch(`${this.#gateway().httpUrl}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(from === undefined ? {} : { 'x-forwarded-for': from }),
      },
      body: JSON.stringify({ sdp: BROWSER_OFFER, ...body }),
    });
  }

  /** A whole call: both have met when this resolves, or the gateway has ended it already. */
  async call(path: string, options: OfferOptions = {}): Promise<WebCall> {
    const client = new WebRtcClient({ withEvents: true });
    this.#clients.push(client);
    const response = await this.offer(path, {
      ...options,
      body: { sdp: client.offerSdp, ...options.body },
    });
    const answer = (await response.json()) as Record<string, string>;
    assert.equal(response.status, 200, JSON.stringify(answer));
    client.answer(answer['sdp'] ?? '');
    const met = Promise.all([client.opened.happened, client.gotMessage.happened]);
    await Promise.race([met, client.ended.happened]);
    return { client, id: answer['call_id'] ?? '', resumeToken: answer['resume_token'] ?? '' };
  }

  close(): void {
    for (const client of this.#clients.splice(0)) client.close();
  }
}
