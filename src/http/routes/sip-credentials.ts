import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { onRequestAsyncHookHandler } from 'fastify';
import { type Static, Type } from 'typebox';
import {
  SIP_REALM,
  type SipCredentialBook,
  type SipCredentials,
} from '../../access/sip-credentials.ts';
import { type Auth, liveKeyOf } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { BODY_ERRORS, KEYED, Time, toTime, V1_ERRORS, V1Error } from '../shapes.ts';
import { webCallTokenOf } from '../web-offer.ts';

export interface SipCredentialRoutesOptions {
  readonly auth: Auth;
  readonly credentials: () => SipCredentialBook;
  /** Base of our own addresses, without a slash at its end. */
  readonly publicUrl: () => string;
  /** Refuses an address that asks too often. */
  readonly limit: onRequestAsyncHookHandler;
}

const LIFETIME_SECONDS = { least: 60, most: 86_400, usual: 3600 };
const GUEST = 'guest';

const Credentials = Type.Object(
  {
    username: Type.String({ description: 'For digest authentication, not part of any address.' }),
    password: Type.String(),
    realm: Type.String(),
    uri: Type.String({ description: 'The address of this browser.' }),
    web_socket_url: Type.String({ description: 'Subprotocol "sip" (RFC 7118).' }),
    expires_at: Time,
  },
  { title: 'SipCredentials' },
);
const NewCredentials = Type.Object(
  {
    user: Type.String({
      pattern: '^[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?$',
      description: 'The browser registers as sip:user, and is called by that in to_number.',
    }),
    expires_in_seconds: Type.Optional(
      Type.Integer({
        minimum: LIFETIME_SECONDS.least,
        maximum: LIFETIME_SECONDS.most,
        default: LIFETIME_SECONDS.usual,
      }),
    ),
  },
  { additionalProperties: false },
);

/** Names and passwords for browsers that dial by SIP over WebSocket (sip.js, JsSIP). */
export const sipCredentialRoutes: FastifyPluginAsyncTypebox<SipCredentialRoutesOptions> = async (
  app,
  { auth, credentials, publicUrl, limit },
) => {
  app.post(
    '/v1/webrtc/sip-credentials',
    {
      onRequest: auth.needs('calls:write'),
      schema: {
        tags: ['Calls'],
        security: KEYED,
        operationId: 'create_sip_credentials',
        summary: 'Let a browser of yours sign in by SIP: call your agents, and be called',
        body: NewCredentials,
        response: { 201: Credentials, ...BODY_ERRORS, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const { user, expires_in_seconds: seconds = LIFETIME_SECONDS.usual } = request.body;
      const made = await credentials().mint(liveKeyOf(auth, request), user, seconds);
      return reply.code(201).send(toView(made, user, publicUrl()));
    },
  );

  app.post(
    '/v1/public/web-call/sip-credentials',
    {
      onRequest: limit,
      schema: {
        tags: ['Public calls'],
        security: [],
        operationId: 'get_sip_credentials_of_token',
        summary: 'Name and password for the one call of a web call token',
        description:
          'Authorization: Bearer with the access_token. It is used up by the call, not by this; the name is what stands before its last dot, the password what stands behind it.',
        response: { 200: Credentials, 401: V1Error, 429: V1Error, 503: V1Error },
      },
    },
    async (request) => {
      const token = webCallTokenOf(request);
      const made = token === null ? null : await credentials().ofToken(token);
      if (made === null) {
        throw new HttpError('UNAUTHENTICATED', 'The token is not valid, or not any more.');
      }
      return toView(made, GUEST, publicUrl());
    },
  );
};

function toView(
  { username, password, expiresAtMs }: SipCredentials,
  user: string,
  publicUrl: string,
): Static<typeof Credentials> {
  const { hostname } = new URL(publicUrl);
  return {
    username,
    password,
    realm: SIP_REALM,
    uri: `sip:${user}@${hostname}`,
    web_socket_url: `${publicUrl.replace(/^http/, 'ws')}/sip`,
    expires_at: toTime(expiresAtMs),
  };
}
