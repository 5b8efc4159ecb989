import { ChatService, type ChatServiceOptions } from '../../src/chat/chat-service.ts';
import { type Mail, type Mailer } from '../../src/chat/mail.ts';
import { MemoryKeeper } from '../../src/chat/memory-keeper.ts';
import { Outbox } from '../../src/chat/outbox.ts';
import { type LinkFields, PublicLinks } from '../../src/chat/public-links.ts';
import { Verification } from '../../src/chat/verification.ts';
import type { AgentSnapshot } from '../../src/model/agent.ts';
import { createLogger } from '../../src/observability/logger.ts';
import type { StoredAgent } from '../../src/storage/agent-repository.ts';
import { DEMO_WORKSPACE_ID } from '../../src/storage/bootstrap.ts';
import { asAgentId } from '../../src/model/ids.ts';
import { temporaryStorage } from './storage.ts';

/** A phrasebook whose replies tell what was understood. */
export const CHAT_BOOK = {
  fallbacks: ['Sorry?'],
  entries: [
    {
      id: 'hours',
      says: ['[what are] [your] opening hours'],
      replies: ['Nine to five.', 'Still nine to five.'],
    },
    { id: 'name', says: ['my name is {name:anna|ben}'], replies: ['Hello, {{name}}.'] },
    { id: 'whoami', says: ['who am i'], replies: ['You are {{name|a stranger}}.'] },
  ],
};

export interface ChatRigOptions extends Partial<ChatServiceOptions> {
  readonly llm?: AgentSnapshot['llm'];
  /** Unset: mails are kept in `mails`. */
  readonly mailer?: Mailer;
}

/** Public chat over a real database, with hand-made time. Mails wait in `mails`. */
export async function chatRig(options: ChatRigOptions = {}) {
  const temporary = await temporaryStorage();
  const { storage } = temporary;
  const clock = { nowMs: Date.UTC(2026, 0, 5, 12) };
  const nowMs = () => clock.nowMs;
  const logLines: string[] = [];
  const log = createLogger({
    level: 'debug',
    pretty: 'never',
    destination: { write: (line) => void logLines.push(line) },
  });
  const agentId = asAgentId('agt_demo');
  await storage.agents.update(
    DEMO_WORKSPACE_ID,
    agentId,
    { phrasebook: CHAT_BOOK, displayName: 'Front Desk', systemPrompt: 'Be brief.' },
    clock.nowMs,
  );
  const mails: Mail[] = [];
  const mailer = options.mailer ?? {
    send: async (mail: Mail) => void mails.push(mail),
    close: () => {},
  };
  const failures = { replies: 0, memories: 0 };
  const links = new PublicLinks({ links: storage.publicLinks, agents: storage.agents, nowMs });
  const keeper = new MemoryKeeper({
    memories: storage.chatMemories,
    chats: storage.chats,
    log,
    nowMs,
    onFailed: () => void (failures.memories += 1),
  });
  const outbox = new Outbox({ mailer, log, retryAfterMs: 1 });
  const verification = new Verification({
    links,
    codes: storage.chatMemories,
    grants: storage.chats,
    outbox,
    nowMs,
  });
  const chat = new ChatService({
    links,
    chats: storage.chats,
    memories: storage.chatMemories,
    keeper,
    snapshot: (agent: StoredAgent): AgentSnapshot => ({
      ...agent,
      stt: { provider: 'embedded' },
      llm: options.llm ?? { provider: 'phrasebook' },
      tts: { provider: 'embedded' },
    }),
    log,
    nowMs,
    onReplyFailed: () => void (failures.replies += 1),
    runTool: async () => ({ error: 'the tool has no server' }),
    ...options,
  });

  const rig = {
    ...temporary,
    clock,
    log,
    logLines,
    mails,
    failures,
    links,
    keeper,
    outbox,
    verification,
    chat,
    async link(fields: LinkFields = {}) {
      const { link } = await links.create(DEMO_WORKSPACE_ID, 'agt_demo', fields);
      return link;
    },
    /** A browser of its own: it keeps what it is given. */
    visitor(token: string, address = '203.0.113.7') {
      return new TestVisitor(rig, token, address);
    },
    async close() {
      outbox.close();
      keeper.close();
      await chat.stop(AbortSignal.abort());
      await keeper.idle();
      await temporary.remove();
    },
  };
  return rig;
}

export type ChatRig = Awaited<ReturnType<typeof chatRig>>;

interface TestVisitorRig {
  readonly chat: ChatService;
  readonly verification: Verification;
  readonly mails: readonly Mail[];
  readonly outbox: Outbox;
}

export class TestVisitor {
  secret: string | null = null;
  readonly #rig: TestVisitorRig;
  readonly token: string;
  readonly #address: string;

  constructor(rig: TestVisitorRig, token: string, address: string) {
    this.#rig = rig;
    this.token = token;
    this.#address = address;
  }

  get #request() {
    return { token: this.token, secretOf: () => this.secret };
  }

  /** Sends, and waits for nothing. */
  async send(text: string) {
    const sent = await this.#rig.chat.send(this.#request, text, this.#address);
    this.secret = sent.secret ?? this.secret;
    return sent;
  }

  /** What the agent answers. */
  async say(text: string): Promise<string> {
    const end = await (await this.send(text)).feed.end();
    if (end.type === 'failed') throw end.error;
    return end.message.text;
  }

  async texts(): Promise<string[]> {
    return (await this.history()).messages.map(({ text }) => text);
  }

  history() {
    return this.#rig.chat.history(this.#request);
  }

  startAnew() {
    return this.#rig.chat.startAnew(this.#request);
  }

  /** Asks for a code and types it in. */
  async verify(email: string): Promise<void> {
    await this.#rig.verification.request(this.token, email, this.#address);
    await this.#rig.outbox.idle();
    const code = /^\d{6}/.exec(this.#rig.mails.at(-1)?.text ?? '')?.[0] ?? '';
    const verified = await this.#rig.verification.confirm(this.token, email, code, this.#address);
    this.secret = verified.secret;
  }
}
