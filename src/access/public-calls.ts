import type { CallService, WebCallReply, WebResumption } from '../call/call-service.ts';
import type { AgentSnapshot } from '../model/agent.ts';
import type { AgentId, CallId } from '../model/ids.ts';
import type { PublicAdmission } from './public-admission.ts';

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
  readonly admission: () => Pick<PublicAdmission, 'admit'>;
  /** A count that could not be written: the call goes on. */
  readonly onError: (error: unknown) => void;
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
    const { findAgent, admission, calls, onError } = this.#options;
    const found = await findAgent(agentId);
    if (found === null || !found.isShareable || !found.agent.isEnabled) {
      return { type: 'not-found' };
    }
    const place = await admission().admit(agentId);
    if (!place.isAdmitted) return { type: 'busy', retryAfterSeconds: place.retryAfterSeconds };
    const reply = await calls().onWebOffer({
      agent: found.agent,
      offerSdp,
      onAnswered: () => void place.connected().catch(onError),
      onOver: () => void place.release().catch(onError),
    });
    return replyOf(reply);
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
    case 'encryption-required':
      return { type: 'bad-offer' };
    default:
      return { type: 'unavailable', retryAfterSeconds };
  }
}
