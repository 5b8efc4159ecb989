/** Those of sysexits.h. */
export const EXIT = {
  ok: 0,
  /** The command line is wrong. */
  usage: 64,
  /** The daemon refused what it was given. */
  data: 65,
  /** There is no such thing. */
  noInput: 66,
  /** There is no daemon to ask. */
  unavailable: 69,
  /** The daemon failed. */
  software: 70,
  /** Try again later. */
  tempFail: 75,
  /** No key, a wrong one, or one without the scope. */
  noPermission: 77,
} as const;

/** What a status of HTTP means to a shell. */
export function exitCodeOf(status: number): number {
  if (status === 401 || status === 403) return EXIT.noPermission;
  if (status === 404) return EXIT.noInput;
  if (status === 429 || status === 503) return EXIT.tempFail;
  return status >= 500 ? EXIT.software : EXIT.data;
}
