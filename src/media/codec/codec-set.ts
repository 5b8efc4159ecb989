import type { CodecName } from '../../model/media.ts';
import { MediaError } from '../media-error.ts';
import type { AudioDecoder, AudioEncoder } from './audio-codec.ts';
import { G711Decoder, G711Encoder } from './g711-codec.ts';
import { G722Decoder, G722Encoder } from './g722-codec.ts';
import { loadOpus } from './load-opus.ts';
import {
  OPUS_CLOCK_RATE_HZ,
  type OpusCodec,
  type OpusEncodeRateHz,
  type OpusEngineChoice,
} from './opus-codec.ts';

/** Codecs of our own. */
const ALWAYS: readonly CodecName[] = ['g722', 'pcmu', 'pcma'];

/** What a leg needs of a codec, made for one stream each way. */
export interface CodecPair {
  readonly encoder: AudioEncoder;
  readonly decoder: AudioDecoder;
  /** RTP clock. */
  readonly clockRateHz: number;
}

/** The codecs one worker has loaded. */
export class CodecSet {
  readonly #opus: OpusCodec | null;
  readonly #opusRateHz: OpusEncodeRateHz;
  readonly #clipEncoders = new Map<CodecName, AudioEncoder>();

  private constructor(opus: OpusCodec | null, opusRateHz: OpusEncodeRateHz) {
    this.#opus = opus;
    this.#opusRateHz = opusRateHz;
  }

  static async load(choice: OpusEngineChoice, opusRateHz: OpusEncodeRateHz): Promise<CodecSet> {
    const codecs = new CodecSet(await loadOpus(choice), opusRateHz);
    for (const name of codecs.names) {
      codecs.#clipEncoders.set(name, await codecs.#createEncoder(name));
    }
    return codecs;
  }

  /** Best first. */
  get names(): readonly CodecName[] {
    return this.#opus === null ? ALWAYS : ['opus', ...ALWAYS];
  }

  /** Which libopus was loaded. */
  get opusEngine(): 'native' | 'wasm' | null {
    return this.#opus?.name ?? null;
  }

  /** Throws `MEDIA_CODEC_UNAVAILABLE`. */
  async createPair(name: CodecName): Promise<CodecPair> {
    const encoder = await this.#createEncoder(name);
    const decoder = await this.createDecoder(name);
    return { encoder, decoder, clockRateHz: name === 'opus' ? OPUS_CLOCK_RATE_HZ : 8000 };
  }

  /** Throws `MEDIA_CODEC_UNAVAILABLE`. */
  async createDecoder(name: CodecName): Promise<AudioDecoder> {
    if (name === 'pcmu' || name === 'pcma') return new G711Decoder(name);
    if (name === 'g722') return new G722Decoder();
    if (name === 'opus' && this.#opus !== null) return this.#opus.createDecoder();
    throw unavailable(name);
  }

  /** The encoder all legs share for clips, which are encoded in one go. */
  clipEncoder(name: CodecName): AudioEncoder {
    const encoder = this.#clipEncoders.get(name);
    if (encoder === undefined) throw unavailable(name);
    return encoder;
  }

  close(): void {
    for (const encoder of this.#clipEncoders.values()) encoder.close();
    this.#clipEncoders.clear();
  }

  async #createEncoder(name: CodecName): Promise<AudioEncoder> {
    if (name === 'pcmu' || name === 'pcma') return new G711Encoder(name);
    if (name === 'g722') return new G722Encoder();
    if (name === 'opus' && this.#opus !== null) return this.#opus.createEncoder(this.#opusRateHz);
    throw unavailable(name);
  }
}

function unavailable(name: CodecName): MediaError {
  return new MediaError('MEDIA_CODEC_UNAVAILABLE', `this worker cannot speak ${name}`);
}
