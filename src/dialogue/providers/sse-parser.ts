/** Longest line and longest event, in UTF-16 units; more is an attack or a bug. */
export const SSE_LINE_MAX = 262_144;
export const SSE_EVENT_MAX = 1_048_576;

/** One server-sent event; `event` is empty unless the server named it. */
export interface SseEvent {
  readonly event: string;
  readonly data: string;
}

/**
 * Reads `text/event-stream` (WHATWG HTML §9.2.6) from pieces cut anywhere: CR, LF and CRLF
 * lines, comments, several data lines to one event, a byte order mark. `id` and `retry` are
 * ignored, since a reply is never resumed. Throws `RangeError` past its bounds.
 */
export class SseParser {
  readonly #decoder = new TextDecoder('utf-8');
  /** The unfinished line, in pieces, so that a long line costs linear time. */
  #line: string[] = [];
  #lineLength = 0;
  #lastWasCr = false;
  #event = '';
  #data: string[] = [];
  #dataLength = 0;

  /** The events that this piece completes. */
  push(bytes: Uint8Array): SseEvent[] {
    return this.#read(this.#decoder.decode(bytes, { stream: true }));
  }

  /**
   * The stream is over. By the standard an unfinished event is dropped; servers that forget
   * the last blank line are common, so a whole `data:` line still counts here.
   */
  end(): SseEvent[] {
    const events = this.#read(this.#decoder.decode());
    events.push(...this.#read('\n\n'));
    return events;
  }

  #read(text: string): SseEvent[] {
    const events: SseEvent[] = [];
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code !== 10 && code !== 13) {
        this.#lastWasCr = false;
        continue;
      }
      const isSecondHalf = code === 10 && this.#lastWasCr;
      this.#lastWasCr = code === 13;
      if (!isSecondHalf) {
        this.#keep(text.slice(start, at));
        const event = this.#endLine();
        if (event !== null) events.push(event);
      }
      start = at + 1;
    }
    this.#keep(text.slice(start));
    return events;
  }

  #keep(piece: string): void {
    if (piece === '') return;
    this.#lineLength += piece.length;
    if (this.#lineLength > SSE_LINE_MAX) throw new RangeError('an event stream line is too long');
    this.#line.push(piece);
  }

  #endLine(): SseEvent | null {
    const line = this.#line.join('');
    this.#line = [];
    this.#lineLength = 0;
    if (line === '') return this.#endEvent();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#event = value;
    if (field === 'data') {
      this.#dataLength += value.length + 1;
      if (this.#dataLength > SSE_EVENT_MAX) throw new RangeError('an event is too long');
      this.#data.push(value);
    }
    return null;
  }

  #endEvent(): SseEvent | null {
    const hasData = this.#data.length > 0;
    const event = { event: this.#event, data: this.#data.join('\n') };
    this.#event = '';
    this.#data = [];
    this.#dataLength = 0;
    return hasData ? event : null;
  }
}
