import type { Brain, Message, ToolCall } from '../dialogue/brain.ts';
import { toolUseOf } from '../dialogue/tool-use.ts';
import { replyWithTools, type RunnableToolCall, type TurnPart } from '../dialogue/tool-rounds.ts';
import type { AgentSnapshot, TransferTarget } from '../model/agent.ts';
import type { CallNote } from '../model/call-note.ts';
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
  /** Resolves when it has failed, with why. Left out: calls are not transferred. */
  readonly onTransfer?: (to: TransferTarget, signal: AbortSignal) => Promise<string>;
  /** The caller waits for a tool of the owner's. */
  readonly onToolWait: () => void;
  /** For whoever watches; of speculation only what is adopted. */
  readonly onNote?: (note: CallNote) => void;
}

/** What the brain answers to `history`, tools and all, as a turn says it. */
export function replyTo(
  history: readonly Message[],
  turn: AgentTurn,
  options: ReplyingOptions,
): AsyncIterable<TurnPart> {
  const { brain, agent, clock } = options;
  const { stamps } = turn;
  const parts = replyWithTools(brain, history, {
    agent,
    signal: turn.signal,
    run: (call, signal) => runTool(call, turn, options, signal),
    onStage: (stage) => {
      if (stage === 'requested') stamps.llmRequestedAtMs ??= clock.nowMs();
      else stamps.llmFirstTokenAtMs ??= clock.nowMs();
    },
  });
  return tellingOfEnd(parts, turn, options);
}

/** Other tools tell of themselves when they are run; this one is only a part. */
async function* tellingOfEnd(
  parts: AsyncIterable<TurnPart>,
  turn: AgentTurn,
  { onNote }: ReplyingOptions,
): AsyncGenerator<TurnPart> {
  for await (const part of parts) {
    if (part.type === 'end-call') {
      const given = part.reason === null ? {} : { reason: part.reason };
      void turn.committed().then(() => {
        if (!turn.signal.aborted) onNote?.({ type: 'tool', tool: toolUseOf('end_call', given) });
      });
    }
    yield part;
  }
}

/** Nothing is run on speculation, and keys are sent after what was said before them. */
async function runTool(
  call: RunnableToolCall,
  turn: AgentTurn,
  { sink, clock, onTool, onTransfer, onToolWait, onNote }: ReplyingOptions,
  signal: AbortSignal,
): Promise<unknown> {
  await turn.committed();
  if (signal.aborted) return { error: 'the turn was canceled' };
  onNote?.({ type: 'tool', tool: toolUseOf(call.call.name, call.call.arguments) });
  if (call.type === 'send-dtmf') {
    await turn.spokenSoFar();
    await sink.sendDigits(call.digits);
    return { ok: true };
  }
  if (call.type === 'transfer') {
    await turn.spokenSoFar();
    // How long it may take is the business of whoever dials.
    const error = (await onTransfer?.(call.to, signal)) ?? 'calls cannot be transferred here';
    return { transferred: false, error };
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
