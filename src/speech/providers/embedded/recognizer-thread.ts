import { parentPort } from 'node:worker_threads';
import { assertNever } from '../../../lib/assert-never.ts';
import { Recognizer } from './recognizer.ts';
import type { FromRecognizer, ToRecognizer } from './thread-protocol.ts';

/** Text last told of each utterance, so that only news crosses the threads. */
const told = new Map<number, string>();
const loading = Recognizer.load();
/** Messages are handled strictly in order, although some of them wait. */
let last: Promise<void> = Promise.resolve();

parentPort?.on('message', (message: ToRecognizer) => {
  last = last.then(async () => {
    try {
      await handle(await loading, message);
    } catch (err) {
      const id = 'id' in message ? message.id : 0;
      told.delete(id);
      post({ type: 'failed', id, message: err instanceof Error ? err.message : String(err) });
    }
  });
});

async function handle(recognizer: Recognizer, message: ToRecognizer): Promise<void> {
  switch (message.type) {
    case 'prepare':
      await recognizer.prepare(message.key, message.grammar);
      return post({ type: 'prepared', id: message.id });
    case 'forget':
      return recognizer.forget(message.key);
    case 'reserve':
      return recognizer.reserve(message.decoders);
    case 'sync':
      return post({ type: 'synced', id: message.id });
    case 'begin':
      recognizer.begin(message.id, message.key);
      return recognizer.makeSpare();
    case 'write':
      recognizer.write(message.id, message.samples);
      return tell(recognizer, message.id, false);
    case 'peek':
      return tell(recognizer, message.id, true);
    case 'finish': {
      told.delete(message.id);
      return post({ type: 'final', id: message.id, ...(await recognizer.finish(message.id)) });
    }
    case 'drop':
      told.delete(message.id);
      return recognizer.drop(message.id);
    default:
      return assertNever(message);
  }
}

function tell(recognizer: Recognizer, id: number, isPeek: boolean): void {
  const interim = recognizer.interim(id);
  if (!isPeek && told.get(id) === interim.text) return;
  told.set(id, interim.text);
  post({ type: 'interim', id, ...interim, isPeek });
}

function post(message: FromRecognizer): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A thread, not a window.
  parentPort?.postMessage(message);
}
