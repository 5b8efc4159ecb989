import { randomInt } from 'node:crypto';

import type { SdpMedia, SessionDescription } from './session-description.ts';
import { serializeSessionDescription } from './session-description.ts';

/** What changes from one description of a leg to the next; the rest is fixed. */
export interface LocalDescription {
  readonly address: string;
  readonly media: readonly SdpMedia[];
}

/**
 * The `o=` line of one leg. It counts a new version only when the description really changed
 * (RFC 3264 §8), so a repeated answer is the same to the byte. One per leg, kept for its life.
 */
export class SdpOrigin {
  readonly #sessionId: string;
  #version = 0;
  #last = '';

  constructor(sessionId: number = randomInt(1, 2 ** 47)) {
    this.#sessionId = String(sessionId);
  }

  write({ address, media }: LocalDescription): string {
    const body: SessionDescription = {
      origin: { username: '-', sessionId: this.#sessionId, sessionVersion: '0', address },
      sessionName: '-',
      connection: address,
      attributes: [],
      media,
    };
    const content = serializeSessionDescription(body);
    if (content !== this.#last) {
      this.#last = content;
      this.#version += 1;
    }
    const origin = { ...body.origin, sessionVersion: String(this.#version) };
    return serializeSessionDescription({ ...body, origin });
  }
}
