import { MediaError } from '../media-error.ts';
import { EVENT_DURATION_MAX, eventOfDigit } from './telephone-event.ts';

export const DIGITS_QUEUED_MAX = 64;
/** 100 ms of tone and as much pause: slow enough for every voicemail system. */
export const TONE_MS = 100;
export const PAUSE_MS = 100;
const FRAME_MS = 20;
const TONE_FRAMES = TONE_MS / FRAME_MS;
const PAUSE_FRAMES = PAUSE_MS / FRAME_MS;
/** The end is sent three times, with one timestamp and duration (RFC 4733 §2.5.1.4). */
const END_PACKETS = 3;
/** -10 dBm0. */
const VOLUME = 10;

/** Throws `MEDIA_DIGITS_INVALID` for anything but 0-9, A-D, star and pound, or for too many. */
export function checkDigits(digits: string, waiting: number): void {
  const isValid = /^[0-9A-Da-d*#]*$/.test(digits);
  if (isValid && digits.length + waiting <= DIGITS_QUEUED_MAX) return;
  const message = isValid
    ? `more than ${DIGITS_QUEUED_MAX} digits are waiting`
    : 'digits are 0-9, A-D, * and #';
  throw new MediaError('MEDIA_DIGITS_INVALID', message);
}

/**
 * Sends key presses as telephone-event packets, one per 20 ms tick, instead of audio.
 * `next` fills `payload`; `rtpTimestamp` of every packet of a press is that of its first tick.
 */
export class DigitSender {
  #queue = '';
  #frame = 0;
  #startTimestamp = 0;
  #waiters: (() => void)[] = [];

  readonly payload = Buffer.alloc(4);
  /** Set by `next`. */
  rtpTimestamp = 0;
  hasMarker = false;
  /** Packets to send on this tick: the last end packets may share ticks with the pause. */
  isPause = false;

  get isActive(): boolean {
    return this.#queue.length > 0;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Resolves when the last digit and its pause are over, or the leg closed. */
  send(digits: string): Promise<void> {
    checkDigits(digits, this.#queue.length);
    if (digits.length === 0) return Promise.resolve();
    this.#queue += digits;
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** One tick of an active sender. `frameTicks`: event clock units in 20 ms. */
  next(currentTimestamp: number, frameTicks: number): void {
    const frame = this.#frame;
    if (frame === 0) this.#startTimestamp = currentTimestamp;
    this.rtpTimestamp = this.#startTimestamp;
    this.hasMarker = frame === 0;
    this.isPause = frame >= TONE_FRAMES + END_PACKETS - 1;
    if (!this.isPause) this.#writePayload(frame, frameTicks);
    this.#frame += 1;
    if (this.#frame >= TONE_FRAMES + PAUSE_FRAMES) this.#finishDigit();
  }

  close(): void {
    this.#queue = '';
    this.#wake();
  }

  #writePayload(frame: number, frameTicks: number): void {
    const isEnd = frame >= TONE_FRAMES - 1;
    const frames = Math.min(frame + 1, TONE_FRAMES);
    this.payload[0] = eventOfDigit(this.#queue[0]!);
    this.payload[1] = (isEnd ? 0x80 : 0) | VOLUME;
    this.payload.writeUInt16BE(Math.min(EVENT_DURATION_MAX, frames * frameTicks), 2);
  }

  #finishDigit(): void {
    this.#frame = 0;
    this.#queue = this.#queue.slice(1);
    if (this.#queue.length === 0) this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
