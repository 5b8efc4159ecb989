/** Base values of RFC 3261 §17.1.1.1, in milliseconds. All other timers follow from them. */
export interface SipTimers {
  /** Round-trip estimate. */
  readonly t1Ms: number;
  /** Longest interval between retransmissions of a non-INVITE request or a response. */
  readonly t2Ms: number;
  /** Longest time a message stays in the network. */
  readonly t4Ms: number;
  /**
   * Timer B of an INVITE that begins a call, when it is shorter than 64 × T1: who says nothing
   * for so long, not even 100, is not there, and somebody waits.
   */
  readonly silenceMs?: number;
}

export const DEFAULT_TIMERS: SipTimers = { t1Ms: 500, t2Ms: 4000, t4Ms: 5000 };

/** Timer B of an INVITE outside a dialog. */
export function callTimeoutMs(timers: SipTimers): number {
  return Math.min(timers.silenceMs ?? Number.POSITIVE_INFINITY, transactionTimeoutMs(timers));
}

/** Timers B, F, H, J, L and M: 64 × T1. */
export function transactionTimeoutMs(timers: SipTimers): number {
  return 64 * timers.t1Ms;
}
