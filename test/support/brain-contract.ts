import assert from 'node:assert/strict';
import type { Brain, Message, ReplyPart } from '../../src/dialogue/brain.ts';
import { DialogueError } from '../../src/dialogue/dialogue-error.ts';

/** What one brain needs to be checked against the contract of `Brain`. */
export interface BrainUnderTest {
  readonly brain: Brain;
  readonly history: readonly Message[];
  /** Makes the next reply say a word and then never go on; missing: the brain cannot wait. */
  readonly stallNextReply?: () => void;
  /** Makes the next reply fail; missing: the brain cannot fail. */
  readonly failNextReply?: () => void;
  /** Requests made so far; missing: the brain connects to nothing. */
  readonly requestCount?: () => number;
}

/** Everything a reply says. */
export async function collectReply(
  brain: Brain,
  history: readonly Message[],
  signal: AbortSignal = new AbortController().signal,
): Promise<ReplyPart[]> {
  const parts: ReplyPart[] = [];
  for await (const part of brain.reply(history, { signal })) parts.push(part);
  return parts;
}

/** The text of a reply. */
export async function replyText(brain: Brain, history: readonly Message[]): Promise<string> {
  const parts = await collectReply(brain, history);
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Declares the tests that every brain must pass. */
export function describeBrainContract(name: string, open: () => BrainUnderTest): void {
  describe(`the ${name} brain keeps the contract of a brain: it`, () => {
    it('replies, and tells its stages in order', async () => {
      const { brain, history } = open();
      const stages: string[] = [];
      const parts: ReplyPart[] = [];
      const onStage = (stage: string): number => stages.push(stage);
      for await (const part of brain.reply(history, {
        signal: new AbortController().signal,
        onStage,
      })) {
        assert.deepEqual(stages, ['requested', 'first-token']);
        parts.push(part);
      }
      assert.ok(parts.some((part) => part.type === 'text' && part.text !== ''));
    });

    it('does nothing before the first next()', async () => {
      const { brain, history, requestCount } = open();
      const before = requestCount?.() ?? 0;
      const reply = brain.reply(history, { signal: new AbortController().signal });
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(requestCount?.() ?? 0, before);
      await reply[Symbol.asyncIterator]().return?.();
    });

    it('says nothing when aborted before it began', async () => {
      const { brain, history, requestCount } = open();
      const before = requestCount?.() ?? 0;
      assert.deepEqual(await collectReply(brain, history, AbortSignal.abort()), []);
      assert.equal(requestCount?.() ?? 0, before);
    });

    it('ends without throwing when aborted in the middle of a word', async () => {
      const { brain, history, stallNextReply } = open();
      const controller = new AbortController();
      stallNextReply?.();
      const parts: ReplyPart[] = [];
      for await (const part of brain.reply(history, { signal: controller.signal })) {
        parts.push(part);
        setImmediate(() => controller.abort());
        if (stallNextReply === undefined) controller.abort();
      }
      assert.equal(parts.length, 1);
    });

    it('can be left early and asked again', async () => {
      const { brain, history } = open();
      for await (const part of brain.reply(history, { signal: new AbortController().signal })) {
        assert.equal(part.type, 'text');
        break;
      }
      assert.notEqual(await replyText(brain, history), '');
    });

    it('fails with one DialogueError and works again afterwards', async () => {
      const { brain, history, failNextReply } = open();
      if (failNextReply !== undefined) {
        failNextReply();
        await assert.rejects(collectReply(brain, history), DialogueError);
      }
      assert.notEqual(await replyText(brain, history), '');
    });

    it('does not change the history, and answers the same one again', async () => {
      const { brain, history } = open();
      const before = structuredClone(history);
      const first = await replyText(brain, history);
      assert.deepEqual(history, before);
      assert.equal(await replyText(brain, history), first);
    });
  });
}
