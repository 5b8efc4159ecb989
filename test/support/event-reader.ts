/** One server-sent event as it came. */
export interface ReadEvent {
  /** Empty: it had none of its own. */
  readonly id: string;
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const NEXT_WITHIN_MS = 20_000;

/** Reads server-sent events from a socket, as a browser's EventSource does. */
export class EventReader {
  readonly status: number;
  readonly contentType: string;
  /** All that came so far. */
  readonly events: ReadEvent[] = [];
  readonly comments: string[] = [];
  /** Resolves when the server has closed the stream, or the connection broke. */
  readonly closed: Promise<void>;
  readonly #abort: AbortController;
  #isClosed = false;
  #wake: () => void = () => {};

  private constructor(response: Response, abort: AbortController) {
    this.status = response.status;
    this.contentType = response.headers.get('content-type') ?? '';
    this.#abort = abort;
    this.closed = this.#read(response)
      .catch(() => {})
      .finally(() => {
        this.#isClosed = true;
        this.#wake();
      });
  }

  static async open(url: string, headers: Readonly<Record<string, string>>): Promise<EventReader> {
    const abort = new AbortController();
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream', ...headers },
      signal: abort.signal,
    });
    return new EventReader(response, abort);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get names(): readonly string[] {
    return this.events.map(({ name }) => name);
  }

  /** The first event, of all that came and will come, for which it holds. */
  async until(what: string, holds: (event: ReadEvent) => boolean): Promise<ReadEvent> {
    const deadline = Date.now() + NEXT_WITHIN_MS;
    for (;;) {
      const found = this.events.find(holds);
      if (found !== undefined) return found;
      const leftMs = deadline - Date.now();
      if (this.#isClosed || leftMs <= 0) {
        throw new Error(`no ${what} among ${JSON.stringify(this.events, null, 1)}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  named(name: string): Promise<ReadEvent> {
    return this.until(name, (event) => event.name === name);
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(response: Response): Promise<void> {
    if (response.body === null) return;
    let rest = '';
    const decoder = new TextDecoder();
    for await (const bytes of response.body) {
      rest += decoder.decode(bytes as Uint8Array, { stream: true });
      const blocks = rest.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
      this.#wake();
    }
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      if (line.startsWith(':')) this.comments.push(line.slice(1).trim());
      else fields.set(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim());
    }
    const data = fields.get('data');
    if (data === undefined) return;
    const [id, name] = [fields.get('id') ?? '', fields.get('event') ?? 'message'];
    this.events.push({ id, name, data: JSON.parse(data) as ReadEvent['data'] });
  }
}
