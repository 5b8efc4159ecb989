import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import createModule, { type Decoder, type SoundSwallowerModule } from 'soundswallower';
import { SpeechError } from '../../speech-error.ts';
import { GARBAGE_WORDS, type SpokenGrammar, spokenText, withGarbage, wordsOf } from './grammar.ts';
import { pronounce } from './pronunciation.ts';

const SAMPLE_RATE_HZ = 8000;
/** Decoders alive at once, each 4 to 10 MB; also the utterances heard at once. */
export const DECODERS_MAX = 24;
/** Audio that one utterance may have waiting for a free decoder. */
const WAITING_SAMPLES_MAX = 20 * SAMPLE_RATE_HZ;
/** Utterances that may wait for a free decoder. */
export const WAITING_UTTERANCES_MAX = 200;
/** One utterance is heard for at most this long; the rest is ignored. */
const UTTERANCE_SAMPLES_MAX = 60 * SAMPLE_RATE_HZ;

interface PooledDecoder {
  readonly decoder: Decoder;
  /** Grammar that is set, and words that are known. */
  grammarKey: string;
  readonly words: Set<string>;
}

interface Grammar {
  readonly jsgf: string;
  readonly entries: readonly (readonly [string, string])[];
}

interface Utterance {
  readonly grammarKey: string;
  lease: PooledDecoder | null;
  waiting: Float32Array[];
  waitingSamples: number;
  heardSamples: number;
}

/**
 * The embedded recognizer: soundswallower with a grammar. Synchronous after `prepare`;
 * about 5 % of real time while somebody speaks and nothing otherwise. A decoder is lent for
 * one utterance, not for one call, so a hundred calls need about a dozen.
 */
export class Recognizer {
  readonly #module: SoundSwallowerModule;
  readonly #modelPath: string;
  readonly #grammars = new Map<string, Grammar>();
  readonly #free: PooledDecoder[] = [];
  readonly #utterances = new Map<number, Utterance>();
  #decoderCount = 0;

  private constructor(module: SoundSwallowerModule, modelPath: string) {
    this.#module = module;
    this.#modelPath = modelPath;
  }

  static async load(): Promise<Recognizer> {
    const packageFile = createRequire(import.meta.url).resolve('soundswallower/jsonly');
    const modelBase = `${join(dirname(dirname(packageFile)), 'model')}/`;
    const before = new Set(process.listeners('uncaughtException'));
    const module: SoundSwallowerModule = await createModule({
      // @ts-expect-error The package's own setting, unknown to the Emscripten types.
      modelBase,
      print: () => undefined,
      printErr: () => undefined,
    });
    // It installs one that rethrows: it would change how this process dies.
    for (const listener of process.listeners('uncaughtException')) {
      if (!before.has(listener)) process.off('uncaughtException', listener);
    }
    return new Recognizer(module, join(modelBase, 'en-us'));
  }

  /** Learns a grammar and makes one decoder for it. Throws `SPEECH_GRAMMAR_INVALID`. */
  async prepare(key: string, grammar: SpokenGrammar): Promise<void> {
    if (this.#grammars.has(key)) return;
    const entries = [
      ...(await pronounce(wordsOf(grammar), join(this.#modelPath, 'dict.txt'))),
      ...GARBAGE_WORDS,
    ];
    this.#grammars.set(key, { jsgf: withGarbage(grammar), entries });
    try {
      const pooled = this.#free.pop() ?? (await this.#makeDecoder());
      this.#setGrammar(pooled, key);
      this.#free.push(pooled);
    } catch (err) {
      this.#grammars.delete(key);
      throw new SpeechError('SPEECH_GRAMMAR_INVALID', 'the phrasebook grammar was not accepted', {
        cause: err,
      });
    }
  }

  /** Forgets a grammar that no call uses any more. */
  forget(key: string): void {
    this.#grammars.delete(key);
  }

  begin(id: number, grammarKey: string): void {
    if (!this.#grammars.has(grammarKey)) {
      throw new SpeechError('SPEECH_GRAMMAR_INVALID', 'no such grammar was prepared');
    }
    if (this.#utterances.size >= DECODERS_MAX + WAITING_UTTERANCES_MAX) {
      throw new SpeechError('SPEECH_ENGINE_BUSY', 'too many callers speak at once', {
        retryable: true,
      });
    }
    const utterance = { grammarKey, lease: null, waiting: [], waitingSamples: 0, heardSamples: 0 };
    this.#utterances.set(id, utterance);
    this.#lend(utterance);
  }

  /** Hears 8 kHz audio. */
  write(id: number, samples: Int16Array): void {
    const utterance = this.#utterances.get(id);
    if (utterance === undefined || utterance.heardSamples > UTTERANCE_SAMPLES_MAX) return;
    utterance.heardSamples += samples.length;
    const floats = Float32Array.from(samples, (sample) => sample / 32_768);
    if (utterance.lease !== null) {
      utterance.lease.decoder.process_audio(floats);
    } else if (utterance.waitingSamples < WAITING_SAMPLES_MAX) {
      utterance.waiting.push(floats);
      utterance.waitingSamples += floats.length;
    }
  }

  /** Best guess so far. */
  interim(id: number): { text: string; audioMs: number } {
    const utterance = this.#utterances.get(id);
    const text = utterance?.lease?.decoder.get_text() ?? '';
    return { text: spokenText(text), audioMs: audioMs(utterance) };
  }

  /** Ends the utterance. Waits in no queue: with no decoder free, one is made. */
  async finish(id: number): Promise<{ text: string; audioMs: number }> {
    const utterance = this.#utterances.get(id);
    if (utterance === undefined) return { text: '', audioMs: 0 };
    if (utterance.lease === null) this.#take(utterance, await this.#makeDecoder());
    this.#utterances.delete(id);
    const { lease } = utterance;
    if (lease === null) return { text: '', audioMs: audioMs(utterance) };
    lease.decoder.stop();
    const text = spokenText(lease.decoder.get_text());
    this.#giveBack(lease);
    return { text, audioMs: audioMs(utterance) };
  }

  drop(id: number): void {
    const utterance = this.#utterances.get(id);
    this.#utterances.delete(id);
    if (utterance?.lease == null) return;
    utterance.lease.decoder.stop();
    this.#giveBack(utterance.lease);
  }

  /** Makes a decoder ahead when the last free one is in use, so that nobody waits for it. */
  async makeSpare(): Promise<void> {
    if (this.#free.length === 0) await this.reserve(this.#decoderCount + 1);
  }

  /** Makes one decoder when there are fewer than wanted. */
  async reserve(decoders: number): Promise<void> {
    if (this.#decoderCount >= Math.min(decoders, DECODERS_MAX)) return;
    const pooled = await this.#makeDecoder();
    const [first] = this.#grammars.keys();
    if (first !== undefined) this.#setGrammar(pooled, first);
    this.#giveBack(pooled);
  }

  #lend(utterance: Utterance): void {
    const at = this.#free.findIndex(({ grammarKey }) => grammarKey === utterance.grammarKey);
    const [pooled] = this.#free.splice(at === -1 ? 0 : at, 1);
    if (pooled !== undefined) this.#take(utterance, pooled);
  }

  #take(utterance: Utterance, pooled: PooledDecoder): void {
    this.#setGrammar(pooled, utterance.grammarKey);
    pooled.decoder.start();
    utterance.lease = pooled;
    for (const floats of utterance.waiting) pooled.decoder.process_audio(floats);
    utterance.waiting = [];
    utterance.waitingSamples = 0;
  }

  #giveBack(pooled: PooledDecoder): void {
    if (this.#decoderCount > DECODERS_MAX) {
      this.#decoderCount -= 1;
      pooled.decoder.delete();
      return;
    }
    const waiting = [...this.#utterances.values()].find(({ lease }) => lease === null);
    if (waiting === undefined) this.#free.push(pooled);
    else this.#take(waiting, pooled);
  }

  #setGrammar(pooled: PooledDecoder, key: string): void {
    if (pooled.grammarKey === key) return;
    const grammar = this.#grammars.get(key);
    if (grammar === undefined) throw new SpeechError('SPEECH_GRAMMAR_INVALID', 'grammar forgotten');
    const fresh = grammar.entries.filter(([word]) => !pooled.words.has(word));
    for (const [word] of fresh) pooled.words.add(word);
    if (fresh.length > 0)
      pooled.decoder.add_words(...fresh.map(([a, b]): [string, string] => [a, b]));
    pooled.decoder.set_grammar(grammar.jsgf);
    pooled.grammarKey = key;
  }

  /** 50 ms of CPU; the dictionary is left out, words come with the grammar. */
  async #makeDecoder(): Promise<PooledDecoder> {
    const decoder = new this.#module.Decoder({
      hmm: this.#modelPath,
      samprate: SAMPLE_RATE_HZ,
      upperf: 3800,
      nfft: 256,
      dict: join(this.#modelPath, 'none'),
      loglevel: 'FATAL',
    });
    await decoder.initialize();
    this.#decoderCount += 1;
    return { decoder, grammarKey: '', words: new Set() };
  }
}

function audioMs(utterance: Utterance | undefined): number {
  return ((utterance?.heardSamples ?? 0) * 1000) / SAMPLE_RATE_HZ;
}
