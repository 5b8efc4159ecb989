/** Event codes 0 to 15 (RFC 4733 §3.2). */
const DIGITS = '0123456789*#ABCD';
/** Longest duration one segment can state; longer presses go on in a new one (§2.5.1.3). */
export const EVENT_DURATION_MAX = 0xffff;

/** The keypad digit of an event code, or null for what is not a digit (flash, tones). */
export function digitOfEvent(event: number): string | null {
  return event < DIGITS.length ? DIGITS[event]! : null;
}

/** Event code of a keypad digit, or -1. */
export function eventOfDigit(digit: string): number {
  return digit.length === 1 ? DIGITS.indexOf(digit.toUpperCase()) : -1;
}
