import type { AgentSnapshot } from '../model/agent.ts';
import type { Logger } from '../observability/logger.ts';
import type { ChatMemoryRepository } from '../storage/chat-memory-repository.ts';
import type { ChatRepository } from '../storage/chat-repository.ts';
import { summarize } from './summary.ts';

/** Answered messages of one person with one agent between two summaries. */
export const MEMORY_EVERY = 5;
const MESSAGES_READ = 20;
/** Summaries in hand; more are left to the next fifth message. */
const PENDING_MAX = 100;
const TIMEOUT_MS = 60_000;

export interface MemoryKeeperOptions {
  readonly memories: ChatMemoryRepository;
  readonly chats: Pick<ChatRepository, 'messagesOf'>;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly onFailed?: () => void;
}

/** Keeps memories up to date behind the replies. Nothing that fails here reaches a person. */
export class MemoryKeeper {
  readonly #options: MemoryKeeperOptions;
  /** By agent and address: one at a time. */
  readonly #work = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: MemoryKeeperOptions) {
    this.#options = options;
  }

  /** A message of this person was answered. Returns at once. */
  answered(agent: AgentSnapshot, email: string): void {
    const key = `${agent.id} ${email}`;
    const before = this.#work.get(key);
    if (before === undefined && this.#work.size >= PENDING_MAX) {
      this.#options.log.warn({ agentId: agent.id }, 'a memory in chat was left for later');
      return;
    }
    const after = (before ?? Promise.resolve()).then(() => this.#update(agent, email));
    this.#work.set(key, after);
    void after.then(() => {
      if (this.#work.get(key) === after) this.#work.delete(key);
    });
  }

  /** Resolves when nothing is in hand. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work.values());
  }

  /** Gives up what is in hand; what was known stays. */
  close(): void {
    this.#closing.abort();
  }

  async #update(agent: AgentSnapshot, email: string): Promise<void> {
    const { memories, chats, log, nowMs, onFailed } = this.#options;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      if (!(await memories.claim(agent.id, email, MEMORY_EVERY))) return;
      const known = (await memories.find(agent.id, email))?.text ?? '';
      const messages = await chats.messagesOf(agent.id, email, MESSAGES_READ);
      const text = await summarize(agent.llm, known, messages, signal);
      if (text !== known) await memories.save(agent.id, email, text, nowMs());
    } catch (error) {
      onFailed?.();
      log.warn(
        { agentId: agent.id, err: error },
        'a memory in chat could not be brought up to date',
      );
    }
  }
}
