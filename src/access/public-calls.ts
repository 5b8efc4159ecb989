import type { CallService, WebCallReply, WebResumption } from '../call/call-service.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { AgentId, CallId } from '../model/ids.ts';

/** A place of a public call, counted from now on. */
export interface PublicPlace {
  readonly admitted: true;
  /** The call is over, once. One that was never answered is not counted for the day. */
  release(wasAnswered: boolean): void;
}

export interface PublicRefusal {
  readonly admitted: false;
  readonly retryAfterSeconds: number;
}

/**
 * Limits of what anyone may do with one agent: so many calls at once, so many a day. Asking and
 * counting are one step, so two calls never share the last place.
 */
export interface PublicAdmission {
  admit(agentId: AgentId): Promise<PublicPlace | PublicRefusal>;
}

export type PublicCallReply =
  | { readonly type: 'answer'; readonly callId: CallId; readonly sdp: string; resumeToken: string }
  /** Unknown, not shareable, switched off: nobody learns which. */
  | { readonly type: 'not-found' }
  | { readonly type: 'busy'; readonly retryAfterSeconds: number }
  /** The daemon cannot take a call now, whoever is called. */
  | { readonly type: 'unavailable'; readonly retryAfterSeconds: number }
  | { readonly type: 'bad-offer' };

export interface PublicCallsOptions {
  /** The agent as a call sees it, and whether it is shareable; null when there is none. */
  readonly findAgent: (
    id: AgentId,
  ) => Promise<{ readonly agent: AgentSnapshot; readonly isShareable: boolean } | null>;
  readonly admission: PublicAdmission;
  readonly calls: () => Pick<CallService, 'onWebOffer' | 'resumeWebCall'>;
}

const RETRY_AFTER_SECONDS = 10;

/** Calls to shared agents by people without an account. */
export class PublicCalls {
  readonly #options: PublicCallsOptions;

  constructor(options: PublicCallsOptions) {
    this.#options = options;
  }

  /** Rejects only when storage fails. */
  async offer(agentId: AgentId, offerSdp: string): Promise<PublicCallReply> {
    const { findAgent, admission, calls } = this.#options;
    const found = await findAgent(agentId);
    if (found === null || !found.isShareable || !found.agent.isEnabled) {
      return { type: 'not-found' };
    }
    const place = await admission.admit(agentId);
    if (!place.admitted) return { type: 'busy', retryAfterSeconds: place.retryAfterSeconds };
    const { agent } = found;
    const onOver = (wasAnswered: boolean) => place.release(wasAnswered);
    return replyOf(await calls().onWebOffer({ agent, offerSdp, onOver }));
  }

  /**
   * Carries a live call on from another network. `not-found` for whatever does not fit. That the
   * link was turned off meanwhile changes nothing.
   */
  async resume(callId: CallId, resumption: WebResumption): Promise<PublicCallReply> {
    const sdp = await this.#options.calls().resumeWebCall(callId, resumption);
    if (sdp === null) return { type: 'not-found' };
    return { type: 'answer', callId, sdp, resumeToken: resumption.resumeToken };
  }
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
      return { type: 'not-found' };
    case 'agent-busy':
      return { type: 'busy', retryAfterSeconds };
    case 'bad-offer':
    case 'no-common-codec':
      return { type: 'bad-offer' };
    default:
      return { type: 'unavailable', retryAfterSeconds };
  }
}
