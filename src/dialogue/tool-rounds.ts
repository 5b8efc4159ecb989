import type { AgentSnapshot } from '../model/agent.ts';
import type { Message, ToolCall } from './message.ts';
import type { Brain, ReplyOptions } from './reply.ts';
import { checkToolCall, TOOL_ROUNDS_MAX, toolResult, type CheckedToolCall } from './tools.ts';

/** A checked call that is to be run, here or by the agent's owner. */
export type RunnableToolCall = Exclude<CheckedToolCall, { type: 'refused' | 'end-call' }>;

/** What a reply with all its rounds of tools says, in order. */
export type TurnPart =
  | { readonly type: 'text'; readonly text: string }
  /** About to be run; a good moment to say "one moment" or to show what the agent is doing. */
  | { readonly type: 'tool'; readonly call: RunnableToolCall }
  /** A finished round, to be kept in the history with what was heard before it. */
  | {
      readonly type: 'round';
      readonly text: string;
      readonly calls: readonly ToolCall[];
      readonly results: readonly Message[];
    }
  /** Hang up when everything before has been heard. Always the last part. */
  | { readonly type: 'end-call'; readonly reason: string | null };

export interface ToolRoundsOptions extends ReplyOptions {
  readonly agent: Pick<AgentSnapshot, 'tools' | 'transferTargets'>;
  /**
   * Runs one tool and gives its result, as text or as anything JSON can say. A failure is told
   * to the model by what it returns; it owns its time limit and should heed `signal`.
   */
  readonly run: (call: RunnableToolCall, signal: AbortSignal) => Promise<unknown>;
  readonly roundsMax?: number;
}

interface Round {
  readonly text: string;
  readonly calls: readonly ToolCall[];
}

/**
 * One agent turn: asks the brain, runs the tools it wants (those of one round at the same
 * time), asks again with the results, until it only speaks, wants to hang up, or has had its
 * rounds. Aborting ends it without throwing; `DialogueError`s of the brain come through.
 */
export async function* replyWithTools(
  brain: Brain,
  history: readonly Message[],
  { agent, run, roundsMax = TOOL_ROUNDS_MAX, ...reply }: ToolRoundsOptions,
): AsyncGenerator<TurnPart, void> {
  let messages = history;
  for (let count = 0; count <= roundsMax; count += 1) {
    const round = yield* speak(brain, messages, reply);
    if (round.calls.length === 0 || reply.signal.aborted) return;
    const checked = round.calls.map((call) => checkToolCall(call, agent));
    const ending = checked.find((call) => call.type === 'end-call');
    if (ending !== undefined) {
      yield { type: 'end-call', reason: ending.reason };
      return;
    }
    if (count === roundsMax) return;
    for (const call of checked) if (isRunnable(call)) yield { type: 'tool', call };
    const results = await Promise.all(checked.map((call) => resultOf(call, run, reply.signal)));
    if (reply.signal.aborted) return;
    yield { type: 'round', ...round, results };
    const asked: Message = { role: 'assistant', content: round.text, toolCalls: round.calls };
    messages = [...messages, asked, ...results];
  }
}

async function* speak(
  brain: Brain,
  messages: readonly Message[],
  options: ReplyOptions,
): AsyncGenerator<TurnPart, Round> {
  const said: string[] = [];
  const calls: ToolCall[] = [];
  for await (const part of brain.reply(messages, options)) {
    if (part.type === 'text') {
      said.push(part.text);
      yield part;
    } else {
      const { type: _, ...call } = part;
      calls.push(call);
    }
  }
  return { text: said.join(''), calls };
}

function isRunnable(call: CheckedToolCall): call is RunnableToolCall {
  return call.type !== 'refused' && call.type !== 'end-call';
}

async function resultOf(
  checked: CheckedToolCall,
  run: ToolRoundsOptions['run'],
  signal: AbortSignal,
): Promise<Message> {
  if (checked.type === 'refused') return toolResult(checked.call, { error: checked.error });
  if (!isRunnable(checked)) return toolResult(checked.call, { ok: true });
  try {
    return toolResult(checked.call, await run(checked, signal));
  } catch {
    // What failed is for the log of whoever ran it; the model must only know that it did.
    return toolResult(checked.call, { error: 'the tool failed' });
  }
}
