/** What the remote side may rightly send now. */
export type Expectation = 'audio' | 'may-be-silent' | 'nothing';

/**
 * Tells when the far side has gone (no media for too long). Owns no clock.
 * While audio is expected only RTP counts; where silence is legal (DTX, comfort noise) RTCP
 * counts as well; on hold nothing is awaited, since phones differ in what they still send: whether
 * the far side lives is then for the session timer and the time limit to tell.
 */
export class RtpTimeout {
  readonly #limitMs: number;
  #expectation: Expectation = 'audio';
  #lastSignMs: number;
  #hasFired = false;

  constructor(limitMs: number, nowMs: number) {
    this.#limitMs = limitMs;
    this.#lastSignMs = nowMs;
  }

  /** A new direction starts a new wait. */
  expect(expectation: Expectation, nowMs: number): void {
    if (expectation !== this.#expectation) this.#sign(nowMs);
    this.#expectation = expectation;
  }

  onRtp(nowMs: number): void {
    this.#sign(nowMs);
  }

  onRtcp(nowMs: number): void {
    if (this.#expectation !== 'audio') this.#sign(nowMs);
  }

  /** True once when the time is over; again only after another sign of life. */
  check(nowMs: number): boolean {
    if (this.#hasFired || this.#expectation === 'nothing') return false;
    if (nowMs - this.#lastSignMs < this.#limitMs) return false;
    this.#hasFired = true;
    return true;
  }

  #sign(nowMs: number): void {
    this.#lastSignMs = nowMs;
    this.#hasFired = false;
  }
}
