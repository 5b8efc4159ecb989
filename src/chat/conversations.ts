import { greeting } from '../dialogue/prompt.ts';
import { randomId, randomText } from '../lib/random-id.ts';
import type {
  ChatGrant,
  ChatRepository,
  ChatSession,
  MessageLimits,
  MessagePlace,
  StoredMessage,
} from '../storage/chat-repository.ts';
import type { PublicLink } from '../storage/public-link-repository.ts';
import type { StoredAgent } from '../storage/agent-repository.ts';
import { ChatError, rateLimited } from './chat-error.ts';
import { variablesOf } from './reply-run.ts';

/** An anonymous session ends after so long without a message; a sign-in, in any case. */
export const SESSION_MS = 86_400_000;
/** A conversation unused for so long goes on with the agent as it is by then. */
const AGENT_KEPT_MS = SESSION_MS;
/** A cookie is lengthened no oftener. */
const TOUCH_EVERY_MS = 3_600_000;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const SECRET_LENGTH = 43;
/** Messages of a conversation that are shown, and given to the agent at most. */
export const MESSAGES_MAX = 400;

export interface ValidLink {
  readonly link: PublicLink;
  readonly agent: StoredAgent;
}

/** Whoever is at the other end, as far as is known. */
export interface Visitor {
  readonly secret: string | null;
  readonly grant: ChatGrant | null;
  readonly email: string | null;
  readonly session: ChatSession | null;
}

/** A conversation to add to, and the cookie that leads to it. */
export interface OpenConversation {
  readonly session: ChatSession;
  /** New, or with a longer life; null: the visitor's own still holds. */
  readonly secret: string | null;
}

export interface ConversationsOptions {
  readonly chats: ChatRepository;
  readonly nowMs: () => number;
}

/** Who is who, which conversation is theirs, and how much they may say in it. */
export class Conversations {
  readonly #chats: ChatRepository;
  readonly #nowMs: () => number;

  constructor({ chats, nowMs }: ConversationsOptions) {
    this.#chats = chats;
    this.#nowMs = nowMs;
  }

  /** Throws `CHAT_VERIFICATION_REQUIRED` at a link that wants to know who it is. */
  async visitor({ link }: ValidLink, secret: string | null): Promise<Visitor> {
    const found = secret === null ? null : await this.#chats.findGrant(secret, this.#nowMs());
    const isOfThisKind = found?.linkId === link.id && (found.email !== null) === link.requiresEmail;
    const grant = isOfThisKind ? found : null;
    const email = grant?.email ?? null;
    if (link.requiresEmail && email === null) {
      const message = 'Please verify your e-mail address first.';
      throw new ChatError('CHAT_VERIFICATION_REQUIRED', message);
    }
    return { secret, grant, email, session: await this.#sessionOf(link, grant) };
  }

  /** The visitor's conversation, begun now if there is none. */
  async open(valid: ValidLink, visitor: Visitor): Promise<OpenConversation> {
    if (visitor.session === null) return this.#begin(valid, visitor.email);
    const nowMs = this.#nowMs();
    const secret = await this.#lengthen(visitor, nowMs);
    if (nowMs - visitor.session.activeAtMs <= AGENT_KEPT_MS) {
      return { session: visitor.session, secret };
    }
    await this.#chats.renewAgent(visitor.session.id, valid.agent);
    return { session: { ...visitor.session, agent: valid.agent }, secret };
  }

  /** What has been said; before the first message the welcome alone. */
  async messages(valid: ValidLink, session: ChatSession | null): Promise<readonly StoredMessage[]> {
    if (session !== null) return this.#chats.messages(session.id, MESSAGES_MAX);
    const welcome = this.#welcome(valid);
    return welcome === null ? [] : [welcome];
  }

  /** Adds the user's message. Throws `CHAT_RATE_LIMITED`. */
  async addUser(link: PublicLink, place: MessagePlace, message: StoredMessage): Promise<void> {
    const limits = limitsOf(link, this.#nowMs());
    if (await this.#chats.addUser(place, message, limits)) return;
    throw rateLimited(await this.#waitMs(link, place.visitor, limits));
  }

  /** The next message starts a conversation of its own; a sign-in and its memory stay. */
  async end(session: ChatSession): Promise<void> {
    await this.#chats.end(session.id, this.#nowMs());
  }

  #sessionOf(link: PublicLink, grant: ChatGrant | null): Promise<ChatSession | null> {
    if (grant?.email !== null && grant?.email !== undefined) {
      return this.#chats.findOpen(link.id, grant.email);
    }
    const id = grant?.sessionId ?? null;
    return id === null ? Promise.resolve(null) : this.#chats.find(id);
  }

  async #begin(valid: ValidLink, email: string | null): Promise<OpenConversation> {
    const { link, agent } = valid;
    const nowMs = this.#nowMs();
    const id = randomId('chat');
    const secret = email === null ? newSecret() : null;
    const grant = secret === null ? null : { secret, expiresAtMs: nowMs + SESSION_MS };
    const welcome = this.#welcome(valid);
    const hasBegun = await this.#chats.begin(
      { id, linkId: link.id, email, agent, welcome, grant },
      nowMs,
    );
    // Begun elsewhere a moment ago: on another device of the same person.
    const other = hasBegun || email === null ? null : await this.#chats.findOpen(link.id, email);
    const session = other ?? { id, linkId: link.id, email, agent, activeAtMs: nowMs };
    return { session, secret };
  }

  /** Lets an anonymous cookie live on; a sign-in ends when it said it would. */
  async #lengthen({ secret, grant, email }: Visitor, nowMs: number): Promise<string | null> {
    if (secret === null || grant === null || email !== null) return null;
    if (grant.expiresAtMs - nowMs > SESSION_MS - TOUCH_EVERY_MS) return null;
    await this.#chats.touch(secret, nowMs + SESSION_MS);
    return secret;
  }

  #welcome({ link, agent }: ValidLink): StoredMessage | null {
    const nowMs = this.#nowMs();
    const greetingText = link.welcomeMessage ?? agent.greetingText;
    // An announcement is for those who are called.
    const opening = { ...agent, greetingText, preCallAnnouncement: '' };
    const text = greeting(opening, variablesOf(agent), nowMs);
    if (text === '') return null;
    return { id: randomId('msg'), position: 0, role: 'agent', text, createdAtMs: nowMs };
  }

  async #waitMs(link: PublicLink, visitor: string, limits: MessageLimits): Promise<number> {
    const nowMs = this.#nowMs();
    const { perMinute, minuteBeganAtMs, dayBeganAtMs, perDay } = limits;
    const today = await this.#chats.timesOf(link.id, visitor, dayBeganAtMs, perDay);
    if (today.length >= perDay) return dayBeganAtMs + 1 + DAY_MS - nowMs;
    const recent = await this.#chats.timesOf(link.id, visitor, minuteBeganAtMs, perMinute);
    return (recent.at(-1) ?? nowMs) + MINUTE_MS - nowMs;
  }
}

/** A day is one of UTC; a minute, the last sixty seconds. Both exclude their beginning. */
function limitsOf(link: PublicLink, nowMs: number): MessageLimits {
  return {
    perMinute: link.messagesPerMinute,
    perDay: link.messagesPerDay,
    minuteBeganAtMs: nowMs - MINUTE_MS,
    dayBeganAtMs: Math.floor(nowMs / DAY_MS) * DAY_MS - 1,
  };
}

export function newSecret(): string {
  return randomText(SECRET_LENGTH);
}
