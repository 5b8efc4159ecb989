import { SipEngineError } from '../engine-error.ts';

/** Longest frame taken from an application. */
export const FRAME_BYTES_MAX = 1_048_576;
const LENGTH_DIGITS_MAX = 7;

/** One frame: its leader's tokens, and the SIP message after the first CRLF. */
export interface Frame {
  readonly tokens: readonly string[];
  readonly message: Buffer;
}

/**
 * Cuts a byte stream into frames: `<decimal byte length>#<payload>`.
 * Throws `SipEngineError` SIP_FRAME_MALFORMED when the stream cannot be read on.
 */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): Frame[] {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    const frames: Frame[] = [];
    for (;;) {
      const frame = this.#take();
      if (frame === undefined) return frames;
      frames.push(frame);
    }
  }

  #take(): Frame | undefined {
    const hash = this.#pending.indexOf(0x23);
    if (hash < 0 && this.#pending.length <= LENGTH_DIGITS_MAX) {
      if (!/^\d*$/.test(this.#pending.toString('latin1'))) throw malformed();
      return undefined;
    }
    const digits = this.#pending.toString('latin1', 0, Math.max(hash, 0));
    if (digits.length > LENGTH_DIGITS_MAX || !/^\d+$/.test(digits)) throw malformed();
    const length = Number(digits);
    if (length === 0 || length > FRAME_BYTES_MAX) throw malformed();
    const end = hash + 1 + length;
    if (this.#pending.length < end) return undefined;
    const payload = this.#pending.subarray(hash + 1, end);
    this.#pending = this.#pending.subarray(end);
    return toFrame(payload);
  }
}

function malformed(): SipEngineError {
  return new SipEngineError('SIP_FRAME_MALFORMED', 'a frame of the application cannot be read');
}

function toFrame(payload: Buffer): Frame {
  const lineEnd = payload.indexOf('\r\n');
  const leaderEnd = lineEnd < 0 ? payload.length : lineEnd;
  const message = lineEnd < 0 ? Buffer.alloc(0) : payload.subarray(lineEnd + 2);
  return { tokens: payload.toString('utf8', 0, leaderEnd).split('|'), message };
}
