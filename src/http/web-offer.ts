import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { PublicCallReply } from '../access/public-calls.ts';
import type { WebResumption } from '../call/call-requests.ts';
import { assertNever } from '../lib/assert-never.ts';
import { MediaError } from '../media/media-error.ts';
import { parseWebRtcOffer } from '../media/webrtc/webrtc-offer.ts';
import { asCallId, type AgentId, type CallId } from '../model/ids.ts';
import { HttpError } from './errors.ts';
import { V1Error } from './shapes.ts';

/** What the doors of browsers share: an offer comes in, an answer goes out. */

/** Of the whole body; the description itself is limited where it is read. */
export const OFFER_BODY_BYTES_MAX = 65_536;
export const SDP_TYPE = 'application/sdp';

const TOKEN_LENGTH_MAX = 300;

const sdp = (description: string) => Type.String({ minLength: 1, description });

export const WebOffer = Type.Object({
  sdp: sdp('Offer of a browser, with or without candidates.'),
  type: Type.Optional(Type.Literal('offer')),
  agent_id: Type.Optional(Type.String({ description: 'The agent that is called.' })),
  call_id: Type.Optional(Type.String({ maxLength: 100, description: 'Of a call to resume.' })),
  resume_token: Type.Optional(Type.String({ maxLength: 100, description: 'Of that call.' })),
});

export const WebAnswer = Type.Object(
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

export const WEB_OFFER_ANSWERS = {
  200: WebAnswer,
  400: V1Error,
  401: V1Error,
  404: V1Error,
  413: V1Error,
  415: V1Error,
  429: V1Error,
  503: V1Error,
} as const;

/** Takes a bare description too. The media type says what it is; the rest is as in JSON. */
export function takeSdpBodies(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser(SDP_TYPE, { parseAs: 'string' }, (_, body, done) =>
    done(null, { sdp: body }),
  );
}

/** Judged before anything is looked for, so that a refusal says nothing of agents and links. */
export function checkOffer(offerSdp: string): void {
  try {
    parseWebRtcOffer(offerSdp);
  } catch (error) {
    if (!(error instanceof MediaError)) throw error;
    if (error.code === 'MEDIA_OFFER_TOO_LARGE') throw new HttpError('PAYLOAD_TOO_LARGE');
    throw new HttpError('INVALID_ARGUMENT', `The offer cannot be used: ${error.message}.`);
  }
}

/** The call that the offer carries on; null for a new one. */
export function resumptionOf(
  { sdp: offerSdp, call_id: callId, resume_token: resumeToken }: Static<typeof WebOffer>,
  agentId: AgentId | null,
): readonly [callId: CallId, resumption: WebResumption] | null {
  if (callId === undefined || resumeToken === undefined) return null;
  return [asCallId(callId), { agentId, resumeToken, offerSdp }];
}

/** A token for calls; null for none. Keys of ours and of others are no such token. */
export function webCallTokenOf({ headers }: FastifyRequest): string | null {
  const token = /^bearer +((?:wct|owt)_\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? null;
  return token !== null && token.length > TOKEN_LENGTH_MAX ? token.slice(0, 4) : token;
}

/** @param notFound what to say when there is nobody to call */
export function toWebAnswer(reply: PublicCallReply, notFound: string): Static<typeof WebAnswer> {
  switch (reply.type) {
    case 'answer': {
      const { sdp: answer, callId, resumeToken } = reply;
      return { sdp: answer, type: 'answer', call_id: callId, resume_token: resumeToken };
    }
    case 'not-found':
      throw new HttpError('NOT_FOUND', notFound);
    case 'unauthorized':
      throw new HttpError('UNAUTHENTICATED', 'The token is not valid, or not any more.');
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
