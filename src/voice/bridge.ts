import type { AudioFrame, AudioSink, AudioSource } from '../model/audio.ts';

/** One party of a bridge: what it says, and what it hears. */
export interface BridgeEnd {
  readonly source: AudioSource;
  readonly sink: AudioSink;
}

/** Two parties' clocks drift, and keys hold speech up: more than this waiting is dropped. */
const WAITING_MS_MAX = 80;
/** Heard before the first frame, so that a late tick leaves no gap. */
const LEAD_MS = 20;

/**
 * Two parties talk with each other: frames of one are written to the other, decoded, in whatever
 * rate; the sink converts and encodes. Keys are passed on as keys. Both live in one worker, so
 * nothing crosses a thread.
 */
export class Bridge {
  #isOpen = true;

  constructor(a: BridgeEnd, b: BridgeEnd, onError: (error: unknown) => void) {
    this.#pass(a, b, onError);
    this.#pass(b, a, onError);
  }

  close(): void {
    this.#isOpen = false;
  }

  #pass({ source }: BridgeEnd, { sink }: BridgeEnd, onError: (error: unknown) => void): void {
    sink.discard();
    sink.write(silence(source.sampleRateHz, LEAD_MS));
    source.onFrame((frame: AudioFrame) => {
      if (this.#isOpen && sink.queuedMs() < WAITING_MS_MAX) sink.write(frame);
    });
    source.onDigit((digit) => {
      if (this.#isOpen) sink.sendDigits(digit).catch(onError);
    });
  }
}

const silence = (sampleRateHz: number, milliseconds: number): AudioFrame => ({
  samples: new Int16Array((sampleRateHz * milliseconds) / 1000),
  sampleRateHz,
});
