import type { AudioFrame, AudioSink, EncodedClip } from '../model/audio.ts';
import {
  type AudioDecoder,
  type AudioEncoder,
  FRAME_MS,
  FRAMES_PER_SECOND,
} from './codec/audio-codec.ts';
import { encodeClip } from './encode-clip.ts';
import { MediaError } from './media-error.ts';
import { PcmBacklog } from './pcm-backlog.ts';
import { Resampler } from './resampler.ts';

/** Most that may wait: 60 s. */
const QUEUE_FRAMES_MAX = 3000;
/** How far a codec that costs something encodes ahead of time. */
const AHEAD_FRAMES = 6;
/** How far written audio is converted ahead of time, and by how much per tick. */
const CONVERTED_FRAMES = 10;
const CONVERT_PER_TICK = 3;
const SPARE_FRAMES_MAX = 64;
/** Sent frames are cut off the queue's arrays this many at a time. */
const COMPACT_AT = 128;

export interface PlayoutOptions {
  readonly encoder: AudioEncoder;
  /** Shared by the legs of a worker: a clip is encoded in one go. */
  readonly clipEncoder: AudioEncoder;
  /** Sound waits to be sent and nothing was sent on the last tick. */
  readonly onReady: () => void;
  readonly sendDigits: (digits: string) => Promise<void>;
}

/**
 * The queue of what one party hears. Frames keep their PCM until they are sent, so that a
 * frame encoded ahead can be encoded anew after `hold`, where the codec's prediction broke.
 */
export class Playout implements AudioSink {
  readonly #onReady: () => void;
  readonly #sendDigits: (digits: string) => Promise<void>;
  #encoder: AudioEncoder;
  #clipEncoder: AudioEncoder;

  /** Frames from `#head` on; a clip's frames have no PCM, frames not yet encoded only that. */
  #pcm: (Int16Array | null)[] = [];
  #encoded: (Uint8Array | null)[] = [];
  #head = 0;
  #encodedTo = 0;
  /** The next frame encoded follows something the far decoder got from elsewhere, or nothing. */
  #isBroken = true;

  readonly #backlog = new PcmBacklog();
  #partial: Int16Array;
  #partialLength = 0;
  #resampler: Resampler | null = null;
  #resamplerRateHz = 0;
  readonly #spare: Int16Array[] = [];

  #isHeld = false;
  #isIdle = true;
  #soundSinceMs = 0;
  #isClosed = false;
  #playedFrames = 0;
  #waiters: (() => void)[] = [];

  constructor(options: PlayoutOptions) {
    this.#encoder = options.encoder;
    this.#clipEncoder = options.clipEncoder;
    this.#onReady = options.onReady;
    this.#sendDigits = options.sendDigits;
    this.#partial = this.#newFrame();
  }

  get preferredSampleRateHz(): number {
    return this.#encoder.sampleRateHz;
  }

  get format(): string {
    return this.#encoder.format;
  }

  /** After the leg closed, what is written goes nowhere. */
  write(frame: AudioFrame): void {
    if (this.#isClosed) return;
    const frames = Math.ceil((frame.samples.length * FRAMES_PER_SECOND) / frame.sampleRateHz);
    this.#checkRoom(frames);
    this.#backlog.push(frame);
    this.#announce();
  }

  flush(): void {
    if (this.#isClosed) return;
    if (this.#backlog.isEmpty) this.#pad();
    else this.#backlog.pushEnd();
    this.#announce();
  }

  encode(frame: AudioFrame): EncodedClip {
    return encodeClip(this.#clipEncoder, frame);
  }

  writeClip(clip: EncodedClip): void {
    if (this.#isClosed) return;
    if (clip.format !== this.format) {
      const message = `a clip in ${clip.format} cannot play on a leg in ${this.format}`;
      throw new MediaError('MEDIA_CLIP_FORMAT_MISMATCH', message);
    }
    this.#checkRoom(clip.frames.length);
    this.flush();
    // A clip follows at once what was written before it.
    this.#convert(Number.POSITIVE_INFINITY);
    for (const frame of clip.frames) {
      this.#pcm.push(null);
      this.#encoded.push(frame);
    }
    this.#announce();
  }

  queuedMs(): number {
    const partialMs = (this.#partialLength / this.#encoder.sampleRateHz) * 1000;
    return this.#waitingFrames() * FRAME_MS + partialMs + this.#backlog.milliseconds;
  }

  playedMs(): number {
    return this.#playedFrames * FRAME_MS;
  }

  soundSinceMs(): number | null {
    return this.#isIdle ? null : this.#soundSinceMs;
  }

  hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#breakPrediction();
  }

  resume(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#announce();
  }

  /** Ends a hold too: what is written next is heard. */
  discard(): number {
    const droppedMs = this.queuedMs();
    this.#pcm.length = 0;
    this.#encoded.length = 0;
    this.#head = 0;
    this.#encodedTo = 0;
    this.#partialLength = 0;
    this.#backlog.clear();
    this.#resampler?.reset();
    this.#isBroken = true;
    this.#isHeld = false;
    this.#wakeWaiters();
    return droppedMs;
  }

  /** Flushes first: nothing could ever be drained behind a partial frame. */
  drained(): Promise<void> {
    this.flush();
    if (this.#isClosed || this.#isEmpty()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  sendDigits(digits: string): Promise<void> {
    return this.#sendDigits(digits);
  }

  /** The payload due on this tick, or null: then the far side hears silence. */
  takeFrame(): Uint8Array | null {
    if (!this.#isHeld) this.#convert(1);
    if (this.#isHeld || this.#waitingFrames() === 0) {
      this.#isIdle = true;
      this.#isBroken = this.#isBroken || this.#waitingFrames() === 0;
      return null;
    }
    if (this.#encodedTo <= this.#head) this.#encodeNext();
    const payload = this.#encoded[this.#head]!;
    const pcm = this.#pcm[this.#head] ?? null;
    if (pcm !== null && this.#spare.length < SPARE_FRAMES_MAX) this.#spare.push(pcm);
    this.#pcm[this.#head] = null;
    this.#encoded[this.#head] = null;
    this.#head += 1;
    this.#playedFrames += 1;
    if (this.#isIdle) this.#soundSinceMs = performance.timeOrigin + performance.now();
    this.#isIdle = false;
    this.#compact();
    // What is left may be an `end` alone.
    this.#convert(1);
    if (this.#isEmpty()) this.#wakeWaiters();
    return payload;
  }

  /** Encodes up to `most` frames in the slack after sending. */
  encodeAhead(most: number): void {
    if (this.#isHeld) return;
    this.#convert(Math.min(CONVERTED_FRAMES, this.#waitingFrames() + CONVERT_PER_TICK));
    const end = Math.min(this.#pcm.length, this.#head + AHEAD_FRAMES);
    for (let count = 0; count < most && this.#encodedTo < end; count += 1) this.#encodeNext();
  }

  /** Something else (a digit) was sent between our frames. */
  interrupted(): void {
    this.#breakPrediction();
  }

  /** A re-INVITE changed the codec: what waits is decoded with the old one and encoded anew. */
  changeEncoder(encoder: AudioEncoder, clipEncoder: AudioEncoder, oldDecoder: AudioDecoder): void {
    const waiting: AudioFrame[] = [];
    const oldRateHz = this.#encoder.sampleRateHz;
    for (let at = this.#head; at < this.#pcm.length; at += 1) {
      waiting.push(this.#frameAt(at, oldRateHz, oldDecoder));
    }
    const samples = this.#partial.slice(0, this.#partialLength);
    waiting.push({ samples, sampleRateHz: oldRateHz });
    this.#pcm = [];
    this.#encoded = [];
    this.#head = 0;
    this.#encodedTo = 0;
    this.#spare.length = 0;
    this.#resampler = null;
    this.#isBroken = true;
    this.#encoder = encoder;
    this.#clipEncoder = clipEncoder;
    this.#partial = this.#newFrame();
    this.#partialLength = 0;
    for (const frame of waiting) this.#append(this.#converted(frame));
  }

  close(): void {
    this.discard();
    this.#isClosed = true;
  }

  #waitingFrames(): number {
    return this.#pcm.length - this.#head;
  }

  /** A partial frame alone is nothing to wait for: only `flush` lets it be sent. */
  #isEmpty(): boolean {
    return this.#waitingFrames() === 0 && this.#backlog.isEmpty;
  }

  #checkRoom(frames: number): void {
    const unconvertedFrames = Math.ceil(this.#backlog.milliseconds / FRAME_MS);
    if (this.#waitingFrames() + unconvertedFrames + frames <= QUEUE_FRAMES_MAX) return;
    throw new MediaError('MEDIA_QUEUE_FULL', 'more than 60 s of audio are waiting to be sent');
  }

  #frameAt(at: number, rateHz: number, decoder: AudioDecoder): AudioFrame {
    const pcm = this.#pcm[at] ?? null;
    if (pcm !== null) return { samples: pcm, sampleRateHz: rateHz };
    const payload = Buffer.from(this.#encoded[at]!);
    const decoded = decoder.decode(payload, 0, payload.length);
    const samples = decoded?.slice() ?? new Int16Array(decoder.sampleRateHz / FRAMES_PER_SECOND);
    return { samples, sampleRateHz: decoder.sampleRateHz };
  }

  #converted(frame: AudioFrame): Int16Array {
    const rateHz = frame.sampleRateHz;
    if (rateHz === this.#encoder.sampleRateHz) {
      this.#resampler = null;
      return frame.samples;
    }
    if (this.#resampler === null || this.#resamplerRateHz !== rateHz) {
      this.#resampler = new Resampler(rateHz, this.#encoder.sampleRateHz);
      this.#resamplerRateHz = rateHz;
    }
    return this.#resampler.process(frame.samples);
  }

  /** Converts what waits until so many frames are ready to be encoded or sent. */
  #convert(frames: number): void {
    while (this.#waitingFrames() < frames) {
      const piece = this.#backlog.take();
      if (piece === null) return;
      if (piece === 'end') this.#pad();
      else this.#append(this.#converted(piece));
    }
  }

  #pad(): void {
    if (this.#resampler !== null) {
      // The last millisecond is still inside the filter.
      this.#append(this.#resampler.process(new Int16Array(this.#resampler.delaySamples)));
      this.#resampler.reset();
    }
    if (this.#partialLength === 0) return;
    this.#partial.fill(0, this.#partialLength);
    this.#pushPartial();
  }

  #append(samples: Int16Array): void {
    let at = 0;
    while (at < samples.length) {
      const room = this.#partial.length - this.#partialLength;
      const taken = samples.subarray(at, at + room);
      this.#partial.set(taken, this.#partialLength);
      this.#partialLength += taken.length;
      at += taken.length;
      if (this.#partialLength === this.#partial.length) this.#pushPartial();
    }
  }

  #pushPartial(): void {
    if (this.#encoder.isCheap) {
      this.#encoded.push(this.#encoder.encode(this.#partial, false));
      this.#pcm.push(null);
    } else {
      this.#encoded.push(null);
      this.#pcm.push(this.#partial);
      this.#partial = this.#spare.pop() ?? this.#newFrame();
    }
    this.#partialLength = 0;
  }

  #newFrame(): Int16Array {
    return new Int16Array(this.#encoder.sampleRateHz / FRAMES_PER_SECOND);
  }

  /** The first frame of an utterance is encoded at once, so that it leaves in the next slot. */
  #announce(): void {
    if (!this.#isIdle || this.#isHeld) return;
    this.#convert(1);
    if (this.#waitingFrames() === 0) return;
    this.encodeAhead(1);
    this.#onReady();
  }

  #encodeNext(): void {
    const at = Math.max(this.#encodedTo, this.#head);
    const pcm = this.#pcm[at] ?? null;
    if (pcm === null) {
      // A ready frame of a clip; the encoder knows nothing of it.
      this.#isBroken = true;
    } else {
      this.#encoded[at] = this.#encoder.encode(pcm, this.#isBroken);
      this.#isBroken = false;
    }
    this.#encodedTo = at + 1;
  }

  #breakPrediction(): void {
    for (let at = this.#head; at < this.#encodedTo; at += 1) {
      if (this.#pcm[at] !== null) this.#encoded[at] = null;
    }
    this.#encodedTo = this.#head;
    this.#isBroken = true;
  }

  #compact(): void {
    if (this.#head < COMPACT_AT && this.#head < this.#pcm.length) return;
    this.#pcm.splice(0, this.#head);
    this.#encoded.splice(0, this.#head);
    this.#encodedTo = Math.max(0, this.#encodedTo - this.#head);
    this.#head = 0;
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
