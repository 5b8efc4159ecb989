import type { ApiClient } from './api-client.ts';
import { fieldsOf, type Fields } from './fields.ts';

/** One server-sent event. */
export interface SourceEvent {
  readonly name: string;
  readonly data: Fields;
}

const RECONNECTS_MAX = 10;
const RECONNECT_MS = 2000;
/** More than the longest event by far: what is longer is no stream of ours. */
const BLOCK_LENGTH_MAX = 1_048_576;

/**
 * Reads a stream of the API to its end, and goes on behind the last event when the connection
 * breaks: at most ten times in a row.
 */
export async function* readEvents(
  api: ApiClient,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<SourceEvent> {
  let lastId = '';
  for (let failures = 0; failures <= RECONNECTS_MAX; failures += 1) {
    const headers = { accept: 'text/event-stream', ...(lastId && { 'last-event-id': lastId }) };
    try {
      const response = await api.open(path, headers, signal);
      if (response.status === 204 || response.body === null) return;
      for await (const { id, ...event } of eventsIn(response.body)) {
        if (id !== '') lastId = id;
        failures = 0;
        yield event;
        if (event.name === 'ended') return;
      }
    } catch (error) {
      if (signal.aborted) return;
      // The first time it is a mistake; later the daemon may be starting again.
      if (lastId === '') throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

async function* eventsIn(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<SourceEvent & { readonly id: string }> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    const blocks = rest.split('\n\n');
    rest = (blocks.pop() ?? '').slice(0, BLOCK_LENGTH_MAX);
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event !== null) yield event;
    }
  }
}

function parseBlock(block: string): (SourceEvent & { readonly id: string }) | null {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name !== '') fields.set(name, value);
  }
  const text = fields.get('data');
  if (text === undefined) return null;
  const data: unknown = JSON.parse(text);
  return {
    id: fields.get('id') ?? '',
    name: fields.get('event') ?? 'message',
    data: fieldsOf(data),
  };
}
