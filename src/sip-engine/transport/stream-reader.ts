import { SipEngineError } from '../engine-error.ts';
import { HEADER_BYTES_MAX, MESSAGE_BYTES_MAX } from '../message/parse-message.ts';

/** What a stream gave: whole messages, and how many keep-alive pings want an answer. */
export interface StreamRead {
  readonly messages: readonly Buffer[];
  readonly pings: number;
  /** True when a ping of ours was answered. */
  readonly hasPong: boolean;
}

/** The stream cannot be cut into messages any more; `rest` is what could not be read. */
export class StreamError extends SipEngineError {
  readonly rest: Buffer;

  constructor(message: string, rest: Buffer) {
    super('SIP_STREAM_MALFORMED', message);
    this.rest = rest;
  }
}

const CONTENT_LENGTH = /\r\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,10})[ \t]*(?=\r\n)/gi;

/** Cuts a byte stream at Content-Length, RFC 3261 §18.3; CRLF CRLF between messages is a ping (RFC 5626 §3.5.1). */
export class StreamReader {
  #pending: Buffer = Buffer.alloc(0);

  /** Octets of an unfinished message. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  /** Throws `StreamError` when the stream is beyond reading. */
  push(bytes: Buffer): StreamRead {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    const messages: Buffer[] = [];
    const ends = [this.#skipLineEnds()];
    for (let message = this.#take(); message !== undefined; message = this.#take()) {
      messages.push(message);
      ends.push(this.#skipLineEnds());
    }
    const pings = ends.reduce((sum, count) => sum + Math.floor(count / 2), 0);
    return { messages, pings, hasPong: ends.some((count) => count % 2 === 1) };
  }

  #skipLineEnds(): number {
    let at = 0;
    while (this.#pending[at] === 0x0d && this.#pending[at + 1] === 0x0a) at += 2;
    if (at > 0) this.#pending = this.#pending.subarray(at);
    return at / 2;
  }

  #take(): Buffer | undefined {
    const end = this.#pending.indexOf('\r\n\r\n');
    if (end < 0 || end > HEADER_BYTES_MAX) {
      if (this.#pending.length > HEADER_BYTES_MAX) {
        throw new StreamError('header section too large', this.#pending);
      }
      return undefined;
    }
    const headers = this.#pending.toString('latin1', 0, end + 2);
    const lengths = [...headers.matchAll(CONTENT_LENGTH)];
    const length = Number(lengths[0]?.[1]);
    if (lengths.length !== 1 || length > MESSAGE_BYTES_MAX) {
      throw new StreamError('no usable Content-Length', this.#pending);
    }
    const total = end + 4 + length;
    if (this.#pending.length < total) return undefined;
    const message = this.#pending.subarray(0, total);
    this.#pending = this.#pending.subarray(total);
    return message;
  }
}
