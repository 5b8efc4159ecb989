/**
 * 16-bit linear PCM, mono. `samples` may be a view of a buffer that its producer reuses:
 * whoever keeps it beyond the call must copy it.
 */
export interface AudioFrame {
  readonly samples: Int16Array;
  readonly sampleRateHz: number;
}

/**
 * Audio of one party arriving, one 20 ms frame at a time, in the leg's own rate
 * (8 kHz for PCMU and PCMA, 16 kHz for Opus and G.722). `mediaTimeMs` counts the leg's
 * media clock from its first frame and does not jump when packets are lost: concealed
 * and silent frames are delivered too.
 */
export interface AudioSource {
  readonly sampleRateHz: number;
  onFrame(listener: (frame: AudioFrame, mediaTimeMs: number) => void): void;
  /**
   * True: frames come as soon as their packets do, for who only listens. False, as at first: one
   * every 20 ms, for who plays them on.
   */
  hearAtOnce(isWanted: boolean): void;
  /** A keypad digit, once per press (RFC 4733 or SIP INFO): 0-9, A-D, star, pound. */
  onDigit(listener: (digit: string) => void): void;
}

/** Audio that was encoded once for one codec and may be played many times. */
export interface EncodedClip {
  readonly durationMs: number;
  /** Opaque to everyone but the media folder. One entry per 20 ms. */
  readonly frames: readonly Uint8Array[];
  /** Payload format the clip was made for, e.g. `PCMU/8000` or `opus/48000/2`. */
  readonly format: string;
}

/**
 * What one party hears. Frames are encoded ahead of time and leave on the ticker, every
 * 20 ms. Time is counted in milliseconds of audio really sent, since the leg began.
 */
export interface AudioSink {
  /** Rate that needs no resampling on this leg; any other rate is converted. */
  readonly preferredSampleRateHz: number;
  /** Payload format of `EncodedClip`s this sink takes. */
  readonly format: string;
  /** Queues PCM of any length and rate. Throws `MediaError` when over 60 s are waiting. */
  write(frame: AudioFrame): void;
  /** Marks the end of an utterance: what is left of a partial frame is padded and queued. */
  flush(): void;
  /** Encodes without playing, for the cache of greetings and fixed phrases. */
  encode(frame: AudioFrame): EncodedClip;
  writeClip(clip: EncodedClip): void;
  /** Audio written and not yet sent. */
  queuedMs(): number;
  /** Audio sent since the leg began, without silence. */
  playedMs(): number;
  /** Unix time at which the first frame of what is being heard left; null in silence. */
  soundSinceMs(): number | null;
  /** Stops sending at once and keeps the queue: barge-in, first stage. */
  hold(): void;
  /** Goes on with the very next sample. */
  resume(): void;
  /** Drops what was not sent and returns how many milliseconds that were. */
  discard(): number;
  /** Resolves when the queue is empty (also by `discard` or the leg closing). */
  drained(): Promise<void>;
  /** Sends keypad digits (RFC 4733, or in-band where that was not negotiated). */
  sendDigits(digits: string): Promise<void>;
}
