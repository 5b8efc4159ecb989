import type { Message, ToolCall } from './message.ts';

/** What a history may hold unless told otherwise. */
export const HISTORY_TOKENS_MAX = 6_000;
export const HISTORY_MESSAGES_MAX = 400;

export interface HistoryOptions {
  /** Kept whatever else is dropped; empty: none. */
  readonly systemPrompt: string;
  /** Estimated tokens of all messages together. */
  readonly tokensMax?: number;
  readonly messagesMax?: number;
}

/** What the caller heard of an agent turn. */
export interface HeardTurn {
  /** The part of the reply that was played; empty: nothing was. */
  readonly heardText: string;
  /** The caller cut in. */
  readonly isInterrupted: boolean;
}

/**
 * Roughly what a model counts: four characters of English to a token, two of other scripts,
 * and a few for the frame of each message. Meant to bound, not to bill.
 */
export function estimateTokens(message: Message): number {
  const calls = message.toolCalls?.length ? JSON.stringify(message.toolCalls) : '';
  let weight = 0;
  for (const character of message.content + calls) {
    weight += (character.codePointAt(0) ?? 0) < 0x250 ? 1 : 2;
  }
  return Math.ceil(weight / 4) + 4;
}

/** Messages that stand or fall together: an utterance and all that answered it. */
interface Exchange {
  readonly messages: Message[];
  tokens: number;
}

/**
 * The conversation as the model sees it: what the caller said and what the caller *heard*.
 * When it grows too large the oldest exchanges go whole, so that a tool call is never parted
 * from its result; the system prompt and the running exchange always stay.
 */
export class ConversationHistory {
  readonly #system: Message | null;
  readonly #systemTokens: number;
  readonly #tokensMax: number;
  readonly #messagesMax: number;
  readonly #exchanges: Exchange[] = [];
  #droppedCount = 0;

  constructor({
    systemPrompt,
    tokensMax = HISTORY_TOKENS_MAX,
    messagesMax = HISTORY_MESSAGES_MAX,
  }: HistoryOptions) {
    this.#system = systemPrompt === '' ? null : { role: 'system', content: systemPrompt };
    this.#systemTokens = this.#system === null ? 0 : estimateTokens(this.#system);
    this.#tokensMax = tokensMax;
    this.#messagesMax = messagesMax;
  }

  /** Messages dropped so far. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  addUser(text: string): void {
    const last = this.#exchanges.at(-1);
    // Said on top of an unanswered utterance: part of the same exchange.
    const isUnanswered = last !== undefined && last.messages.every(({ role }) => role === 'user');
    if (!isUnanswered) this.#exchanges.push({ messages: [], tokens: 0 });
    this.#add({ role: 'user', content: text });
  }

  /** A reply as it was heard. Of a reply that nobody heard nothing is kept. */
  addAgent({ heardText, isInterrupted }: HeardTurn): void {
    const text = heardText.trim();
    if (text === '') return;
    this.#add({ role: 'assistant', content: isInterrupted ? `${text}…` : text });
  }

  /** A round of tool calls, with what was heard of the text before them, and their results. */
  addToolRound(heardText: string, calls: readonly ToolCall[], results: readonly Message[]): void {
    if (calls.length === 0) return;
    this.#add({ role: 'assistant', content: heardText.trim(), toolCalls: calls });
    for (const call of calls) {
      const result = results.find(({ toolCallId }) => toolCallId === call.id);
      this.#add(result ?? { role: 'tool', content: '{"error":"no result"}', toolCallId: call.id });
    }
  }

  /** A copy; later additions do not change it. */
  messages(): Message[] {
    const rest = this.#exchanges.flatMap(({ messages }) => messages);
    return this.#system === null ? rest : [this.#system, ...rest];
  }

  #add(message: Message): void {
    const exchange = this.#exchanges.at(-1) ?? { messages: [], tokens: 0 };
    if (this.#exchanges.length === 0) this.#exchanges.push(exchange);
    exchange.messages.push(message);
    exchange.tokens += estimateTokens(message);
    this.#trim();
  }

  #trim(): void {
    let tokens = this.#systemTokens;
    let count = 0;
    for (const exchange of this.#exchanges) {
      tokens += exchange.tokens;
      count += exchange.messages.length;
    }
    while (this.#exchanges.length > 1 && (tokens > this.#tokensMax || count > this.#messagesMax)) {
      const oldest = this.#exchanges.shift();
      tokens -= oldest?.tokens ?? 0;
      count -= oldest?.messages.length ?? 0;
      this.#droppedCount += oldest?.messages.length ?? 0;
    }
  }
}
