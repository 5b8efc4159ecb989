import type { Clock } from './clock.ts';
import { limitWarning } from './fixed-phrases.ts';
import type { Timers } from './timers.ts';

const WARN_BEFORE_MS = 30_000;
/** Limits below this are not warned of. */
const WARN_LIMIT_MIN_MS = 20_000;

export interface TimeLimitListeners {
  /** The text is made when its moment has come. */
  readonly onWarning: (text: () => string) => void;
  readonly onOver: () => void;
}

/** How long a call may last: a word of warning first, then the end. */
export function startTimeLimit(
  limitMs: number,
  clock: Clock,
  timers: Pick<Timers<'warning' | 'limit'>, 'set'>,
  { onWarning, onOver }: TimeLimitListeners,
): void {
  const limitAtMs = clock.nowMs() + limitMs;
  const warnBeforeMs = Math.min(WARN_BEFORE_MS, limitMs / 2);
  if (limitMs >= WARN_LIMIT_MIN_MS) {
    timers.set('warning', limitMs - warnBeforeMs, () =>
      onWarning(() => limitWarning(limitAtMs - clock.nowMs())),
    );
  }
  timers.set('limit', limitMs, onOver);
}
