import type { EncodedClip } from '../model/audio.ts';

/** Audio kept, all clips together: 20 minutes are about 10 MB of G.711. */
const CACHED_MS_MAX = 20 * 60_000;

/** A clause that was spoken and encoded once. */
export interface Clip {
  readonly encoded: EncodedClip;
  /** Loudness in dBFS, one value per 20 ms, for the echo guard. */
  readonly levels: Float32Array;
}

/**
 * Clauses by voice, format and text, for greetings and fixed phrases; shared by the calls of
 * one worker. The clips longest unused go first.
 */
export class ClipCache {
  readonly #clips = new Map<string, Clip>();
  readonly #msMax: number;
  #totalMs = 0;

  constructor(msMax = CACHED_MS_MAX) {
    this.#msMax = msMax;
  }

  get size(): number {
    return this.#clips.size;
  }

  get(key: string): Clip | null {
    const clip = this.#clips.get(key);
    if (clip === undefined) return null;
    this.#clips.delete(key);
    this.#clips.set(key, clip);
    return clip;
  }

  set(key: string, clip: Clip): void {
    this.#remove(key);
    if (clip.encoded.durationMs > this.#msMax) return;
    this.#clips.set(key, clip);
    this.#totalMs += clip.encoded.durationMs;
    for (const oldest of this.#clips.keys()) {
      if (this.#totalMs <= this.#msMax) break;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    this.#totalMs -= this.#clips.get(key)?.encoded.durationMs ?? 0;
    this.#clips.delete(key);
  }
}
