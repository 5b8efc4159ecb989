import type { PublicAdmission } from './access/public-admission.ts';
import { SIP_REALM, type SipCredentialBook, type SipIdentity } from './access/sip-credentials.ts';
import type { WebCallTokens } from './access/web-call-tokens.ts';
import type { SignedInCall } from './call/call-requests.ts';
import type { AgentSnapshot } from './model/agent.ts';
import { asAgentId, type WorkspaceId } from './model/ids.ts';
import { digestSecret } from './signaling/digest/digest-hash.ts';
import { type Binding, Registrar } from './signaling/registrar.ts';
import type { SipInvite } from './signaling/sip-leg.ts';
import type {
  WebSocketAuthorizer,
  WebSocketCallVerdict,
  WebSocketRegisterVerdict,
  WebSocketRequest,
  WebSocketUser,
} from './signaling/web-socket-authorizer.ts';
import type { NewAgent } from './storage/agent-repository.ts';
import type { AgentRepository } from './storage/agent-repository.ts';

export interface SipSignInOptions {
  readonly credentials: () => SipCredentialBook;
  readonly tokens: () => Pick<WebCallTokens, 'redeemBody'>;
  readonly admission: () => Pick<PublicAdmission, 'admit'>;
  readonly agents: () => Pick<AgentRepository, 'find'>;
  readonly snapshot: (agent: NewAgent) => AgentSnapshot;
  /** A count that could not be written: the call goes on. */
  readonly onError: (error: unknown) => void;
  /** Unix time. */
  readonly nowMs: () => number;
}

/** Between the right password and the call: the INVITE may be canceled in that moment. */
const FETCHED_WITHIN_MS = 10_000;
const FORBIDDEN: WebSocketCallVerdict = { type: 'refuse', status: 403 };

/**
 * Who may sign in over WebSocket: holders of a token for one web call, and owners with
 * credentials of their own, who may also be called by their name.
 */
export class SipSignIn implements WebSocketAuthorizer {
  readonly realm = SIP_REALM;
  readonly #options: SipSignInOptions;
  readonly #registrar: Registrar;
  /** Calls that were let in and have not been fetched yet, by user and Call-ID. */
  readonly #admitted = new Map<string, { call: SignedInCall; timer: NodeJS.Timeout }>();

  constructor(options: SipSignInOptions) {
    this.#options = options;
    this.#registrar = new Registrar({ nowMs: options.nowMs });
  }

  async findUser(username: string): Promise<WebSocketUser | null> {
    const identity = await this.#options.credentials().find(username);
    if (identity === null) return null;
    const by = { username, realm: this.realm, password: identity.password };
    const secrets = { MD5: digestSecret('MD5', by), 'SHA-256': digestSecret('SHA-256', by) };
    return { username, secrets };
  }

  async authorizeCall(
    { username }: WebSocketUser,
    request: WebSocketRequest,
  ): Promise<WebSocketCallVerdict> {
    const identity = await this.#options.credentials().find(username);
    if (identity === null) return FORBIDDEN;
    const call =
      identity.owner === null
        ? await this.#admitByToken(identity)
        : await this.#admitOwner(identity.owner, request);
    if ('status' in call) return call;
    const key = keyOf(username, request.sipCallId);
    const timer = setTimeout(() => this.#drop(key), FETCHED_WITHIN_MS);
    this.#drop(key);
    this.#admitted.set(key, { call, timer });
    return { type: 'take' };
  }

  async register(
    { username }: WebSocketUser,
    request: WebSocketRequest,
  ): Promise<WebSocketRegisterVerdict> {
    const identity = await this.#options.credentials().find(username);
    // Who holds a token for one call has no name to be called by.
    const owner = identity?.owner ?? null;
    if (identity === null || owner?.user !== request.to.user) {
      return { type: 'refuse', status: 403 };
    }
    const address = addressOf(owner.workspaceId, owner.user);
    return this.#registrar.register(address, request, identity.body.expiresAtMs);
  }

  /** Where a person of that workspace can be called now, the newest first. */
  bindingsOf(workspaceId: WorkspaceId, user: string): readonly Binding[] {
    return this.#registrar.find(addressOf(workspaceId, user));
  }

  /** The call that was let in as this INVITE; once. */
  take(invite: Pick<SipInvite, 'signedInAs' | 'sipCallId'>): SignedInCall | null {
    const key = keyOf(invite.signedInAs ?? '', invite.sipCallId);
    const admitted = this.#admitted.get(key);
    if (admitted === undefined) return null;
    clearTimeout(admitted.timer);
    this.#admitted.delete(key);
    return admitted.call;
  }

  /** One call of the agent that the token is for, whatever was dialed. */
  async #admitByToken({
    body,
  }: SipIdentity): Promise<SignedInCall | Extract<WebSocketCallVerdict, { type: 'refuse' }>> {
    const { tokens, admission, snapshot, onError } = this.#options;
    const grant = await tokens().redeemBody(body);
    if (grant === null) return { type: 'refuse', status: 403 };
    const { agent, isOwner, giveBack } = grant;
    const place = isOwner ? null : await admission().admit(agent.id);
    if (place?.isAdmitted === false) {
      await giveBack();
      const { retryAfterSeconds } = place;
      return { type: 'refuse', status: 486, retryAfterSeconds };
    }
    let hasMet = false;
    return {
      agent: snapshot(agent),
      caller: '',
      dialed: '',
      onAnswered: () => {
        hasMet = true;
        place?.connected().catch(onError);
      },
      onOver: () => {
        place?.release().catch(onError);
        if (!hasMet) giveBack().catch(onError);
      },
    };
  }

  /** Any agent of the owner's workspace, by its id. */
  async #admitOwner(
    { workspaceId, user }: { readonly workspaceId: WorkspaceId; readonly user: string },
    { dialed }: WebSocketRequest,
  ): Promise<SignedInCall | Extract<WebSocketCallVerdict, { type: 'refuse' }>> {
    const agent = await this.#options.agents().find(workspaceId, asAgentId(dialed.user));
    if (agent === null) return { type: 'refuse', status: 404 };
    return {
      agent: this.#options.snapshot(agent),
      caller: user,
      dialed: dialed.user,
      onAnswered: () => {},
      onOver: () => {},
    };
  }

  /** Nobody fetched it: there will be no call. */
  #drop(key: string): void {
    const admitted = this.#admitted.get(key);
    if (admitted === undefined) return;
    clearTimeout(admitted.timer);
    this.#admitted.delete(key);
    admitted.call.onOver();
  }
}

const keyOf = (username: string, sipCallId: string): string => `${username} ${sipCallId}`;

const addressOf = (workspaceId: WorkspaceId, user: string): string => `${workspaceId} ${user}`;
