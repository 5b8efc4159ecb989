import type { Logger } from '../observability/logger.ts';
import { type Mail, type Mailer, MailError } from './mail.ts';

export interface OutboxOptions {
  readonly mailer: Mailer;
  readonly log: Logger;
  /** Between two tries of a mail. */
  readonly retryAfterMs?: number;
}

/** Mails waiting or on their way. */
const MAILS_MAX = 100;
const TRIES_MAX = 2;
const RETRY_AFTER_MS = 3000;

/** Sends mails behind the requests that ask for them. One that cannot be sent is logged. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #work = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.#work.size < MAILS_MAX && !this.#closing.signal.aborted;
  }

  /** Ask `hasRoom` first: a mail without room is dropped. */
  add(mail: Mail): void {
    if (!this.hasRoom) return;
    const work = this.#send(mail).finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  /** Tries nothing again; what is on its way is cut. */
  close(): void {
    this.#closing.abort();
    this.#options.mailer.close();
  }

  async #send(mail: Mail): Promise<void> {
    const { mailer, log, retryAfterMs = RETRY_AFTER_MS } = this.#options;
    for (let tries = 1; ; tries += 1) {
      try {
        await mailer.send(mail);
        return;
      } catch (error) {
        const facts = error instanceof MailError ? { code: error.code, ...error.facts } : {};
        const isLast = tries >= TRIES_MAX || this.#closing.signal.aborted;
        if (isLast || !(error instanceof MailError && error.retryable)) {
          log.error(
            { ...facts, err: error instanceof MailError ? undefined : error },
            'a mail was not sent',
          );
          return;
        }
        log.warn(facts, 'a mail is tried again');
        await pause(retryAfterMs, this.#closing.signal);
      }
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
