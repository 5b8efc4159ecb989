import { join } from 'node:path';
import { ChatService } from './chat/chat-service.ts';
import { createFileMailer, createSmtpMailer, type Mailer } from './chat/mail.ts';
import { MemoryKeeper } from './chat/memory-keeper.ts';
import { Outbox } from './chat/outbox.ts';
import { PublicLinks } from './chat/public-links.ts';
import { Verification } from './chat/verification.ts';
import type { Config } from './config.ts';
import type { AgentSnapshot } from './model/agent.ts';
import type { RunTool } from './model/tool-call.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import type { StoredAgent } from './storage/agent-repository.ts';
import type { Storage } from './storage/storage.ts';

export interface ChatPartOptions {
  readonly config: Pick<Config, 'mail' | 'dataDir'>;
  readonly storage: () => Storage;
  readonly snapshot: (agent: StoredAgent) => AgentSnapshot;
  readonly runTool: RunTool;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface Started {
  readonly links: PublicLinks;
  readonly chat: ChatService;
  readonly verification: Verification;
  readonly keeper: MemoryKeeper;
  readonly outbox: Outbox;
  readonly sweep: NodeJS.Timeout;
}

const SWEEP_EVERY_MS = 600_000;

/** Public chat, as a part of the daemon. It starts after storage. */
export class ChatPart {
  readonly name = 'chat';
  readonly #options: ChatPartOptions;
  #started: Started | null = null;

  constructor(options: ChatPartOptions) {
    this.#options = options;
  }

  /** @throws TypeError before `start` */
  get links(): PublicLinks {
    return this.#running.links;
  }

  /** @throws TypeError before `start` */
  get chat(): ChatService {
    return this.#running.chat;
  }

  /** @throws TypeError before `start` */
  get verification(): Verification {
    return this.#running.verification;
  }

  async start(): Promise<void> {
    const { log, metrics, snapshot, runTool } = this.#options;
    const storage = this.#options.storage();
    const { agents, publicLinks, chats, chatMemories: memories } = storage;
    const nowMs = Date.now;
    const links = new PublicLinks({ links: publicLinks, agents, nowMs });
    const onFailed = () => metrics.chatMemoryFailed();
    const keeper = new MemoryKeeper({ memories, chats, log, nowMs, onFailed });
    const outbox = new Outbox({ mailer: this.#mailer(), log });
    const common = { links, nowMs };
    const verification = new Verification({ ...common, codes: memories, grants: chats, outbox });
    const onReplyFailed = () => metrics.chatReplyFailed();
    const service = { ...common, chats, memories, keeper, snapshot, runTool, log, onReplyFailed };
    const purge = () =>
      chats.purge(Date.now()).catch((err: unknown) => log.warn({ err }, 'old chats were kept'));
    const sweep = setInterval(() => void purge(), SWEEP_EVERY_MS);
    const chat = new ChatService(service);
    this.#started = { links, chat, verification, keeper, outbox, sweep };
  }

  /** Replies in hand are written to their end; when hurried, cut. */
  async stop(hurry: AbortSignal): Promise<void> {
    if (this.#started === null) return;
    const { chat, keeper, outbox, sweep } = this.#started;
    clearInterval(sweep);
    await chat.stop(hurry);
    outbox.close();
    keeper.close();
    await Promise.all([outbox.idle(), keeper.idle()]);
  }

  get #running(): Started {
    if (this.#started === null) throw new TypeError('chat is not open');
    return this.#started;
  }

  #mailer(): Mailer {
    const { config, log } = this.#options;
    const { host, user = null, password = null, ...mail } = config.mail;
    if (host !== undefined) return createSmtpMailer({ ...mail, host, user, password });
    const folder = join(config.dataDir, 'mail');
    log.info({ folder }, 'mails are kept as files, as mail.host is not set');
    return createFileMailer(folder, mail.from);
  }
}
