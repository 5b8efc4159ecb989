import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { ClickToCall } from '../../access/click-to-call.ts';
import type { ClickToCallRefusal } from '../../access/click-to-call-answer.ts';
import { networkOf } from '../address-limit.ts';
import { HttpError } from '../errors.ts';

export interface ClickToCallRoutesOptions {
  readonly clickToCall: () => ClickToCall;
}

/** Room for 200 variables of a few hundred letters each. */
const BODY_MAX_BYTES = 262_144;

const Started = Type.Object(
  {
    success: Type.Literal(true),
    call_id: Type.String(),
    status: Type.Literal('initiated'),
    warnings: Type.Array(Type.String()),
  },
  { title: 'ClickToCallStarted' },
);
const Problem = Type.Object(
  {
    code: Type.String({ pattern: '^ctc:\\d{3}$' }),
    message: Type.String(),
    request_id: Type.String(),
    detail: Type.Optional(Type.String()),
    reason: Type.Optional(Type.String()),
    variables: Type.Optional(Type.Array(Type.String())),
  },
  { title: 'ClickToCallError' },
);
const schema = {
  tags: ['Click-to-call'],
  summary: 'Have an agent of type click_to_call call a number',
  description:
    'For backends. Headers: `api-key` is the API token of the agent, `signature` the HMAC-SHA256 ' +
    'of the body in hexadecimal, by the API secret. Optional: `timestamp` (Unix seconds, then ' +
    '`timestamp.body` is what is signed, and a request is good for five minutes) and ' +
    '`Idempotency-Key` (the same key never makes a second call). Body: `phone`, and `variables` ' +
    'for `{{names}}` in the script.',
  response: {
    200: Started,
    400: Problem,
    403: Problem,
    413: Problem,
    429: Problem,
    500: Problem,
    503: Problem,
  },
};

/** `POST /api/click-to-call`, and the same under an agent's own address. */
export const clickToCallRoutes: FastifyPluginAsyncTypebox<ClickToCallRoutesOptions> = async (
  app,
  { clickToCall },
) => {
  // The signature is of the bytes as they came, so nothing may read them before.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));

  const call = async (request: FastifyRequest, agentId: string | null) => {
    const answer = await clickToCall().request({
      apiKey: headerOf(request, 'api-key'),
      signature: headerOf(request, 'signature'),
      timestamp: headerOf(request, 'timestamp'),
      idempotencyKey: headerOf(request, 'idempotency-key'),
      body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
      network: networkOf(request.ip),
      agentId,
    });
    if ('code' in answer) throw toHttpError(answer);
    const { callId: call_id, warnings } = answer;
    return {
      success: true as const,
      call_id,
      status: 'initiated' as const,
      warnings: [...warnings],
    };
  };

  app.post(
    '/api/click-to-call',
    { bodyLimit: BODY_MAX_BYTES, schema: { ...schema, operationId: 'click_to_call' } },
    (request) => call(request, null),
  );

  app.post(
    '/api/click-to-call/:agent_id',
    {
      bodyLimit: BODY_MAX_BYTES,
      schema: {
        ...schema,
        operationId: 'click_to_call_of_agent',
        params: Type.Object({ agent_id: Type.String({ minLength: 1, maxLength: 100 }) }),
      },
    },
    (request) => call(request, request.params.agent_id),
  );
};

/** Empty is as good as absent. */
function headerOf({ headers }: FastifyRequest, name: string): string | null {
  const value = headers[name];
  const text = (Array.isArray(value) ? value[0] : value)?.trim() ?? '';
  return text === '' ? null : text;
}

function toHttpError({ code, retryAfterSeconds, ...details }: ClickToCallRefusal): HttpError {
  return new HttpError(`CTC_${code}`, undefined, { details, retryAfterSeconds });
}
