import { createInstantLinkDoor, type InstantLinkDoor } from './access/instant-links.ts';
import { PublicAdmission } from './access/public-admission.ts';
import { PublicCalls } from './access/public-calls.ts';
import { createSipCredentials, type SipCredentialBook } from './access/sip-credentials.ts';
import { SignedTokens } from './access/signed-tokens.ts';
import { createWebCallTokens, type WebCallTokens } from './access/web-call-tokens.ts';
import type { CallService } from './call/call-service.ts';
import type { AgentSnapshot } from './model/agent.ts';
import type { Logger } from './observability/logger.ts';
import type { NewAgent } from './storage/agent-repository.ts';
import { SipSignIn } from './sip-sign-in.ts';
import type { Storage } from './storage/storage.ts';

export interface BrowserDoorsOptions {
  readonly storage: () => Storage;
  readonly calls: () => CallService;
  readonly snapshot: (agent: NewAgent) => AgentSnapshot;
  readonly log: Logger;
}

interface Opened {
  readonly credentials: SipCredentialBook;
  readonly tokens: WebCallTokens;
  readonly admission: PublicAdmission;
  readonly links: InstantLinkDoor;
}

/** How browsers reach an agent. Nothing here may be asked for before storage is open. */
export class BrowserDoors {
  readonly calls: PublicCalls;
  readonly signIn: SipSignIn;
  readonly #options: BrowserDoorsOptions;
  #opened: Opened | null = null;

  constructor(options: BrowserDoorsOptions) {
    this.#options = options;
    const onError = (err: unknown) =>
      options.log.error({ err }, 'a public call could not be counted');
    this.signIn = new SipSignIn({
      credentials: () => this.credentials,
      tokens: () => this.tokens,
      admission: () => this.admission,
      agents: () => options.storage().agents,
      snapshot: options.snapshot,
      onError,
      nowMs: Date.now,
    });
    this.calls = new PublicCalls({
      findAgent: (id) => options.storage().agents.findForCall(id),
      snapshot: options.snapshot,
      admission: () => this.admission,
      tokens: () => this.tokens,
      links: () => this.links,
      onError,
      calls: options.calls,
    });
  }

  /** Mints and redeems tokens for one call. */
  get tokens(): WebCallTokens {
    return this.#open.tokens;
  }

  /** The gate of every public door: made once, since it remembers when it last swept. */
  get admission(): PublicAdmission {
    return this.#open.admission;
  }

  /** Names and passwords for SIP over WebSocket. */
  get credentials(): SipCredentialBook {
    return this.#open.credentials;
  }

  /** Who may come in by an instant voice link. */
  get links(): InstantLinkDoor {
    return this.#open.links;
  }

  get #open(): Opened {
    if (this.#opened !== null) return this.#opened;
    const storage = this.#options.storage();
    const nowMs = Date.now;
    const signed = new SignedTokens(storage.webCalls, nowMs);
    this.#opened = {
      credentials: createSipCredentials(signed, storage.apiKeys, nowMs),
      tokens: createWebCallTokens({ ...storage, signed, nowMs }),
      admission: new PublicAdmission({ admissions: storage.publicAdmissions, nowMs }),
      links: createInstantLinkDoor(storage.instantLinks, nowMs),
    };
    return this.#opened;
  }
}
