const DAY_MS = 86_400_000;

/** The calendar day of UTC: `2026-01-31`. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

export function secondsToMidnight(atMs: number): number {
  return Math.ceil((DAY_MS - (atMs % DAY_MS)) / 1000);
}
