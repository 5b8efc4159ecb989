import { GatewayError, type GatewayErrorOptions } from '../lib/gateway-error.ts';

/** Why public chat refused or failed. */
export type ChatErrorCode =
  /** No such link, or one that is off or has run out: never told apart here. */
  | 'CHAT_LINK_INACTIVE'
  | 'CHAT_VERIFICATION_REQUIRED'
  /** The link asks for no address. */
  | 'CHAT_VERIFICATION_OFF'
  /** Wrong, run out, used or tried too often: never told apart. */
  | 'CHAT_CODE_REFUSED'
  | 'CHAT_EMAIL_MALFORMED'
  | 'CHAT_TEXT_EMPTY'
  | 'CHAT_RATE_LIMITED'
  /** A reply to this person is still being written. */
  | 'CHAT_REPLYING'
  | 'CHAT_OVERLOADED'
  | 'CHAT_REPLY_FAILED'
  /** For owners. */
  | 'CHAT_AGENT_UNKNOWN'
  | 'CHAT_AGENT_AMBIGUOUS'
  | 'CHAT_LINK_UNKNOWN'
  | 'CHAT_LINKS_FULL';

export interface ChatErrorOptions extends GatewayErrorOptions {
  readonly retryAfterSeconds?: number;
}

/** Messages are for people who chat: no facts about agents, owners or others. */
export class ChatError extends GatewayError<ChatErrorCode> {
  readonly retryAfterSeconds: number | null;

  constructor(code: ChatErrorCode, message: string, options: ChatErrorOptions = {}) {
    super(code, message, options);
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }
}

export function rateLimited(retryAfterMs: number): ChatError {
  const retryAfterSeconds = Math.max(1, Math.ceil(retryAfterMs / 1000));
  const message = 'You have sent as many messages as this chat takes for now.';
  return new ChatError('CHAT_RATE_LIMITED', message, { retryAfterSeconds });
}
