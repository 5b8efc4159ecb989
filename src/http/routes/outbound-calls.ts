import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { DialCallReply } from '../../call/call-requests.ts';
import type { CallService } from '../../call/call-service.ts';
import { assertNever } from '../../lib/assert-never.ts';
import type { MachineDetection } from '../../model/machine-detection.ts';
import { asAgentId } from '../../model/ids.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import {
  BODY_ERRORS,
  KEYED,
  oneOf,
  PhoneNumber,
  PhoneOrBrowser,
  V1_ERRORS,
  V1Error,
} from '../shapes.ts';
import { CallSummary, toSummary } from './call-shapes.ts';

export interface OutboundCallRoutesOptions {
  readonly auth: Auth;
  readonly dial: CallService['dial'];
  /** For test keys. */
  readonly simulate: CallService['dial'];
}

const VARIABLES_MAX = 50;
const MAX_WAIT_SECONDS = 6;
const RETRY_AFTER_SECONDS = 5;

const MachineDetectionShape = Type.Object(
  {
    policy: oneOf(['hang_up', 'leave_message', 'continue']),
    message: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2000,
        description: "Said after the beep, then the call ends. Left out: the agent's greeting.",
      }),
    ),
    max_wait_seconds: Type.Optional(
      Type.Number({
        minimum: 1,
        maximum: 15,
        default: MAX_WAIT_SECONDS,
        description: 'The greeting waits so long at most while it is not known who answered.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Tells a person from an answering machine before the agent speaks: by a long monologue, a beep, or (with an stt server) what is said. A machine is hung up on, left a message, or spoken to like anybody.',
  },
);
const NewCall = Type.Object(
  {
    agent_id: Type.String({ minLength: 1, maxLength: 100 }),
    to_number: PhoneOrBrowser(
      'With "+" and country; without, as the country of the trunk writes it. "sip:anna" calls the browsers that are registered by that name.',
    ),
    from_number: Type.Optional(PhoneNumber("Who calls. Left out: the trunk's own number.")),
    variables: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$' }),
        Type.String({ maxLength: 1000 }),
        { maxProperties: VARIABLES_MAX, description: 'For {{names}} in what the agent says.' },
      ),
    ),
    machine_detection: Type.Optional(MachineDetectionShape),
  },
  { additionalProperties: false },
);

/** Calls that an owner has made. */
export const outboundCallRoutes: FastifyPluginAsyncTypebox<OutboundCallRoutesOptions> = async (
  app,
  { auth, dial, simulate },
) => {
  app.post(
    '/v1/calls',
    {
      onRequest: auth.needs('calls:write'),
      schema: {
        tags: ['Calls'],
        security: KEYED,
        operationId: 'create_call',
        summary: 'Have an agent call a number; GET the call for its progress, DELETE it to hang up',
        body: NewCall,
        response: {
          201: CallSummary,
          ...V1_ERRORS,
          ...BODY_ERRORS,
          402: V1Error,
          404: V1Error,
          422: V1Error,
        },
      },
    },
    async (request, reply) => {
      const { agent_id, to_number: toNumber, from_number, variables = {} } = request.body;
      const { machine_detection } = request.body;
      const { workspaceId, isTest } = auth.keyOf(request);
      const begin = isTest ? simulate : dial;
      const dialed = await begin({
        workspaceId,
        agentId: asAgentId(agent_id),
        toNumber,
        fromNumber: from_number ?? null,
        variables,
        machineDetection:
          machine_detection === undefined ? null : toMachineDetection(machine_detection),
        door: 'api',
      });
      if (!dialed.accepted) throw errorOf(dialed.reason);
      const { record } = dialed;
      return reply.code(201).header('location', `/v1/calls/${record.id}`).send(toSummary(record));
    },
  );
};

function toMachineDetection(asked: Static<typeof MachineDetectionShape>): MachineDetection {
  const { policy, message, max_wait_seconds: waitSeconds = MAX_WAIT_SECONDS } = asked;
  return { policy, message: message ?? null, waitMsMax: waitSeconds * 1000 };
}

function errorOf(reason: Extract<DialCallReply, { accepted: false }>['reason']): HttpError {
  const retry = { retryAfterSeconds: RETRY_AFTER_SECONDS };
  switch (reason) {
    case 'agent-not-found':
      return new HttpError('NOT_FOUND', 'There is no such agent.');
    case 'callee-not-registered':
      return new HttpError('NOT_FOUND', 'No browser is registered by that name.');
    case 'agent-disabled':
      return new HttpError('PERMISSION_DENIED', 'The agent is switched off.');
    case 'call-window-restricted':
      return new HttpError('CALL_WINDOW_RESTRICTED');
    case 'agent-busy':
      return new HttpError('AGENT_BUSY', undefined, retry);
    case 'workspace-busy':
      return new HttpError('AGENT_BUSY', 'The workspace has as many calls as it may.', retry);
    case 'quota-exceeded':
      return new HttpError('QUOTA_EXCEEDED');
    case 'spend-cap-reached':
      return new HttpError('SPEND_CAP_REACHED');
    case 'internal-error':
    case 'at-capacity':
    case 'draining':
      return new HttpError('UNAVAILABLE', undefined, retry);
    case 'NUMBER_MALFORMED':
      return new HttpError('INVALID_ARGUMENT', 'to_number is no telephone number.');
    case 'TRUNK_NOT_FOUND':
      return new HttpError('DESTINATION_NOT_ALLOWED', 'There is no trunk to call by.');
    case 'DESTINATION_NOT_ALLOWED':
    case 'CALLER_ID_NOT_ALLOWED':
      return new HttpError(reason);
    case 'TRUNK_AT_CAPACITY':
      return new HttpError('UNAVAILABLE', 'No trunk has room for one more call.', retry);
    default:
      return assertNever(reason);
  }
}
