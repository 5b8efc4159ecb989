import createModule, { type Decoder } from 'soundswallower';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const SAMPLE_RATE_HZ = 8000;

/**
 * Reads recorded speech back into text, for tests: says which of the given sentences was
 * spoken. It is a full acoustic decode (not a comparison of sounds) over a grammar of the
 * candidates, so give it decoys too. The recognizer is used here by itself, with its own
 * dictionary and search; none of our speech code is involved.
 */
export class Transcriber {
  readonly #decoder: Decoder;

  private constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  static async load(): Promise<Transcriber> {
    const before = process.listeners('uncaughtException');
    const rejections = process.listeners('unhandledRejection');
    const modelBase = `${join(dirname(createRequire(import.meta.url).resolve('soundswallower')), 'model')}/`;
    const module = await createModule({ modelBase } as object);
    // The package swallows crashes of the whole process; a test run must not.
    restore('uncaughtException', before);
    restore('unhandledRejection', rejections);
    const decoder = new module.Decoder({
      loglevel: 'ERROR',
      hmm: `${modelBase}en-us`,
      samprate: SAMPLE_RATE_HZ,
      upperf: 3800,
      nfft: 256,
      beam: 1e-80,
      wbeam: 1e-60,
    });
    await decoder.initialize();
    return new Transcriber(decoder);
  }

  /** The candidate that the 8 kHz audio says, or null when none was understood. */
  whichOf(candidates: readonly string[], samples: Int16Array): string | null {
    const spoken = candidates.map((text) => this.#words(text));
    const rules = spoken.map((words) => words.join(' ')).filter((rule) => rule !== '');
    this.#decoder.set_grammar(`#JSGF V1.0; grammar t; public <t> = ${rules.join(' | ')};`);
    this.#decoder.start();
    // A float copy of the samples, as the decoder wants them.
    const pcm = Float32Array.from(samples, (sample) => sample / 32_768);
    for (let at = 0; at < pcm.length; at += SAMPLE_RATE_HZ) {
      this.#decoder.process_audio(pcm.subarray(at, at + SAMPLE_RATE_HZ), false, false);
    }
    this.#decoder.stop();
    const heard = this.#decoder.get_text();
    const index = spoken.findIndex((words) => words.join(' ') === heard);
    return candidates[index] ?? null;
  }

  close(): void {
    this.#decoder.delete();
  }

  /** Lower-case words of the dictionary; others are left out of the grammar. */
  #words(text: string): string[] {
    return text
      .toLowerCase()
      .replaceAll(/[^a-z' ]+/g, ' ')
      .split(/\s+/)
      .filter((word) => word !== '' && this.#decoder.lookup_word(word) !== null);
  }
}

function restore(
  event: 'uncaughtException' | 'unhandledRejection',
  before:
    | readonly NodeJS.UncaughtExceptionListener[]
    | readonly NodeJS.UnhandledRejectionListener[],
): void {
  for (const listener of process.listeners(event as 'uncaughtException')) {
    if (!(before as readonly unknown[]).includes(listener)) process.off(event, listener);
  }
}
