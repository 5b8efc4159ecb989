import type { AudioFrame } from '../../model/audio.ts';
import type { Hearing, HearingOptions, SpeechToText, Transcript } from '../provider.ts';
import { Halver } from '../resample.ts';
import { SpeechError } from '../speech-error.ts';
import { EngineThread } from './embedded/engine-thread.ts';
import type { SpokenGrammar } from './embedded/grammar.ts';
import type { FromRecognizer, ToRecognizer } from './embedded/thread-protocol.ts';

const SAMPLE_RATE_HZ = 8000;
/** Audio crosses to the recognizer's thread in pieces of this size. */
const PIECE_SAMPLES = 0.06 * SAMPLE_RATE_HZ;
/** Phrasebooks known at once in one worker; the one longest unused is forgotten. */
const GRAMMARS_MAX = 64;
/** A caller speaks for a third of a call, at most. */
const CALLS_PER_DECODER = 3;
const NO_TRANSCRIPT: Transcript = { text: '', isFinal: true, stability: 1, audioMs: 0 };

interface Listener {
  readonly onInterim: (transcript: Transcript, isPeek: boolean) => void;
  readonly onFinal: (transcript: Transcript) => void;
  readonly onFailed: (error: SpeechError) => void;
}

/** The recognizer's thread, shared by all calls of one voice worker. */
export class RecognizerEngine {
  readonly #thread: EngineThread<ToRecognizer, FromRecognizer>;
  readonly #listeners = new Map<number, Listener>();
  /** Grammars that the thread knows, oldest use first. */
  readonly #prepared = new Map<string, Promise<void>>();
  /** What waits for an answer without words: grammars and `settled`. */
  readonly #awaited = new Map<number, { resolve: () => void; reject: (err: Error) => void }>();
  #nextId = 1;
  #openCount = 0;

  constructor() {
    this.#thread = new EngineThread({
      file: 'recognizer-thread',
      onMessage: (message) => this.#receive(message),
      onLost: (error) => this.#lost(error),
    });
  }

  /** Makes the grammar known; again is free. Rejects with `SPEECH_GRAMMAR_INVALID`. */
  prepare(key: string, grammar: SpokenGrammar): Promise<void> {
    const known = this.#prepared.get(key);
    if (known !== undefined) {
      this.#prepared.delete(key);
      this.#prepared.set(key, known);
      return known;
    }
    const id = this.#nextId;
    this.#nextId += 1;
    const prepared = new Promise<void>((resolve, reject) => {
      this.#awaited.set(id, { resolve, reject });
      this.#thread.post({ type: 'prepare', id, key, grammar });
    });
    this.#prepared.set(key, prepared);
    prepared.catch(() => this.#prepared.delete(key));
    this.#forgetOldest();
    return prepared;
  }

  /**
   * A call begins, maybe to speak. A decoder takes 200 ms to make, for which all who speak
   * wait: so it is made now, during the greeting, and not in the midst of speech.
   */
  opened(): void {
    this.#openCount += 1;
    const decoders = Math.ceil(this.#openCount / CALLS_PER_DECODER);
    try {
      this.#thread.post({ type: 'reserve', decoders });
    } catch {
      // The engine is gone; whoever speaks will be told.
    }
  }

  closed(): void {
    this.#openCount -= 1;
  }

  /** Begins an utterance and returns its number. */
  begin(key: string, listener: Listener): number {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#listeners.set(id, listener);
    this.post({ type: 'begin', id, key });
    return id;
  }

  post(message: Extract<ToRecognizer, { id: number }>, transfer: ArrayBuffer[] = []): void {
    if (message.type === 'drop') this.#listeners.delete(message.id);
    try {
      this.#thread.post(message, transfer);
    } catch (err) {
      if (err instanceof SpeechError) this.#fail(message.id, err);
      else throw err;
    }
  }

  /** Resolves when all audio given so far was heard, and the words were told. */
  settled(): Promise<void> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      this.#awaited.set(id, { resolve, reject });
      this.#thread.post({ type: 'sync', id });
    });
  }

  close(): Promise<void> {
    this.#lost(new SpeechError('SPEECH_ENGINE_FAILED', 'the engine was closed'));
    return this.#thread.close();
  }

  #forgetOldest(): void {
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size <= GRAMMARS_MAX || oldest === undefined) return;
    this.#prepared.delete(oldest);
    this.#thread.post({ type: 'forget', key: oldest });
  }

  #receive(message: FromRecognizer): void {
    const listener = this.#listeners.get(message.id);
    switch (message.type) {
      case 'prepared':
      case 'synced':
        this.#awaited.get(message.id)?.resolve();
        this.#awaited.delete(message.id);
        return;
      case 'interim':
        return listener?.onInterim(
          { text: message.text, isFinal: false, stability: 0.5, audioMs: message.audioMs },
          message.isPeek,
        );
      case 'final':
        this.#listeners.delete(message.id);
        return listener?.onFinal({
          text: message.text,
          isFinal: true,
          stability: 1,
          audioMs: message.audioMs,
        });
      case 'failed':
        return this.#fail(
          message.id,
          new SpeechError('SPEECH_ENGINE_FAILED', message.message, { retryable: true }),
        );
    }
  }

  #fail(id: number, error: SpeechError): void {
    this.#awaited.get(id)?.reject(error);
    this.#awaited.delete(id);
    const listener = this.#listeners.get(id);
    this.#listeners.delete(id);
    listener?.onFailed(error);
  }

  #lost(error: SpeechError): void {
    this.#prepared.clear();
    for (const id of [...this.#awaited.keys(), ...this.#listeners.keys()]) this.#fail(id, error);
  }
}

/** Hears what the phrasebook's grammar allows, in English, and nothing else. */
export function createEmbeddedSpeechToText(
  engine: RecognizerEngine,
  grammar: SpokenGrammar,
): SpeechToText {
  const key = grammar.jsgf;
  return {
    name: 'embedded',
    hasInterims: true,
    open: (options) => new EmbeddedHearing(engine, key, grammar, options),
    async prewarm() {
      await engine.prepare(key, grammar).catch(() => undefined);
    },
  };
}

class EmbeddedHearing implements Hearing {
  readonly #engine: RecognizerEngine;
  readonly #key: string;
  readonly #grammar: SpokenGrammar;
  readonly #options: HearingOptions;
  readonly #halver: Halver | null;
  readonly #piece = new Int16Array(PIECE_SAMPLES);
  #filled = 0;
  /** Number of the utterance being heard, null between two. */
  #utterance: number | null = null;
  #failure: SpeechError | null = null;
  /** Finalized utterances that wait for their text: a slow one may overlap the next. */
  readonly #settles = new Map<number, (result: Transcript | SpeechError) => void>();
  #isClosed = false;

  constructor(
    engine: RecognizerEngine,
    key: string,
    grammar: SpokenGrammar,
    options: HearingOptions,
  ) {
    this.#engine = engine;
    this.#key = key;
    this.#grammar = grammar;
    this.#options = options;
    this.#halver = options.sampleRateHz === SAMPLE_RATE_HZ ? null : new Halver();
    engine.opened();
    options.signal.addEventListener('abort', () => this.close(), { once: true });
  }

  write(frame: AudioFrame): void {
    if (this.#isClosed || this.#failure !== null) return;
    if (this.#utterance === null) this.#begin();
    const samples = this.#halver?.process(frame.samples) ?? frame.samples;
    let read = 0;
    while (read < samples.length) {
      const part = samples.subarray(read, read + PIECE_SAMPLES - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      read += part.length;
      if (this.#filled === PIECE_SAMPLES) this.#send();
    }
  }

  pause(): void {
    if (this.#utterance === null) return;
    this.#send();
    if (this.#utterance !== null) this.#engine.post({ type: 'peek', id: this.#utterance });
  }

  finalize(): Promise<Transcript> {
    const id = this.#utterance;
    if (this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      return Promise.reject(failure);
    }
    if (id === null) return Promise.resolve(NO_TRANSCRIPT);
    this.#send();
    this.#utterance = null;
    return new Promise((resolve, reject) => {
      this.#settles.set(id, (result) => {
        this.#settles.delete(id);
        if (result instanceof SpeechError) reject(result);
        else resolve(result);
      });
      this.#engine.post({ type: 'finish', id });
    });
  }

  abandon(): void {
    this.#failure = null;
    this.#filled = 0;
    if (this.#utterance !== null) this.#engine.post({ type: 'drop', id: this.#utterance });
    this.#utterance = null;
  }

  close(): void {
    if (this.#isClosed) return;
    this.abandon();
    this.#isClosed = true;
    this.#engine.closed();
    for (const settle of this.#settles.values()) settle(NO_TRANSCRIPT);
  }

  #begin(): void {
    // Free after the first time; it also makes a thread that was started anew learn the grammar.
    this.#engine.prepare(this.#key, this.#grammar).catch((err: unknown) => {
      if (err instanceof SpeechError) this.#failure = err;
    });
    const id = this.#engine.begin(this.#key, {
      onInterim: (transcript, isPeek) => {
        if (this.#utterance !== id) return;
        // After a pause nothing new is expected.
        this.#options.onInterim(isPeek ? { ...transcript, stability: 0.9 } : transcript);
      },
      onFinal: (transcript) => this.#settles.get(id)?.(transcript),
      onFailed: (error) => this.#failed(id, error),
    });
    this.#utterance = id;
  }

  #failed(id: number, error: SpeechError): void {
    const settle = this.#settles.get(id);
    if (settle !== undefined) return settle(error);
    if (this.#utterance !== id) return;
    this.#utterance = null;
    this.#failure = error;
  }

  #send(): void {
    if (this.#filled === 0 || this.#utterance === null) return;
    const samples = this.#piece.slice(0, this.#filled);
    this.#filled = 0;
    this.#engine.post({ type: 'write', id: this.#utterance, samples }, [samples.buffer]);
  }
}
