/** Longest waits, in milliseconds. None may be left out: nothing in this folder waits for ever. */
export interface SignalingTimeouts {
  /** TCP connect and authentication at the engine. */
  readonly connectMs: number;
  /** Between pings, and for any sign of life after one. */
  readonly pingMs: number;
  /** For the owner's verdict on an INVITE; then it is refused with 500. */
  readonly verdictMs: number;
  /** For the owner's answer to an offer in mid-call; then it is refused with 500. */
  readonly offerMs: number;
  /** For the answer to our BYE. */
  readonly byeMs: number;
  /** For the final answer to an in-dialog request of ours. */
  readonly requestMs: number;
  /** For the final answer to a re-INVITE of ours: a little over the engine's own 32 s. */
  readonly reinviteMs: number;
  /** For the final answer after our CANCEL. */
  readonly cancelMs: number;
  /** For news of a call that the far side makes since we referred it, each time anew. */
  readonly referMs: number;
}

export const SIGNALING_TIMEOUTS: SignalingTimeouts = {
  connectMs: 5_000,
  pingMs: 15_000,
  verdictMs: 30_000,
  offerMs: 10_000,
  byeMs: 10_000,
  requestMs: 10_000,
  reinviteMs: 35_000,
  cancelMs: 5_000,
  referMs: 90_000,
};

/** What pino gives, and all that is used of it. Never given numbers, names or descriptions. */
export interface SignalingLog {
  info(facts: Readonly<Record<string, unknown>>, message: string): void;
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
  error(facts: Readonly<Record<string, unknown>>, message: string): void;
}

/**
 * Largest description we send. drachtio-server loses its place in frames above 4 KB when several
 * come at once; with this limit it took 1,000 answers at 1,000 a second, so none has to wait.
 */
export const OUTGOING_SDP_BYTES_MAX = 3_200;

/** INVITEs and legs of one connection; more are refused with 503. */
export const CALLS_PER_CONNECTION_MAX = 10_000;

/** Methods we take, as `Allow` says them. */
export const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY';
export const ACCEPT = 'application/sdp, application/dtmf-relay, application/dtmf';
/** Extensions we understand (`Require` of anything else is 420). */
export const SUPPORTED: readonly string[] = ['100rel', 'timer', 'replaces'];
