import { randomId } from '../lib/random-id.ts';
import { RateLimiter } from '../lib/rate-limiter.ts';
import type { RunnableToolCall } from '../dialogue/tool-rounds.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { RunTool } from '../model/tool-call.ts';
import type { Logger } from '../observability/logger.ts';
import type { StoredAgent } from '../storage/agent-repository.ts';
import type { ChatMemoryRepository } from '../storage/chat-memory-repository.ts';
import type { ChatRepository, MessagePlace, StoredMessage } from '../storage/chat-repository.ts';
import type { PublicLink } from '../storage/public-link-repository.ts';
import { StorageError } from '../storage/storage-error.ts';
import { ChatError, rateLimited } from './chat-error.ts';
import { clientKey } from './client-address.ts';
import {
  Conversations,
  type OpenConversation,
  SESSION_MS,
  type ValidLink,
  type Visitor,
} from './conversations.ts';
import { EventFeed } from './event-feed.ts';
import type { MemoryKeeper } from './memory-keeper.ts';
import type { PublicLinks } from './public-links.ts';
import { runReply, type ToolRunner } from './reply-run.ts';

/** Characters of one message. */
export const TEXT_LENGTH_MAX = 4000;
/** Messages of one address of the network per minute, over all links. */
const MESSAGES_PER_MINUTE_OF_ADDRESS = 30;
const MINUTE_MS = 60_000;
/** Replies being written at once. */
const REPLIES_MAX = 200;
const REPLY_TIMEOUT_MS = 120_000;

export interface ChatServiceOptions {
  readonly links: PublicLinks;
  readonly chats: ChatRepository;
  readonly memories: Pick<ChatMemoryRepository, 'find'>;
  readonly keeper: MemoryKeeper;
  /** An agent with the daemon's providers. */
  readonly snapshot: (agent: StoredAgent) => AgentSnapshot;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
  /** Runs the agent's own tools. */
  readonly runTool: RunTool;
  readonly messagesPerMinuteOfAddress?: number;
  readonly onReplyFailed?: () => void;
}

/** The cookie that a browser holds for a link; null: none. */
export type SecretOf = (linkId: string) => string | null;

export interface VisitorRequest {
  readonly token: string;
  readonly secretOf: SecretOf;
}

export interface SentMessage {
  readonly linkId: string;
  /** To be kept by the visitor; null: what they hold still holds. */
  readonly secret: string | null;
  readonly secretSeconds: number;
  readonly feed: EventFeed;
}

export interface ConversationView {
  readonly messages: readonly StoredMessage[];
  /** The last message has no reply yet; it is being written. */
  readonly isReplying: boolean;
}

/**
 * Public chat: who may say what to which agent, and what it answers. A reply belongs to its
 * conversation, not to the request that asked for it: it is written to its end and kept.
 */
export class ChatService {
  readonly #options: ChatServiceOptions;
  readonly #conversations: Conversations;
  readonly #addressLimiter: RateLimiter;
  readonly #replies = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: ChatServiceOptions) {
    this.#options = options;
    this.#conversations = new Conversations(options);
    const max = options.messagesPerMinuteOfAddress ?? MESSAGES_PER_MINUTE_OF_ADDRESS;
    this.#addressLimiter = new RateLimiter({ max, windowMs: MINUTE_MS });
  }

  /** Replies being written. */
  get replyCount(): number {
    return this.#replies.size;
  }

  /** Throws `CHAT_LINK_INACTIVE`, `CHAT_VERIFICATION_REQUIRED`. */
  async history({ token, secretOf }: VisitorRequest): Promise<ConversationView> {
    const valid = await this.#valid(token);
    const visitor = await this.#conversations.visitor(valid, secretOf(valid.link.id));
    const messages = await this.#conversations.messages(valid, visitor.session);
    return { messages, isReplying: this.#replies.has(keyOf(valid.link, visitor)) };
  }

  /**
   * Takes a message; the reply comes by the feed. Throws what refuses it: `CHAT_LINK_INACTIVE`,
   * `CHAT_VERIFICATION_REQUIRED`, `CHAT_TEXT_EMPTY`, `CHAT_RATE_LIMITED`, `CHAT_REPLYING`,
   * `CHAT_OVERLOADED`.
   */
  async send(request: VisitorRequest, said: string, address: string): Promise<SentMessage> {
    const text = cleanedText(said);
    const valid = await this.#valid(request.token);
    const { link } = valid;
    const visitor = await this.#conversations.visitor(valid, request.secretOf(link.id));
    this.#limitAddress(address);
    const feed = new EventFeed();
    const replied = deferred();
    let key = keyOf(link, visitor);
    this.#reserve(key, replied.promise);
    try {
      const opened = await this.#conversations.open(valid, visitor);
      // Whoever was nobody has a name by now.
      this.#replies.delete(key);
      key = keyOf(link, { ...visitor, session: opened.session });
      this.#replies.set(key, replied.promise);
      const reply = await this.#accept(valid, opened, text);
      const release = () => {
        this.#replies.delete(key);
        replied.resolve();
      };
      void this.#reply(reply, feed).finally(release);
      return { linkId: link.id, secret: opened.secret, secretSeconds: SESSION_MS / 1000, feed };
    } catch (error) {
      this.#replies.delete(key);
      replied.resolve();
      throw isPlaceTaken(error) ? replying() : error;
    }
  }

  /** New Conversation: the next message begins one. */
  async startAnew({ token, secretOf }: VisitorRequest): Promise<{ readonly linkId: string }> {
    const valid = await this.#valid(token);
    const visitor = await this.#conversations.visitor(valid, secretOf(valid.link.id));
    if (this.#replies.has(keyOf(valid.link, visitor))) throw replying();
    if (visitor.session !== null) await this.#conversations.end(visitor.session);
    return { linkId: valid.link.id };
  }

  /** Resolves when no reply is being written, or `hurry` aborted and what is left was cut. */
  async stop(hurry: AbortSignal): Promise<void> {
    const cut = () => this.#closing.abort();
    if (hurry.aborted) cut();
    else hurry.addEventListener('abort', cut, { once: true });
    try {
      while (this.#replies.size > 0) await Promise.all(this.#replies.values());
    } finally {
      hurry.removeEventListener('abort', cut);
    }
  }

  async #valid(token: string): Promise<ValidLink> {
    const resolved = await this.#options.links.resolve(token);
    if (resolved.isValid) return resolved;
    throw new ChatError('CHAT_LINK_INACTIVE', 'This link is not active.');
  }

  #limitAddress(address: string): void {
    const verdict = this.#addressLimiter.take(clientKey(address), this.#options.nowMs());
    if (!verdict.isAllowed) throw rateLimited(verdict.retryAfterMs);
  }

  /** One reply at a time for each visitor, and so many for all. */
  #reserve(key: string, until: Promise<void>): void {
    if (this.#replies.has(key)) throw replying();
    if (this.#replies.size >= REPLIES_MAX || this.#closing.signal.aborted) {
      const message = 'Too many people are chatting now. Please try again in a moment.';
      throw new ChatError('CHAT_OVERLOADED', message, { retryAfterSeconds: 5 });
    }
    this.#replies.set(key, until);
  }

  async #accept(
    valid: ValidLink,
    opened: OpenConversation,
    text: string,
  ): Promise<AcceptedMessage> {
    const { session } = opened;
    const { link } = valid;
    const place: MessagePlace = {
      sessionId: session.id,
      linkId: link.id,
      agentId: link.agentId,
      visitor: session.email ?? session.id,
    };
    const before = await this.#conversations.messages(valid, session);
    const position = (before.at(-1)?.position ?? -1) + 1;
    const createdAtMs = this.#options.nowMs();
    const message = { id: randomId('msg'), position, role: 'user', text, createdAtMs } as const;
    await this.#conversations.addUser(link, place, message);
    const agent = this.#options.snapshot(session.agent);
    return { place, email: session.email, agent, messages: [...before, message], position };
  }

  async #reply(accepted: AcceptedMessage, feed: EventFeed): Promise<void> {
    const { chats, keeper, log, nowMs, onReplyFailed } = this.#options;
    const { place, email, agent, position } = accepted;
    try {
      const text = await this.#write(accepted, feed);
      const id = randomId('msg');
      const reply = {
        id,
        position: position + 1,
        role: 'agent',
        text,
        createdAtMs: nowMs(),
      } as const;
      await chats.addReply(place, reply, email);
      feed.push({ type: 'done', message: reply });
      if (email !== null) keeper.answered(agent, email);
    } catch (error) {
      onReplyFailed?.();
      log.warn({ agentId: agent.id, linkId: place.linkId, err: error }, 'a chat got no reply');
      // So that it may be sent again, and counts to no limit.
      await chats.removeMessage(place.sessionId, position).catch(() => {});
      feed.push({ type: 'failed', error: toFailure(error) });
    }
  }

  async #write({ agent, messages, email }: AcceptedMessage, feed: EventFeed): Promise<string> {
    const { memories, nowMs } = this.#options;
    const runTool: ToolRunner = (call, signal) => this.#runTool(agent, call, signal);
    const memory = email === null ? null : await memories.find(agent.id, email);
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(REPLY_TIMEOUT_MS)]);
    return runReply({ agent, messages, memory: memory?.text ?? '', feed, runTool, signal, nowMs });
  }

  async #runTool(
    agent: AgentSnapshot,
    asked: RunnableToolCall,
    signal: AbortSignal,
  ): Promise<unknown> {
    if (asked.type !== 'agent-tool') return { error: 'this tool is not available in a chat' };
    const { workspaceId, id: agentId } = agent;
    const { call, tool } = asked;
    return this.#options.runTool({ workspaceId, agentId, callId: null, call, tool }, signal);
  }
}

interface AcceptedMessage {
  readonly place: MessagePlace;
  readonly email: string | null;
  readonly agent: AgentSnapshot;
  /** With the new one, which is at `position`. */
  readonly messages: readonly StoredMessage[];
  readonly position: number;
}

/** An unknown visitor is nobody yet: each of their first messages stands alone. */
function keyOf(link: PublicLink, { email, session }: Visitor): string {
  return `${link.id} ${email ?? session?.id ?? randomId('new')}`;
}

/** No control characters but line breaks and tabs. */
function cleanedText(said: string): string {
  const text = said
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/(?![\n\t])\p{Cc}/gu, '')
    .trim();
  if (text === '') throw new ChatError('CHAT_TEXT_EMPTY', 'The message is empty.');
  return text;
}

function replying(): ChatError {
  const message = 'The agent is still answering your last message.';
  return new ChatError('CHAT_REPLYING', message, { retryAfterSeconds: 1 });
}

/** Another process has added a message to this conversation a moment ago. */
function isPlaceTaken(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'STORAGE_CONFLICT';
}

function toFailure(error: unknown): ChatError {
  if (error instanceof ChatError) return error;
  const message = 'The agent could not answer. Please try again.';
  return new ChatError('CHAT_REPLY_FAILED', message, { cause: error, retryable: true });
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
