/** All audio moves in frames of this length. */
export const FRAME_MS = 20;
export const FRAMES_PER_SECOND = 1000 / FRAME_MS;

/**
 * Turns payloads into PCM. What it returns is a view that the next call overwrites.
 * It keeps the state of one stream and never throws for what came from the network.
 */
export interface AudioDecoder {
  readonly sampleRateHz: number;
  /** Decodes `packet[start..end)`; null when that is not valid for this codec. */
  decode(packet: Buffer, start: number, end: number): Int16Array | null;
  /** Makes up one lost frame; uses the following packet's redundancy when it can. */
  conceal(next: Buffer | null, nextStart: number, nextEnd: number): Int16Array;
  close(): void;
}

/** Turns 20 ms frames of PCM into payloads, which belong to the caller. */
export interface AudioEncoder {
  readonly sampleRateHz: number;
  /** As in `EncodedClip.format`. */
  readonly format: string;
  /** Encoding costs next to nothing, so frames are encoded when written and not ahead of time. */
  readonly isCheap: boolean;
  /** A frame of silence to send in pauses. */
  readonly silence: Uint8Array;
  /** `isFirst`: the far decoder did not get our last frame, so predict nothing from it. */
  encode(pcm: Int16Array, isFirst: boolean): Uint8Array;
  /** 0 (cheapest) to 10; a codec without such a knob ignores it. */
  setComplexity(complexity: number): void;
  close(): void;
}
