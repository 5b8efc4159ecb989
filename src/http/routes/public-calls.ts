import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { onRequestAsyncHookHandler } from 'fastify';
import { Type } from 'typebox';
import type { PublicCalls } from '../../access/public-calls.ts';
import { asAgentId } from '../../model/ids.ts';
import { HttpError } from '../errors.ts';
import {
  checkOffer,
  OFFER_BODY_BYTES_MAX,
  resumptionOf,
  SDP_TYPE,
  takeSdpBodies,
  toWebAnswer,
  WEB_OFFER_ANSWERS,
  webCallTokenOf,
  WebOffer,
} from '../web-offer.ts';

export interface PublicCallRoutesOptions {
  readonly calls: Pick<PublicCalls, 'offer' | 'offerByLink' | 'resume'>;
  /** Refuses an address that asks too often. */
  readonly limit: onRequestAsyncHookHandler;
}

/** One answer for an unknown agent and one that is not shared: nobody learns which agents exist. */
const NO_AGENT = 'There is no agent to call here.';
const NO_LINK = 'This link is not active.';
const HOW = `WebRTC, non-trickle: an offer comes in as JSON or as ${SDP_TYPE}, the answer goes out. Live captions come on the data channel "events" where the offer has one.`;

const OneAgent = Type.Object({ agent_id: Type.String({ minLength: 1, maxLength: 100 }) });
const OneLink = Type.Object({ token: Type.String({ minLength: 1, maxLength: 100 }) });
const common = { tags: ['Public calls'], body: WebOffer, response: WEB_OFFER_ANSWERS };

/** The doors of browsers without an account: one offer, one answer. */
export const publicCallRoutes: FastifyPluginAsyncTypebox<PublicCallRoutesOptions> = async (
  app,
  { calls, limit },
) => {
  takeSdpBodies(app);

  app.post(
    '/v1/public/try/:agent_id/offer',
    {
      onRequest: limit,
      bodyLimit: OFFER_BODY_BYTES_MAX,
      schema: {
        ...common,
        security: [],
        operationId: 'offer_public_call',
        summary: 'Call a shared agent from a browser',
        description: `${HOW} With "Authorization: Bearer" and the access_token of a public web call, an agent that is not shared is called too; the token is used up once media connects.`,
        params: OneAgent,
      },
    },
    async (request) => {
      const { body } = request;
      const agentId = asAgentId(request.params.agent_id);
      checkOffer(body.sdp);
      if (body.agent_id !== undefined && body.agent_id !== agentId) {
        throw new HttpError('INVALID_ARGUMENT', 'agent_id is not the one in the address.');
      }
      const resumed = resumptionOf(body, agentId);
      const reply =
        resumed === null
          ? await calls.offer(agentId, body.sdp, webCallTokenOf(request))
          : await calls.resume(...resumed);
      return toWebAnswer(reply, NO_AGENT);
    },
  );

  app.post(
    '/v1/public/voice-links/:token/offer',
    {
      onRequest: limit,
      bodyLimit: OFFER_BODY_BYTES_MAX,
      schema: {
        ...common,
        security: [],
        operationId: 'offer_instant_link_call',
        summary: 'Call by an instant voice link',
        description: `${HOW} 404 unless the link is active; the call ends by itself at the link's time limit.`,
        params: OneLink,
      },
    },
    async (request) => {
      const { body } = request;
      checkOffer(body.sdp);
      const resumed = resumptionOf(body, null);
      const reply =
        resumed === null
          ? await calls.offerByLink(request.params.token, body.sdp)
          : await calls.resume(...resumed);
      return toWebAnswer(reply, NO_LINK);
    },
  );
};
