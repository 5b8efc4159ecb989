import type { Brain, Message, ToolCall } from '../dialogue/brain.ts';
import { replyWithTools, type RunnableToolCall, type TurnPart } from '../dialogue/tool-rounds.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { AudioSink } from '../model/audio.ts';
import type { AgentTurn } from './agent-turn.ts';
import { type Clock, pauseFor } from './clock.ts';

const TOOL_TIMEOUT_MS = 20_000;

export interface ReplyingOptions {
  readonly brain: Brain;
  readonly agent: AgentSnapshot;
  readonly sink: AudioSink;
  readonly clock: Clock;
  readonly onTool: (call: ToolCall, signal: AbortSignal) => Promise<unknown>;
  /** The caller waits for a tool of the owner's. */
  readonly onToolWait: () => void;
}

/** What the brain answers to `history`, tools and all, as a turn says it. */
export function replyTo(
  history: readonly Message[],
  turn: AgentTurn,
  options: ReplyingOptions,
): AsyncIterable<TurnPart> {
  const { brain, agent, clock } = options;
  const { stamps } = turn;
  return replyWithTools(brain, history, {
    agent,
    signal: turn.signal,
    run: (call, signal) => runTool(call, turn, options, signal),
    onStage: (stage) => {
      if (stage === 'requested') stamps.llmRequestedAtMs ??= clock.nowMs();
      else stamps.llmFirstTokenAtMs ??= clock.nowMs();
    },
  });
}

/** Nothing is run on speculation, and keys are sent after what was said before them. */
async function runTool(
  call: RunnableToolCall,
  turn: AgentTurn,
  { sink, clock, onTool, onToolWait }: ReplyingOptions,
  signal: AbortSignal,
): Promise<unknown> {
  await turn.committed();
  if (signal.aborted) return { error: 'the turn was canceled' };
  if (call.type === 'send-dtmf') {
    await turn.spokenSoFar();
    await sink.sendDigits(call.digits);
    return { ok: true };
  }
  onToolWait();
  const timeout = new AbortController();
  const inTime = AbortSignal.any([signal, timeout.signal]);
  const late = pauseFor(clock, TOOL_TIMEOUT_MS, inTime).then(() => ({
    error: 'no answer in time',
  }));
  try {
    return await Promise.race([onTool(call.call, inTime), late]);
  } finally {
    timeout.abort();
  }
}
