import type { TranscriptTurn } from '../model/turn.ts';
import type { Metrics } from './metrics.ts';

/** Counts the delays of one finished turn of the agent. Its text is not looked at. */
export function observeTurn(
  { index, role, isInterrupted, stamps }: TranscriptTurn,
  answeredAtMs: number | null,
  metrics: Pick<Metrics, 'greetingStarted' | 'replyStarted' | 'agentInterrupted'>,
): void {
  if (role !== 'agent') return;
  if (isInterrupted) metrics.agentInterrupted();
  const { playoutStartedAtMs, speechEndedAtMs } = stamps;
  if (playoutStartedAtMs === null) return;
  if (speechEndedAtMs !== null) metrics.replyStarted((playoutStartedAtMs - speechEndedAtMs) / 1000);
  else if (index === 0 && answeredAtMs !== null) {
    metrics.greetingStarted((playoutStartedAtMs - answeredAtMs) / 1000);
  }
}
