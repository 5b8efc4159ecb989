import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Call } from '../../call/call.ts';
import type { CallId } from '../../model/ids.ts';
import type { CallRepository } from '../../storage/call-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { BODY_ERRORS, KEYED, oneOf, V1_ERRORS, V1Error } from '../shapes.ts';
import { callOf, OneCall } from './calls.ts';

export interface CallCommandRoutesOptions {
  readonly auth: Auth;
  readonly calls: Pick<CallRepository, 'find'>;
  /** A call that is live here. */
  readonly live: (id: CallId) => Pick<Call, 'say' | 'sendDigits'> | null;
}

const TEXT_LENGTH_MAX = 2000;
const DIGITS_MAX = 64;

const SayBody = Type.Object(
  { text: Type.String({ pattern: '\\S', maxLength: TEXT_LENGTH_MAX }) },
  { additionalProperties: false },
);
const DigitsBody = Type.Object(
  { digits: Type.String({ pattern: '^[0-9A-D*#]+$', maxLength: DIGITS_MAX }) },
  { additionalProperties: false },
);
const Queued = Type.Object(
  { call_id: Type.String(), status: oneOf(['queued']) },
  { title: 'Queued', description: 'It is done when its turn comes.' },
);

/** What an owner may do in a call that talks. */
export const callCommandRoutes: FastifyPluginAsyncTypebox<CallCommandRoutesOptions> = async (
  app,
  { auth, calls, live },
) => {
  const common = { tags: ['Calls'], security: KEYED, params: OneCall };
  const response = { 202: Queued, ...V1_ERRORS, ...BODY_ERRORS, 404: V1Error, 409: V1Error };
  const onRequest = auth.needs('calls:write');

  app.post(
    '/v1/calls/:call_id/say',
    {
      onRequest,
      schema: {
        ...common,
        operationId: 'say_in_call',
        summary: 'Have the agent say a sentence, once nobody else speaks',
        body: SayBody,
        response,
      },
    },
    async (request, reply) => {
      const { id } = await callOf(auth, calls, request);
      if (live(id)?.say(request.body.text) !== true) throw new HttpError('CALL_NOT_LIVE');
      return reply.code(202).send({ call_id: id, status: 'queued' as const });
    },
  );

  app.post(
    '/v1/calls/:call_id/dtmf',
    {
      onRequest,
      schema: {
        ...common,
        operationId: 'send_dtmf',
        summary: 'Press keys on the line',
        body: DigitsBody,
        response,
      },
    },
    async (request, reply) => {
      const { id } = await callOf(auth, calls, request);
      if (live(id)?.sendDigits(request.body.digits) !== true) throw new HttpError('CALL_NOT_LIVE');
      return reply.code(202).send({ call_id: id, status: 'queued' as const });
    },
  );
};
