/** Pause after which the digits pressed so far are taken. */
export const DIGIT_PAUSE_MS = 2000;
const DIGITS_MAX = 32;

/** Keypad digits of one entry. Pure: the conversation keeps the timer. */
export class DigitCollector {
  #digits = '';

  get digits(): string {
    return this.#digits;
  }

  /**
   * Adds a digit. Gives the digits when they are complete: at `#`, when the phrasebook knows
   * just these, or when there are as many as there may be; else null.
   */
  press(digit: string, isKnown: (digits: string) => boolean): string | null {
    if (!/^[0-9A-D*#]$/.test(digit)) return null;
    this.#digits += digit;
    const isDone = digit === '#' || this.#digits.length >= DIGITS_MAX || isKnown(this.#digits);
    return isDone ? this.take() : null;
  }

  /** The digits so far, and begins anew. */
  take(): string {
    const digits = this.#digits;
    this.#digits = '';
    return digits;
  }
}
