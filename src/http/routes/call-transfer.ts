import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { CallService } from '../../call/call-service.ts';
import type { TransferRefusal } from '../../call/transfer/call-transfers.ts';
import { assertNever } from '../../lib/assert-never.ts';
import { asCallId } from '../../model/ids.ts';
import type { CallRepository } from '../../storage/call-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { KEYED, oneOf, PhoneNumber, PhoneOrBrowser, V1_ERRORS, V1Error } from '../shapes.ts';
import { toTransfer, Transfer } from './call-shapes.ts';

export interface CallTransferRoutesOptions {
  readonly auth: Auth;
  readonly calls: Pick<CallRepository, 'find'>;
  readonly transfer: CallService['transfer'];
}

const RETRY_AFTER_SECONDS = 5;

const NewTransfer = Type.Object(
  {
    to_number: PhoneOrBrowser(
      'With "+" and country; without, as the country of the trunk has it. "sip:anna" rings the browsers that are registered by that name in the workspace; the two are always bridged.',
    ),
    mode: Type.Optional(
      oneOf(['blind', 'attended', 'bridge'], {
        default: 'blind',
        description:
          '"blind" asks the far side to call the number itself (REFER), and bridges where it does ' +
          'not take that; "attended" calls the number first and then brings the two together; ' +
          '"bridge" calls the number and stays in the middle.',
      }),
    ),
    from_number: Type.Optional(
      PhoneNumber(
        "Who calls. Left out: the caller, where a trunk lets that be, else the trunk's own.",
      ),
    ),
  },
  { additionalProperties: false },
);

/** Callers whom an owner puts through to somebody else. */
export const callTransferRoutes: FastifyPluginAsyncTypebox<CallTransferRoutesOptions> = async (
  app,
  { auth, calls, transfer },
) => {
  app.post(
    '/v1/calls/:call_id/transfer',
    {
      onRequest: auth.needs('calls:write'),
      schema: {
        tags: ['Calls'],
        security: KEYED,
        operationId: 'transfer_call',
        summary: 'Put the other side of a live call through to a number; events tell how it goes',
        params: Type.Object({ call_id: Type.String({ minLength: 1, maxLength: 100 }) }),
        body: NewTransfer,
        response: { 202: Transfer, ...V1_ERRORS, 404: V1Error, 409: V1Error },
      },
    },
    async (request, reply) => {
      const { workspaceId } = auth.keyOf(request);
      const id = asCallId(request.params.call_id);
      const { to_number: toNumber, from_number: fromNumber = null, mode = 'blind' } = request.body;
      const begun = await transfer(workspaceId, id, { toNumber, fromNumber, mode });
      if (begun === null) {
        const call = await calls.find(workspaceId, id);
        if (call === null) throw new HttpError('NOT_FOUND', 'There is no such call.');
        throw errorOf('not-active');
      }
      if (!begun.accepted) throw errorOf(begun.reason);
      return reply.code(202).send(toTransfer(begun.record));
    },
  );
};

function errorOf(reason: TransferRefusal): HttpError {
  switch (reason) {
    case 'not-active':
      return new HttpError('CALL_NOT_ACTIVE');
    case 'transfer-pending':
      return new HttpError('TRANSFER_IN_PROGRESS');
    case 'callee-not-registered':
      return new HttpError('NOT_FOUND', 'No browser is registered by that name.');
    case 'NUMBER_MALFORMED':
      return new HttpError('INVALID_ARGUMENT', 'to_number is no telephone number.');
    case 'TRUNK_NOT_FOUND':
      return new HttpError('DESTINATION_NOT_ALLOWED', 'There is no trunk to call by.');
    case 'DESTINATION_NOT_ALLOWED':
    case 'CALLER_ID_NOT_ALLOWED':
      return new HttpError(reason);
    case 'TRUNK_AT_CAPACITY':
      return new HttpError('UNAVAILABLE', 'No trunk has room for one more call.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    default:
      return assertNever(reason);
  }
}
