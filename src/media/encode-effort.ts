/** Encoded per tick in the slack: faster than one, so that the queue ahead fills. */
export const ENCODE_PER_TICK = 3;
/** Above these loads of the worker, Opus is encoded more cheaply. */
const BUSY_LOAD = 0.4;
const FULL_LOAD = 0.7;

/** Complexity of Opus at that load of the worker, 0..1. */
export function complexityFor(load: number): number {
  if (load < BUSY_LOAD) return 3;
  return load < FULL_LOAD ? 1 : 0;
}
