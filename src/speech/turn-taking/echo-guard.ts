const WINDOW_FRAMES = 20;
const LAG_MAX_FRAMES = 15;
const RING_FRAMES = WINDOW_FRAMES + LAG_MAX_FRAMES;
/** Correlation of loudness curves above which the caller's line repeats the agent. */
const ECHO_CORRELATION = 0.85;
/** An echo comes back quieter; a caller who speaks over it is louder than this. */
const ECHO_LOSS_DB = 6;
/** A curve flatter than this says nothing. */
const VARIANCE_MIN = 4;
const QUIET_DBFS = -60;

/** Added to the voice detector's limits while the line echoes the agent. */
export const ECHO_THRESHOLD = 0.35;

/**
 * Compares the loudness that comes in with the loudness that lately went out, at delays up to
 * 300 ms. One call per 20 ms frame; 300 multiplications while the agent speaks.
 */
export class EchoGuard {
  readonly #outbound = new Float32Array(RING_FRAMES).fill(QUIET_DBFS);
  readonly #inbound = new Float32Array(WINDOW_FRAMES).fill(QUIET_DBFS);
  #frames = 0;

  /** True when what comes in is most likely the agent's own voice. Levels in dBFS. */
  update(outboundDbfs: number, inboundDbfs: number): boolean {
    this.#outbound.copyWithin(0, 1);
    this.#outbound[RING_FRAMES - 1] = Math.max(outboundDbfs, QUIET_DBFS);
    this.#inbound.copyWithin(0, 1);
    this.#inbound[WINDOW_FRAMES - 1] = Math.max(inboundDbfs, QUIET_DBFS);
    this.#frames += 1;
    if (this.#frames < WINDOW_FRAMES || inboundDbfs < QUIET_DBFS) return false;
    for (let lag = 0; lag <= LAG_MAX_FRAMES; lag += 1) {
      const start = RING_FRAMES - WINDOW_FRAMES - lag;
      if (this.#isEchoAt(start, inboundDbfs)) return true;
    }
    return false;
  }

  #isEchoAt(start: number, inboundDbfs: number): boolean {
    const sent = this.#outbound[start + WINDOW_FRAMES - 1] ?? QUIET_DBFS;
    if (inboundDbfs > sent - ECHO_LOSS_DB) return false;
    return correlation(this.#outbound, start, this.#inbound) >= ECHO_CORRELATION;
  }
}

function correlation(long: Float32Array, start: number, short: Float32Array): number {
  const count = short.length;
  let [sumA, sumB, sumAa, sumBb, sumAb] = [0, 0, 0, 0, 0];
  for (let i = 0; i < count; i += 1) {
    const a = long[start + i] ?? 0;
    const b = short[i] ?? 0;
    sumA += a;
    sumB += b;
    sumAa += a * a;
    sumBb += b * b;
    sumAb += a * b;
  }
  const varianceA = sumAa / count - (sumA / count) ** 2;
  const varianceB = sumBb / count - (sumB / count) ** 2;
  if (varianceA < VARIANCE_MIN || varianceB < VARIANCE_MIN) return 0;
  return (sumAb / count - (sumA / count) * (sumB / count)) / Math.sqrt(varianceA * varianceB);
}
