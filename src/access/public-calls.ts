import type { WebCallReply, WebResumption } from '../call/call-requests.ts';
import type { CallService } from '../call/call-service.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { CallDoor } from '../model/call.ts';
import type { AgentId, CallId } from '../model/ids.ts';
import type { AgentOwnersSide, NewAgent } from '../storage/agent-repository.ts';
import type { InstantLinkDoor } from './instant-links.ts';
import type { PublicAdmission, PublicPlace } from './public-admission.ts';
import type { WebCallGrant, WebCallTokens } from './web-call-tokens.ts';

export type PublicCallReply =
  | { readonly type: 'answer'; readonly callId: CallId; readonly sdp: string; resumeToken: string }
  /** Unknown, not shareable, switched off: nobody learns which. */
  | { readonly type: 'not-found' }
  /** The token opens nothing, or nothing any more. */
  | { readonly type: 'unauthorized' }
  | { readonly type: 'busy'; readonly retryAfterSeconds: number }
  /** The daemon cannot take a call now, whoever is called. */
  | { readonly type: 'unavailable'; readonly retryAfterSeconds: number }
  | { readonly type: 'bad-offer' };

export interface PublicCallsOptions {
  /** The agent as it is stored; null when there is none. */
  readonly findAgent: (id: AgentId) => Promise<(NewAgent & AgentOwnersSide) | null>;
  /** The agent as a call sees it. */
  readonly snapshot: (agent: NewAgent) => AgentSnapshot;
  readonly admission: () => Pick<PublicAdmission, 'admit' | 'admitByLink'>;
  readonly tokens: () => Pick<WebCallTokens, 'redeemWebCallToken'>;
  readonly links: () => Pick<InstantLinkDoor, 'open' | 'connected'>;
  /** A count that could not be written: the call goes on. */
  readonly onError: (error: unknown) => void;
  readonly calls: () => Pick<CallService, 'onWebOffer' | 'resumeWebCall' | 'hangUp'>;
}

/** One browser on its way in: who answers, and who wants to know what becomes of it. */
interface Entry {
  readonly agent: NewAgent;
  readonly door: CallDoor;
  readonly offerSdp: string;
  readonly onMet: (callId: CallId | null) => Promise<void>;
  /** @param hasMet whether there was a call at all */
  readonly onOver: (hasMet: boolean) => Promise<void>;
}

const RETRY_AFTER_SECONDS = 10;
const NOT_FOUND: PublicCallReply = { type: 'not-found' };
const UNAUTHORIZED: PublicCallReply = { type: 'unauthorized' };

/** Calls of browsers: to shared agents, by a token, by an instant link, and by owners. */
export class PublicCalls {
  readonly #options: PublicCallsOptions;

  constructor(options: PublicCallsOptions) {
    this.#options = options;
  }

  /**
   * Calls a shared agent; with a token also one that is not shared. Rejects only when storage
   * fails.
   */
  async offer(
    agentId: AgentId,
    offerSdp: string,
    token: string | null = null,
  ): Promise<PublicCallReply> {
    if (token !== null) {
      const grant = await this.#options.tokens().redeemWebCallToken(token, agentId);
      return grant === null ? UNAUTHORIZED : this.#offerByGrant(grant, offerSdp);
    }
    const agent = await this.#options.findAgent(agentId);
    if (agent === null || !agent.isShareable || !agent.isEnabled) return NOT_FOUND;
    const place = await this.#options.admission().admit(agentId);
    if (!place.isAdmitted) return { type: 'busy', retryAfterSeconds: place.retryAfterSeconds };
    return this.#enter({ agent, offerSdp, door: 'web-offer', ...counting(place) });
  }

  /** An owner's own call, by a token that only owners get. */
  async offerByOwner(token: string, offerSdp: string, agentId?: AgentId): Promise<PublicCallReply> {
    const grant = await this.#options.tokens().redeemWebCallToken(token, agentId);
    if (grant === null) return UNAUTHORIZED;
    if (grant.isOwner) return this.#offerByGrant(grant, offerSdp);
    await grant.giveBack();
    return UNAUTHORIZED;
  }

  /** A call by an instant link. `not-found` for one that is unknown or not active. */
  async offerByLink(linkToken: string, offerSdp: string): Promise<PublicCallReply> {
    const door = this.#options.links();
    const opened = await door.open(linkToken);
    if (opened === null) return NOT_FOUND;
    const { link, agent } = opened;
    const place = await this.#options.admission().admitByLink(link);
    if (!place.isAdmitted) return { type: 'busy', retryAfterSeconds: place.retryAfterSeconds };
    return this.#enter({
      agent,
      offerSdp,
      door: 'instant-link',
      onMet: async (callId) => {
        await place.connected();
        // Somebody else was faster with the last of its calls.
        const isCounted = await door.connected(link);
        if (!isCounted && callId !== null) {
          await this.#options.calls().hangUp(callId, 'link-used-up');
        }
      },
      onOver: () => place.release(),
    });
  }

  /**
   * Carries a live call on from another network. `not-found` for whatever does not fit. That the
   * link was turned off meanwhile changes nothing.
   */
  async resume(callId: CallId, resumption: WebResumption): Promise<PublicCallReply> {
    const sdp = await this.#options.calls().resumeWebCall(callId, resumption);
    if (sdp === null) return NOT_FOUND;
    return { type: 'answer', callId, sdp, resumeToken: resumption.resumeToken };
  }

  async #offerByGrant(grant: WebCallGrant, offerSdp: string): Promise<PublicCallReply> {
    const { agent, isOwner, giveBack } = grant;
    const place = isOwner ? null : await this.#options.admission().admit(agent.id);
    if (place?.isAdmitted === false) {
      await giveBack();
      return { type: 'busy', retryAfterSeconds: place.retryAfterSeconds };
    }
    return this.#enter({
      agent,
      offerSdp,
      door: 'web-offer',
      onMet: async () => place?.connected(),
      onOver: async (hasMet) => {
        await place?.release();
        if (!hasMet) await giveBack();
      },
    });
  }

  async #enter({ agent, offerSdp, door, onMet, onOver }: Entry): Promise<PublicCallReply> {
    const { calls, snapshot, onError } = this.#options;
    let callId: CallId | null = null;
    let hasMet = false;
    const reply = await calls().onWebOffer({
      agent: snapshot(agent),
      door,
      offerSdp,
      onAnswered: () => {
        hasMet = true;
        onMet(callId).catch(onError);
      },
      onOver: () => void onOver(hasMet).catch(onError),
    });
    if (reply.accepted) callId = reply.callId;
    return replyOf(reply);
  }
}

function counting(place: PublicPlace): Pick<Entry, 'onMet' | 'onOver'> {
  return { onMet: () => place.connected(), onOver: () => place.release() };
}

function replyOf(reply: WebCallReply): PublicCallReply {
  if (reply.accepted) {
    const { callId, answerSdp: sdp, resumeToken } = reply;
    return { type: 'answer', callId, sdp, resumeToken };
  }
  const retryAfterSeconds = RETRY_AFTER_SECONDS;
  switch (reply.reason) {
    case 'agent-not-found':
    case 'agent-disabled':
      return NOT_FOUND;
    case 'agent-busy':
    case 'workspace-busy':
    case 'quota-exceeded':
    case 'spend-cap-reached':
      return { type: 'busy', retryAfterSeconds };
    case 'bad-offer':
    case 'no-common-codec':
    case 'encryption-required':
      return { type: 'bad-offer' };
    default:
      return { type: 'unavailable', retryAfterSeconds };
  }
}
