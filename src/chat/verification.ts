import { createHash, randomInt } from 'node:crypto';
import { RateLimiter } from '../lib/rate-limiter.ts';
import type { ChatMemoryRepository } from '../storage/chat-memory-repository.ts';
import type { ChatRepository } from '../storage/chat-repository.ts';
import { ChatError, rateLimited } from './chat-error.ts';
import { clientKey } from './client-address.ts';
import { newSecret, SESSION_MS, type ValidLink } from './conversations.ts';
import { toEmail } from './email.ts';
import type { Outbox } from './outbox.ts';
import type { PublicLinks } from './public-links.ts';

export const CODE_MS = 600_000;
/** Tries of one code, right or wrong. */
const TRIES_MAX = 5;
const WINDOW_MS = 600_000;
/** Codes for one address, over all links, in a window. */
const CODES_OF_EMAIL = 3;
/** Requests and tries from one address of the network in a window. */
const CODES_OF_ADDRESS = 20;
const TRIES_OF_ADDRESS = 40;

export interface VerificationOptions {
  readonly links: PublicLinks;
  readonly codes: Pick<ChatMemoryRepository, 'keepCode' | 'redeemCode'>;
  readonly grants: Pick<ChatRepository, 'grant'>;
  readonly outbox: Outbox;
  readonly nowMs: () => number;
  /** Six digits. Default: by the system's random source. */
  readonly newCode?: () => string;
}

export interface Verified {
  readonly linkId: string;
  readonly secret: string;
  readonly secretSeconds: number;
}

/** Sign-in by a code that is mailed. Codes are kept as hashes, for ten minutes, for one use. */
export class Verification {
  readonly #options: VerificationOptions;
  readonly #ofEmail = new RateLimiter({ max: CODES_OF_EMAIL, windowMs: WINDOW_MS });
  readonly #ofAddress = new RateLimiter({ max: CODES_OF_ADDRESS, windowMs: WINDOW_MS });
  readonly #tries = new RateLimiter({ max: TRIES_OF_ADDRESS, windowMs: WINDOW_MS });

  constructor(options: VerificationOptions) {
    this.#options = options;
  }

  /**
   * Mails a code; one that was sent before is void. Returns before the mail is delivered, and
   * the same for every address. Throws `CHAT_LINK_INACTIVE`, `CHAT_VERIFICATION_OFF`,
   * `CHAT_EMAIL_MALFORMED`, `CHAT_RATE_LIMITED`, `CHAT_OVERLOADED`.
   *
   * @param address of the network
   */
  async request(token: string, emailText: string, address: string): Promise<void> {
    const { codes, outbox, nowMs, newCode = randomCode } = this.#options;
    const { link, agent } = await this.#valid(token);
    const email = toEmail(emailText);
    limit(this.#ofAddress, clientKey(address), nowMs());
    limit(this.#ofEmail, email, nowMs());
    const code = newCode();
    const id = codeIdOf(link.id, email);
    const expiresAtMs = nowMs() + CODE_MS;
    if (!outbox.hasRoom) throw overloaded();
    await codes.keepCode(id, { linkId: link.id, codeHash: hashOf(id, code), expiresAtMs });
    outbox.add({ to: email, ...codeMail(code, agent.displayName) });
  }

  /** Throws as `request`, and one `CHAT_CODE_REFUSED` for all that may be wrong with a code. */
  async confirm(
    token: string,
    emailText: string,
    code: string,
    address: string,
  ): Promise<Verified> {
    const { codes, grants, nowMs } = this.#options;
    const { link } = await this.#valid(token);
    const email = toEmail(emailText);
    limit(this.#tries, clientKey(address), nowMs());
    const id = codeIdOf(link.id, email);
    const digits = code.replaceAll(/\D/g, '');
    if (!(await codes.redeemCode(id, hashOf(id, digits), TRIES_MAX, nowMs()))) {
      throw new ChatError('CHAT_CODE_REFUSED', 'This code is wrong or no longer valid.');
    }
    const secret = newSecret();
    const expiresAtMs = nowMs() + SESSION_MS;
    await grants.grant(secret, { linkId: link.id, email, sessionId: null, expiresAtMs });
    return { linkId: link.id, secret, secretSeconds: SESSION_MS / 1000 };
  }

  async #valid(token: string): Promise<ValidLink> {
    const resolved = await this.#options.links.resolve(token);
    if (!resolved.isValid) throw new ChatError('CHAT_LINK_INACTIVE', 'This link is not active.');
    if (!resolved.link.requiresEmail) {
      throw new ChatError('CHAT_VERIFICATION_OFF', 'This chat needs no e-mail address.');
    }
    return resolved;
  }
}

function limit(limiter: RateLimiter, key: string, nowMs: number): void {
  const verdict = limiter.take(key, nowMs);
  if (!verdict.isAllowed) throw rateLimited(verdict.retryAfterMs);
}

function overloaded(): ChatError {
  const message = 'Mail cannot be sent now. Please try again in a moment.';
  return new ChatError('CHAT_OVERLOADED', message, { retryAfterSeconds: 30 });
}

function randomCode(): string {
  return String(randomInt(1_000_000)).padStart(6, '0');
}

function codeIdOf(linkId: string, email: string): string {
  return createHash('sha256').update(`${linkId}\n${email}`).digest('hex');
}

/** Short-lived and few tries: what a fast hash hides is worthless before it is found. */
function hashOf(id: string, code: string): string {
  return createHash('sha256').update(`${id}\n${code}`).digest('hex');
}

function codeMail(code: string, agentName: string) {
  const minutes = CODE_MS / 60_000;
  return {
    subject: `${code} is your code`,
    text:
      `${code} is your code to chat with ${agentName}.\n\n` +
      `Type it into the page that asked for it, within ${minutes} minutes.\n` +
      'If you did not ask for it, you need not do anything.\n',
  };
}
