import { parentPort } from 'node:worker_threads';
import { assertNever } from '../../../lib/assert-never.ts';
import { Flite, fliteVoice } from './flite.ts';
import type { FromSynthesizer, ToSynthesizer } from './thread-protocol.ts';

const waiting: { id: number; text: string; voice: string }[] = [];
const loading = Flite.load().then((flite) => {
  // The first run compiles: 100 ms that no caller should wait for.
  flite.synthesize('Hello.', fliteVoice(''));
  flite.reset();
  return flite;
});
let isBusy = false;

parentPort?.on('message', (message: ToSynthesizer) => {
  switch (message.type) {
    case 'speak':
      waiting.push(message);
      void work();
      return;
    case 'cancel': {
      const at = waiting.findIndex(({ id }) => id === message.id);
      if (at !== -1) waiting.splice(at, 1);
      return;
    }
    default:
      assertNever(message);
  }
});

/** One text at a time; between two of them messages are read, so a cancel can come through. */
async function work(): Promise<void> {
  if (isBusy) return;
  isBusy = true;
  for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
    try {
      const flite = await loading;
      const { samples, sampleRateHz } = flite.synthesize(job.text, fliteVoice(job.voice));
      post({ type: 'spoken', id: job.id, samples, sampleRateHz }, [samples.buffer]);
      flite.reset();
    } catch (err) {
      const message = err instanceof Error ? err.message : String(err);
      post({ type: 'failed', id: job.id, message });
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  isBusy = false;
}

function post(message: FromSynthesizer, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}
