import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { onRequestAsyncHookHandler } from 'fastify';
import { type Static, Type } from 'typebox';
import type { PublicCallReply, PublicCalls } from '../../access/public-calls.ts';
import { assertNever } from '../../lib/assert-never.ts';
import { MediaError } from '../../media/media-error.ts';
import { parseWebRtcOffer } from '../../media/webrtc/webrtc-offer.ts';
import { asAgentId, asCallId } from '../../model/ids.ts';
import { HttpError } from '../errors.ts';
import { V1Error } from '../shapes.ts';

export interface PublicCallRoutesOptions {
  readonly calls: Pick<PublicCalls, 'offer' | 'resume'>;
  /** Refuses an address that asks too often. */
  readonly limit: onRequestAsyncHookHandler;
}

/** Of the whole body; the description itself is limited where it is read. */
const BODY_MAX_BYTES = 65_536;
const SDP = 'application/sdp';

const sdp = (description: string) => Type.String({ minLength: 1, description });
const Offer = Type.Object({
  sdp: sdp('Offer of a browser, with or without candidates.'),
  type: Type.Optional(Type.Literal('offer')),
  agent_id: Type.Optional(Type.String({ description: 'The same as in the path.' })),
  call_id: Type.Optional(Type.String({ maxLength: 100, description: 'Of a call to resume.' })),
  resume_token: Type.Optional(Type.String({ maxLength: 100, description: 'Of that call.' })),
});
const Answer = Type.Object(
  {
    sdp: sdp('Complete: there is no trickling.'),
    type: Type.Literal('answer'),
    call_id: Type.String(),
    resume_token: Type.String({
      description: 'Sent with call_id and a new offer, it carries the call on to another network.',
    }),
  },
  { title: 'WebCallAnswer' },
);
const OneAgent = Type.Object({ agent_id: Type.String({ minLength: 1, maxLength: 100 }) });

/** The door of shared agents: no key, one offer, one answer. */
export const publicCallRoutes: FastifyPluginAsyncTypebox<PublicCallRoutesOptions> = async (
  app,
  { calls, limit },
) => {
  app.removeContentTypeParser('text/plain');
  // The media type says what it is; the rest is as in JSON.
  app.addContentTypeParser(SDP, { parseAs: 'string' }, (_, body, done) =>
    done(null, { sdp: body }),
  );

  app.post(
    '/v1/public/try/:agent_id/offer',
    {
      onRequest: limit,
      bodyLimit: BODY_MAX_BYTES,
      schema: {
        tags: ['Public calls'],
        security: [],
        operationId: 'offer_public_call',
        summary: 'Call a shared agent from a browser',
        description: `WebRTC, non-trickle: an offer comes in as JSON or as ${SDP}, the answer goes out. Live captions come on the data channel "events" where the offer has one.`,
        params: OneAgent,
        body: Offer,
        response: {
          200: Answer,
          400: V1Error,
          404: V1Error,
          413: V1Error,
          415: V1Error,
          429: V1Error,
          503: V1Error,
        },
      },
    },
    async (request) => {
      const { body } = request;
      const agentId = asAgentId(request.params.agent_id);
      // Judged before the agent is looked for, so that a refusal says nothing of agents.
      checkOffer(body.sdp);
      if (body.agent_id !== undefined && body.agent_id !== agentId) throw notFound();
      return toAnswer(await replyTo(calls, agentId, body));
    },
  );
};

function replyTo(
  calls: PublicCallRoutesOptions['calls'],
  agentId: ReturnType<typeof asAgentId>,
  { sdp: offerSdp, call_id: callId, resume_token: resumeToken }: Static<typeof Offer>,
): Promise<PublicCallReply> {
  if (callId === undefined || resumeToken === undefined) return calls.offer(agentId, offerSdp);
  return calls.resume(asCallId(callId), { agentId, resumeToken, offerSdp });
}

function checkOffer(offerSdp: string): void {
  try {
    parseWebRtcOffer(offerSdp);
  } catch (error) {
    if (!(error instanceof MediaError)) throw error;
    if (error.code === 'MEDIA_OFFER_TOO_LARGE') throw new HttpError('PAYLOAD_TOO_LARGE');
    throw new HttpError('INVALID_ARGUMENT', `The offer cannot be used: ${error.message}.`);
  }
}

function toAnswer(reply: PublicCallReply): Static<typeof Answer> {
  switch (reply.type) {
    case 'answer': {
      const { sdp: answer, callId, resumeToken } = reply;
      return { sdp: answer, type: 'answer', call_id: callId, resume_token: resumeToken };
    }
    case 'not-found':
      throw notFound();
    case 'bad-offer':
      throw new HttpError('INVALID_ARGUMENT', 'The offer cannot be used.');
    case 'busy': {
      const { retryAfterSeconds } = reply;
      throw new HttpError('AGENT_BUSY', undefined, { retryAfterSeconds });
    }
    case 'unavailable': {
      const { retryAfterSeconds } = reply;
      throw new HttpError('UNAVAILABLE', undefined, { retryAfterSeconds });
    }
    default:
      return assertNever(reply);
  }
}

/** One answer for an unknown agent and one that is not shared: nobody learns which agents exist. */
function notFound(): HttpError {
  return new HttpError('NOT_FOUND', 'There is no agent to call here.');
}
