import type { CallWindow } from '../model/agent.ts';

const MINUTES_A_DAY = 24 * 60;

/**
 * Whether an agent may call somebody at this moment. A window from 22:00 to 06:00 goes over
 * midnight; one that ends where it begins is the whole day.
 *
 * @param timeZone IANA name; null: the daemon's own
 */
export function isWithin({ start, end }: CallWindow, timeZone: string | null, nowMs: number) {
  const [from, to] = [minutesOf(start), minutesOf(end)];
  const length = (to - from + MINUTES_A_DAY) % MINUTES_A_DAY || MINUTES_A_DAY;
  return (minutesOf(clockOf(timeZone, nowMs)) - from + MINUTES_A_DAY) % MINUTES_A_DAY < length;
}

/** `16:05` → minutes since midnight. */
function minutesOf(clock: string): number {
  const [hours = 0, minutes = 0] = clock.split(':').map(Number);
  return hours * 60 + minutes;
}

function clockOf(timeZone: string | null, nowMs: number): string {
  const zone = timeZone === null ? {} : { timeZone };
  const parts = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  return new Intl.DateTimeFormat('en-US', { ...zone, ...parts }).format(nowMs);
}
