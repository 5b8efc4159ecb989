import type { ReceptionReport } from './rtcp-packet.ts';

/** RFC 3550 A.1: a jump beyond these is another stream, not loss or reordering. */
const DROPOUT_MAX = 3000;
const MISORDER_MAX = 100;
const CUMULATIVE_LOST_MAX = 0x7fffff;
const CUMULATIVE_LOST_MIN = -0x800000;

/**
 * Counts one received stream: extended sequence number (RFC 3550 A.1), loss (A.3) and
 * interarrival jitter (A.8). A new SSRC or a sequence jump starts a new stream; totals go on.
 */
export class ReceptionStatistics {
  #clockRateHz: number;
  #ssrc = -1;
  #baseSequence = 0;
  #highest = 0;
  #cycles = 0;
  #receivedHere = 0;
  #badSequence = -1;
  #lostBefore = 0;
  #expectedPrior = 0;
  #receivedPrior = 0;
  #lastTransit = Number.NaN;
  #jitter = 0;

  /** All packets of all streams. */
  received = 0;

  constructor(clockRateHz: number) {
    this.#clockRateHz = clockRateHz;
  }

  get ssrc(): number {
    return this.#ssrc;
  }

  get jitterMs(): number {
    return (this.#jitter / this.#clockRateHz) * 1000;
  }

  /** Packets that never came, over all streams. RFC 3550 counts a duplicate against a loss. */
  get lost(): number {
    return this.#lostBefore + this.#expected() - this.#receivedHere;
  }

  onPacket(ssrc: number, sequence: number, rtpTimestamp: number, arrivalMs: number): void {
    this.received += 1;
    if (ssrc !== this.#ssrc) this.#restart(ssrc, sequence);
    else this.#follow(sequence);
    this.#receivedHere += 1;
    this.#measureJitter(rtpTimestamp, arrivalMs);
  }

  /** A re-INVITE changed the codec. */
  changeClockRate(clockRateHz: number): void {
    this.#jitter = (this.#jitter / this.#clockRateHz) * clockRateHz;
    this.#clockRateHz = clockRateHz;
    this.#lastTransit = Number.NaN;
  }

  /** What goes into our next report; starts a new interval for the fraction lost. */
  takeReport(lastSenderReport: number, delaySinceLastSenderReport: number): ReceptionReport {
    const expected = this.#expected();
    const expectedNow = expected - this.#expectedPrior;
    const lostNow = expectedNow - (this.#receivedHere - this.#receivedPrior);
    this.#expectedPrior = expected;
    this.#receivedPrior = this.#receivedHere;
    const isLossy = expectedNow > 0 && lostNow > 0;
    const lost = expected - this.#receivedHere;
    return {
      ssrc: this.#ssrc,
      fractionLost: isLossy ? Math.min(255, Math.floor((lostNow * 256) / expectedNow)) : 0,
      cumulativeLost: Math.max(CUMULATIVE_LOST_MIN, Math.min(CUMULATIVE_LOST_MAX, lost)),
      highestSequence: (this.#cycles + this.#highest) >>> 0,
      jitter: Math.round(this.#jitter),
      lastSenderReport,
      delaySinceLastSenderReport,
    };
  }

  #expected(): number {
    return this.#ssrc === -1 ? 0 : this.#cycles + this.#highest - this.#baseSequence + 1;
  }

  #restart(ssrc: number, sequence: number): void {
    this.#lostBefore = this.lost;
    this.#ssrc = ssrc;
    this.#baseSequence = sequence;
    this.#highest = sequence;
    this.#cycles = 0;
    this.#receivedHere = 0;
    this.#badSequence = -1;
    this.#expectedPrior = 0;
    this.#receivedPrior = 0;
    this.#lastTransit = Number.NaN;
  }

  #follow(sequence: number): void {
    const delta = (sequence - this.#highest) & 0xffff;
    if (delta < DROPOUT_MAX) {
      if (sequence < this.#highest) this.#cycles += 0x10000;
      this.#highest = sequence;
      this.#badSequence = -1;
    } else if (delta <= 0x10000 - MISORDER_MAX) {
      // Two in a row after a jump: the sender restarted without changing its SSRC.
      if (sequence === this.#badSequence) this.#restart(this.#ssrc, sequence);
      else this.#badSequence = (sequence + 1) & 0xffff;
    }
  }

  #measureJitter(rtpTimestamp: number, arrivalMs: number): void {
    const arrival = (arrivalMs * this.#clockRateHz) / 1000;
    const transit = arrival - rtpTimestamp;
    if (!Number.isNaN(this.#lastTransit)) {
      let difference = Math.abs(transit - this.#lastTransit);
      // The 32-bit timestamp went round.
      if (difference > 0x80000000) difference = Math.abs(difference - 0x100000000);
      // A pause without packets or a timestamp jump is not jitter.
      if (difference < this.#clockRateHz) this.#jitter += (difference - this.#jitter) / 16;
    }
    this.#lastTransit = transit;
  }
}
