import type { CallNote } from '../model/call-note.ts';
import type { LegReport } from '../model/media.ts';

/** How often media is looked at, milliseconds. */
export const QUALITY_WINDOW_MS = 5_000;
/** Fewer packets than this in a window tell nothing: a hold, a pause, a call that just began. */
const PACKETS_MIN = 50;
/** Part of the packets, 0..1, that were lost or came too late to be played. */
const LOST_BAD = 0.05;
const LOST_GOOD = 0.02;
const JITTER_BAD_MS = 60;
const JITTER_GOOD_MS = 40;

type QualityNote = Extract<CallNote, { readonly type: 'quality-degraded' }>;

/**
 * Tells when a leg's media gets bad: once, and again only after a window in which it was good.
 * Between bad and good nothing changes, so that a call on the edge is not told all the time.
 */
export class QualityWatch {
  #before: LegReport | null = null;
  #isBad = false;

  /** What is to be told of the window since the last look; null: nothing new. */
  look(report: LegReport): QualityNote | null {
    const before = this.#before;
    this.#before = report;
    if (before === null) return null;
    const received = report.packetsReceived - before.packetsReceived;
    const lost = Math.max(0, missedOf(report) - missedOf(before));
    if (received + lost < PACKETS_MIN) return null;
    const fractionLost = lost / (received + lost);
    const { jitterMs, remoteFractionLost, roundTripMs } = report;
    const worst = Math.max(fractionLost, remoteFractionLost ?? 0);
    if (worst < LOST_GOOD && jitterMs < JITTER_GOOD_MS) this.#isBad = false;
    const isBad = worst >= LOST_BAD || jitterMs >= JITTER_BAD_MS;
    if (!isBad || this.#isBad) return null;
    this.#isBad = true;
    return { type: 'quality-degraded', fractionLost, remoteFractionLost, jitterMs, roundTripMs };
  }
}

function missedOf({ packetsLost, packetsLate }: LegReport): number {
  return packetsLost + packetsLate;
}
