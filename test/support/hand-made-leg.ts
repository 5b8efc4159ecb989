import type { AudioFrame, AudioSink, AudioSource, EncodedClip } from '../../src/model/audio.ts';

const FRAME_MS = 20;

/** One party's audio, frame by frame, with the contract of `model/audio.ts` and no network. */
export class HandMadeLeg implements AudioSource, AudioSink {
  readonly sampleRateHz: number;
  readonly preferredSampleRateHz: number;
  readonly format: string;
  /** Everything that was sent, one entry per tick; null where there was silence. */
  readonly sent: (Int16Array | null)[] = [];
  /** Keys sent, each with what was still to be heard then. */
  readonly digitsSent: { digits: string; queuedMs: number }[] = [];
  /** Each call of `hold`, by tick. */
  readonly holds: number[] = [];
  #frameListeners: ((frame: AudioFrame, mediaTimeMs: number) => void)[] = [];
  #digitListeners: ((digit: string) => void)[] = [];
  #queue: Int16Array[] = [];
  #partial: number[] = [];
  #isHeld = false;
  #playedFrames = 0;
  #ticks = 0;
  #waiters: (() => void)[] = [];

  constructor(sampleRateHz = 8000) {
    this.sampleRateHz = sampleRateHz;
    this.preferredSampleRateHz = sampleRateHz;
    this.format = `L16/${sampleRateHz}`;
  }

  /** Twenty milliseconds pass: one frame leaves, one comes in (silence when none is given). */
  tick(samples?: Int16Array): void {
    this.#ticks += 1;
    const next = this.#isHeld ? undefined : this.#queue.shift();
    this.sent.push(next ?? null);
    if (next !== undefined) {
      this.#playedFrames += 1;
      if (this.#queue.length === 0) this.#wake();
    }
    const frame = {
      samples: samples ?? new Int16Array((this.sampleRateHz * FRAME_MS) / 1000),
      sampleRateHz: this.sampleRateHz,
    };
    for (const listener of this.#frameListeners) listener(frame, this.#ticks * FRAME_MS);
  }

  press(digit: string): void {
    for (const listener of this.#digitListeners) listener(digit);
  }

  /** The thread was stalled: the media clock jumps, and no frame comes. */
  stall(ms: number): void {
    this.#ticks += ms / FRAME_MS;
    for (let passed = 0; passed < ms; passed += FRAME_MS) this.sent.push(null);
  }

  get ticks(): number {
    return this.#ticks;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** What was sent, without the silence. */
  heard(): Int16Array {
    return Int16Array.from(this.sent.flatMap((frame) => (frame === null ? [] : [...frame])));
  }

  /** Frames come when the test writes them. */
  hearAtOnce(): void {}

  onFrame(listener: (frame: AudioFrame, mediaTimeMs: number) => void): void {
    this.#frameListeners.push(listener);
  }

  onDigit(listener: (digit: string) => void): void {
    this.#digitListeners.push(listener);
  }

  write(frame: AudioFrame): void {
    this.#partial.push(...this.#converted(frame));
    const perFrame = (this.sampleRateHz * FRAME_MS) / 1000;
    while (this.#partial.length >= perFrame) {
      this.#queue.push(Int16Array.from(this.#partial.splice(0, perFrame)));
    }
    if (this.#queue.length > 3000) throw new Error('more than 60 s are waiting');
  }

  flush(): void {
    if (this.#partial.length === 0) return;
    const perFrame = (this.sampleRateHz * FRAME_MS) / 1000;
    const frame = new Int16Array(perFrame);
    frame.set(this.#partial.splice(0));
    this.#queue.push(frame);
  }

  encode(frame: AudioFrame): EncodedClip {
    const samples = Int16Array.from(this.#converted(frame));
    const perFrame = (this.sampleRateHz * FRAME_MS) / 1000;
    const frames: Uint8Array[] = [];
    for (let at = 0; at < samples.length; at += perFrame) {
      const padded = new Int16Array(perFrame);
      padded.set(samples.subarray(at, at + perFrame));
      frames.push(new Uint8Array(padded.buffer));
    }
    return { durationMs: frames.length * FRAME_MS, frames, format: this.format };
  }

  writeClip(clip: EncodedClip): void {
    this.flush();
    for (const bytes of clip.frames) this.#queue.push(new Int16Array(bytes.slice().buffer));
  }

  queuedMs(): number {
    return this.#queue.length * FRAME_MS + (this.#partial.length * 1000) / this.sampleRateHz;
  }

  playedMs(): number {
    return this.#playedFrames * FRAME_MS;
  }

  /** It has no clock of its own. */
  soundSinceMs(): null {
    return null;
  }

  hold(): void {
    if (!this.#isHeld) this.holds.push(this.#ticks);
    this.#isHeld = true;
  }

  resume(): void {
    this.#isHeld = false;
  }

  discard(): number {
    const droppedMs = this.queuedMs();
    this.#queue = [];
    this.#partial = [];
    this.#isHeld = false;
    this.#wake();
    return droppedMs;
  }

  drained(): Promise<void> {
    this.flush();
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  async sendDigits(digits: string): Promise<void> {
    this.digitsSent.push({ digits, queuedMs: this.queuedMs() });
  }

  /** Straight lines between samples: good enough where nobody listens for quality. */
  #converted({ samples, sampleRateHz }: AudioFrame): number[] {
    const ratio = sampleRateHz / this.sampleRateHz;
    const out: number[] = [];
    for (let n = 0; n < Math.floor(samples.length / ratio); n += 1) {
      const at = n * ratio;
      const low = samples[Math.floor(at)] ?? 0;
      const high = samples[Math.min(Math.floor(at) + 1, samples.length - 1)] ?? 0;
      out.push(Math.round(low + (high - low) * (at % 1)));
    }
    return out;
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}
