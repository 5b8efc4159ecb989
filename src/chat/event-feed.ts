import type { StoredMessage } from '../storage/chat-repository.ts';
import type { ChatError } from './chat-error.ts';

/** What a reader of a reply sees, in order; `done` or `failed` is always the last. */
export type ChatEvent =
  | { readonly type: 'status'; readonly label: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'done'; readonly message: StoredMessage }
  | { readonly type: 'failed'; readonly error: ChatError };

/**
 * Events from a reply to its reader. A slow reader makes nobody wait: text that was not read
 * yet grows together, so what waits is never more than the reply is long, and a few labels.
 */
export class EventFeed {
  #waiting: ChatEvent[] = [];
  #hasEnded = false;
  #isAbandoned = false;
  #wake: (() => void) | null = null;

  push(event: ChatEvent): void {
    if (this.#isAbandoned || this.#hasEnded) return;
    const last = this.#waiting.at(-1);
    if (event.type === 'text' && last?.type === 'text') {
      this.#waiting[this.#waiting.length - 1] = { type: 'text', text: last.text + event.text };
    } else if (event.type === 'status' && last?.type === 'status') {
      this.#waiting[this.#waiting.length - 1] = event;
    } else this.#waiting.push(event);
    this.#hasEnded = event.type === 'done' || event.type === 'failed';
    this.#wake?.();
  }

  /** The reader has gone; the reply goes on. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#waiting = [];
    this.#wake?.();
  }

  /** The next event; `idle` after `timeoutMs` without one; null after the last. One reader. */
  async next(timeoutMs?: number): Promise<ChatEvent | 'idle' | null> {
    if (this.#waiting.length === 0 && !this.#hasEnded && !this.#isAbandoned) {
      await this.#awaken(timeoutMs);
    }
    const event = this.#waiting.shift();
    if (event !== undefined) return event;
    return this.#hasEnded || this.#isAbandoned ? null : 'idle';
  }

  /** The last event. */
  async end(): Promise<Extract<ChatEvent, { type: 'done' | 'failed' }>> {
    for (;;) {
      const event = await this.next();
      if (event === null) throw new TypeError('the feed was read already');
      if (event !== 'idle' && (event.type === 'done' || event.type === 'failed')) return event;
    }
  }

  async #awaken(timeoutMs: number | undefined): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
    this.#wake = null;
  }
}
