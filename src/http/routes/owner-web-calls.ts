import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { onRequestAsyncHookHandler } from 'fastify';
import { Type } from 'typebox';
import type { PublicCalls } from '../../access/public-calls.ts';
import { WEB_CALL_TOKEN_MS, type WebCallTokens } from '../../access/web-call-tokens.ts';
import { asAgentId } from '../../model/ids.ts';
import { type Auth, liveKeyOf } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { BODY_ERRORS, KEYED, V1_ERRORS, V1Error } from '../shapes.ts';
import {
  checkOffer,
  OFFER_BODY_BYTES_MAX,
  resumptionOf,
  takeSdpBodies,
  toWebAnswer,
  WEB_OFFER_ANSWERS,
  webCallTokenOf,
  WebOffer,
} from '../web-offer.ts';

export interface OwnerWebCallRoutesOptions {
  readonly auth: Auth;
  readonly tokens: () => Pick<WebCallTokens, 'mintOwnerToken'>;
  readonly calls: Pick<PublicCalls, 'offerByOwner' | 'resume'>;
  /** Refuses an address that offers too often. */
  readonly limit: onRequestAsyncHookHandler;
}

const AgentToCall = Type.Object(
  { agent_id: Type.String({ minLength: 1, maxLength: 100 }) },
  { additionalProperties: false },
);
const OwnerToken = Type.Object(
  {
    token: Type.String({ description: 'For one call of that agent, by whoever holds it.' }),
    agent_id: Type.String(),
    expires_in_seconds: Type.Integer(),
    ice_servers: Type.Array(Type.Object({ urls: Type.Array(Type.String()) }), {
      description: 'None are needed: the gateway itself is reached directly.',
    }),
  },
  { title: 'WebCallToken' },
);

/** An owner calls an agent of his from a browser, be it shared or not. No public limit counts it. */
export const ownerWebCallRoutes: FastifyPluginAsyncTypebox<OwnerWebCallRoutesOptions> = async (
  app,
  { auth, tokens, calls, limit },
) => {
  takeSdpBodies(app);

  app.post(
    '/v1/webrtc/token',
    {
      onRequest: auth.needs('calls:write'),
      schema: {
        tags: ['Calls'],
        security: KEYED,
        operationId: 'create_web_call_token',
        summary: 'A token with which a browser may call an agent of yours once, within two minutes',
        body: AgentToCall,
        response: { 201: OwnerToken, 404: V1Error, ...BODY_ERRORS, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const { agent_id } = request.body;
      const token = await tokens().mintOwnerToken(liveKeyOf(auth, request), asAgentId(agent_id));
      if (token === null) throw new HttpError('NOT_FOUND', 'There is no such agent.');
      const expires_in_seconds = WEB_CALL_TOKEN_MS / 1000;
      return reply.code(201).send({ token, agent_id, expires_in_seconds, ice_servers: [] });
    },
  );

  app.post(
    '/v1/webrtc/offer',
    {
      onRequest: limit,
      bodyLimit: OFFER_BODY_BYTES_MAX,
      schema: {
        tags: ['Calls'],
        security: KEYED,
        operationId: 'offer_owner_call',
        summary: 'Call with such a token: Authorization: Bearer owt_…',
        body: WebOffer,
        response: WEB_OFFER_ANSWERS,
      },
    },
    async (request) => {
      const { body } = request;
      checkOffer(body.sdp);
      const resumed = resumptionOf(body, null);
      if (resumed !== null) return toWebAnswer(await calls.resume(...resumed), 'No such call.');
      const token = webCallTokenOf(request);
      if (token === null) {
        throw new HttpError('UNAUTHENTICATED', 'Send a token of /v1/webrtc/token.');
      }
      const agentId = body.agent_id === undefined ? undefined : asAgentId(body.agent_id);
      const reply = await calls.offerByOwner(token, body.sdp, agentId);
      return toWebAnswer(reply, 'No such call.');
    },
  );
};
