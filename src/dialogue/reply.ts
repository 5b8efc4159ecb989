import type { AnswerKind } from '../model/agent.ts';
import type { Message, ToolCall } from './message.ts';

/** A piece of a reply, in order: text as it comes, a tool call when it is complete. */
export type ReplyPart =
  | { readonly type: 'text'; readonly text: string }
  | ({ readonly type: 'tool-call' } & ToolCall);

export interface ReplyOptions {
  /** Aborting ends the output; it is not an error. */
  readonly signal: AbortSignal;
  /** Called when the request is on its way, and at the first piece of the reply. */
  readonly onStage?: (stage: 'requested' | 'first-token') => void;
}

/**
 * What the agent says.
 *
 * - Output ends when the reply ends, or within 50 ms after `signal` aborts, without throwing.
 * - A failure throws one `DialogueError`; nothing is retried. The caller owns the budget.
 * - Nothing connects before the first `next()`, and everything closes when iteration stops.
 * - A reply depends on `history` alone: asking twice, or throwing one away, changes nothing.
 *
 * `test/support/brain-contract.ts` checks these lines against every brain.
 */
export interface Brain {
  readonly name: string;
  reply(history: readonly Message[], options: ReplyOptions): AsyncIterable<ReplyPart>;
  /** What kind of answer the agent's last words ask for; missing: not known. */
  expects?(history: readonly Message[]): AnswerKind;
  /** Whether `text` is a whole thing to say now, so that endpointing need not wait for more. */
  isComplete?(history: readonly Message[], text: string): boolean;
  /** Opens a connection while there is time, e.g. while the phone rings. Never throws. */
  prewarm?(signal: AbortSignal): Promise<void>;
}
