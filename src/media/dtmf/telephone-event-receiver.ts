import { timestampDistance } from '../rtp/rtp-packet.ts';
import { digitOfEvent } from './telephone-event.ts';

const PAYLOAD_BYTES = 4;
/** Lost updates may hide this much of a press: what starts later is a new one. */
const CONTINUATION_SLACK_MS = 60;

/**
 * Tells key presses from telephone-event packets (RFC 4733), once each: the first packet that
 * arrives counts, whichever it is, so a lost start or a lost end changes nothing.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |     event     |E|R| volume    |          duration             |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
export class TelephoneEventReceiver {
  readonly #slackTicks: number;
  /** RTP timestamp units in one unit of event duration. */
  readonly #durationScale: number;
  #event = -1;
  #timestamp = 0;
  #duration = 0;
  #hasEnded = true;

  /** `eventClockRateHz` counts durations, `clockRateHz` (of the audio) timestamps. */
  constructor(eventClockRateHz: number, clockRateHz: number) {
    this.#slackTicks = (clockRateHz * CONTINUATION_SLACK_MS) / 1000;
    this.#durationScale = clockRateHz / eventClockRateHz;
  }

  /** The digit when this packet is the first sign of a press, else null. */
  onPacket(
    packet: Uint8Array,
    start: number,
    end: number,
    rtpTimestamp: number,
    hasMarker: boolean,
  ): string | null {
    if (end - start < PAYLOAD_BYTES) return null;
    const event = packet[start]!;
    const isEnd = (packet[start + 1]! & 0x80) !== 0;
    const duration = (packet[start + 2]! << 8) | packet[start + 3]!;

    const isOld = this.#event !== -1 && timestampDistance(this.#timestamp, rtpTimestamp) < 0;
    if (isOld && timestampDistance(this.#timestamp, rtpTimestamp) > -this.#slackTicks * 100) {
      return null;
    }
    const isSame = event === this.#event && this.#continues(rtpTimestamp, hasMarker);
    this.#hasEnded = isEnd || (isSame && rtpTimestamp === this.#timestamp && this.#hasEnded);
    this.#event = event;
    this.#timestamp = rtpTimestamp;
    this.#duration = duration;
    return isSame ? null : digitOfEvent(event);
  }

  /** The same press: the same timestamp, or a segment that begins where an unended one stopped. */
  #continues(rtpTimestamp: number, hasMarker: boolean): boolean {
    const distance = timestampDistance(this.#timestamp, rtpTimestamp);
    if (distance === 0) return true;
    if (this.#hasEnded || hasMarker) return false;
    return distance <= this.#duration * this.#durationScale + this.#slackTicks;
  }
}
