import type { Brain, Message, ReplyPart } from '../../src/dialogue/brain.ts';
import { DialogueError } from '../../src/dialogue/dialogue-error.ts';

/** One reply: its parts, or a failure. */
export type ScriptedReply = readonly ReplyPart[] | 'fails' | 'refuses';

/**
 * A brain that says what the test wrote. Like any brain it may be asked twice for the same
 * thing, when a guess was wrong, so what it says depends on what it is told.
 */
export class ScriptedBrain implements Brain {
  readonly name = 'scripted';
  readonly histories: (readonly Message[])[] = [];
  readonly #script: (history: readonly Message[]) => ScriptedReply;

  constructor(script: (history: readonly Message[]) => ScriptedReply) {
    this.#script = script;
  }

  /** Everything is a whole sentence to it. */
  isComplete(): boolean {
    return true;
  }

  async *reply(
    history: readonly Message[],
    { signal }: { signal: AbortSignal },
  ): AsyncGenerator<ReplyPart> {
    this.histories.push(history);
    const reply = this.#script(history);
    if (reply === 'fails') throw new DialogueError('LLM_UNAVAILABLE', 'down', { retryable: true });
    if (reply === 'refuses') throw new DialogueError('LLM_UNAUTHORIZED', 'no');
    for (const part of reply) {
      if (signal.aborted) return;
      yield part;
    }
  }
}

export const says = (text: string): ReplyPart[] => [{ type: 'text', text }];

/** The first reply calls the tool, the one that is told its result says something. */
export function withTool(
  before: string,
  name: string,
  args: unknown,
  afterwards: string,
): (history: readonly Message[]) => ScriptedReply {
  return (history) =>
    history.at(-1)?.role === 'tool'
      ? says(afterwards)
      : [...says(before), { type: 'tool-call', id: 't1', name, arguments: args }];
}
