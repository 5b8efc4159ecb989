import { randomBytes } from 'node:crypto';
import { randomId } from '../lib/random-id.ts';
import type { WorkspaceId } from '../model/ids.ts';
import type { AgentRepository, StoredAgent } from '../storage/agent-repository.ts';
import type {
  LinkOwner,
  PublicLink,
  PublicLinkChange,
  PublicLinkRepository,
  PublicLinkUsage,
} from '../storage/public-link-repository.ts';
import { ChatError } from './chat-error.ts';

/** Links of one agent that are not deleted. */
export const LINKS_MAX = 1000;
const TOKEN_BYTES = 24;
const TOKEN = /^[\w-]{32}$/;

/** What an owner may set of a link. */
export type LinkFields = Omit<PublicLinkChange, 'token'>;

export const LINK_DEFAULTS = {
  name: '',
  isEnabled: true,
  requiresEmail: false,
  messagesPerMinute: 20,
  messagesPerDay: 200,
  welcomeMessage: null,
  expiresAtMs: null,
} as const;

export type LinkStatus = 'active' | 'disabled' | 'expired';

/** A link with what its owner wants to see beside it. */
export interface OwnedLink {
  readonly link: PublicLink;
  readonly agent: StoredAgent;
  readonly status: LinkStatus;
  readonly usage: PublicLinkUsage;
}

/** What a token leads to. */
export type ResolvedLink =
  | { readonly isValid: true; readonly link: PublicLink; readonly agent: StoredAgent }
  | { readonly isValid: false; readonly reason: 'not_found' | Exclude<LinkStatus, 'active'> };

export interface PublicLinksOptions {
  readonly links: PublicLinkRepository;
  readonly agents: Pick<AgentRepository, 'findForCall'>;
  readonly nowMs: () => number;
}

const UNUSED: PublicLinkUsage = { messages: 0, lastUsedAtMs: null };

/** Public links of agents: what their owners do with them, and what a token leads to. */
export class PublicLinks {
  readonly #options: PublicLinksOptions;

  constructor(options: PublicLinksOptions) {
    this.#options = options;
  }

  /** @param name id of an agent, or the display name that it alone has */
  async list(workspaceId: WorkspaceId, name: string): Promise<readonly OwnedLink[]> {
    const agent = await this.agentNamed(workspaceId, name);
    const { links } = this.#options;
    const usage = await links.usage(agent.id);
    const all = await links.list({ workspaceId, agentId: agent.id }, LINKS_MAX);
    return all.map((link) => this.#owned(link, agent, usage.get(link.id)));
  }

  async create(workspaceId: WorkspaceId, name: string, fields: LinkFields): Promise<OwnedLink> {
    const agent = await this.agentNamed(workspaceId, name);
    const nowMs = this.#options.nowMs();
    const link: PublicLink = {
      ...LINK_DEFAULTS,
      ...given(fields),
      id: randomId('lnk'),
      workspaceId,
      agentId: agent.id,
      token: newToken(),
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    };
    const hasRoom = await this.#options.links.create(link, LINKS_MAX);
    if (!hasRoom) {
      throw new ChatError('CHAT_LINKS_FULL', `An agent may have ${LINKS_MAX} public links.`);
    }
    return this.#owned(link, agent, undefined);
  }

  /** Replaces the fields that are given; the token stays. */
  async update(
    workspaceId: WorkspaceId,
    name: string,
    id: string,
    fields: LinkFields,
  ): Promise<OwnedLink> {
    return this.#change(workspaceId, name, id, given(fields));
  }

  /** A new token; the old one answers as one that never was. Conversations stay. */
  async rotate(workspaceId: WorkspaceId, name: string, id: string): Promise<OwnedLink> {
    return this.#change(workspaceId, name, id, { token: newToken() });
  }

  /** A reply that is being written is finished; the history stays. */
  async remove(workspaceId: WorkspaceId, name: string, id: string): Promise<void> {
    const agent = await this.agentNamed(workspaceId, name);
    const owner = { workspaceId, agentId: agent.id };
    if (!(await this.#options.links.remove(owner, id, this.#options.nowMs()))) throw unknownLink();
  }

  async resolve(token: string): Promise<ResolvedLink> {
    const link = TOKEN.test(token) ? await this.#options.links.findByToken(token) : null;
    if (link === null) return { isValid: false, reason: 'not_found' };
    const agent = await this.#options.agents.findForCall(link.agentId);
    if (agent === null) return { isValid: false, reason: 'not_found' };
    const status = agent.isEnabled ? this.#statusOf(link) : 'disabled';
    return status === 'active'
      ? { isValid: true, link, agent }
      : { isValid: false, reason: status };
  }

  async agentNamed(workspaceId: WorkspaceId, name: string): Promise<StoredAgent> {
    const ids = await this.#options.links.agentsNamed(workspaceId, name);
    const [id] = ids;
    if (ids.length > 1) {
      const message = 'Several agents have this name; give the id of one.';
      throw new ChatError('CHAT_AGENT_AMBIGUOUS', message);
    }
    const agent = id === undefined ? null : await this.#options.agents.findForCall(id);
    if (agent === null) throw new ChatError('CHAT_AGENT_UNKNOWN', 'There is no such agent.');
    return agent;
  }

  async #change(
    workspaceId: WorkspaceId,
    name: string,
    id: string,
    change: PublicLinkChange,
  ): Promise<OwnedLink> {
    const agent = await this.agentNamed(workspaceId, name);
    const owner: LinkOwner = { workspaceId, agentId: agent.id };
    const { links, nowMs } = this.#options;
    const link =
      Object.keys(change).length === 0
        ? await links.find(owner, id)
        : await links.update(owner, id, change, nowMs());
    if (link === null) throw unknownLink();
    return this.#owned(link, agent, (await links.usage(agent.id)).get(id));
  }

  #owned(link: PublicLink, agent: StoredAgent, usage: PublicLinkUsage = UNUSED): OwnedLink {
    return { link, agent, status: this.#statusOf(link), usage };
  }

  #statusOf({ isEnabled, expiresAtMs }: PublicLink): LinkStatus {
    if (!isEnabled) return 'disabled';
    return expiresAtMs !== null && this.#options.nowMs() >= expiresAtMs ? 'expired' : 'active';
  }
}

function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

function unknownLink(): ChatError {
  return new ChatError('CHAT_LINK_UNKNOWN', 'There is no such public link.');
}

/** Without the fields that are there and undefined, which would hide a default. */
function given(fields: LinkFields): LinkFields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
