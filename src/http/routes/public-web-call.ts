import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { Type } from 'typebox';
import type { WebCallTokens } from '../../access/web-call-tokens.ts';
import { asAgentId } from '../../model/ids.ts';
import { HttpError, type ValidationIssue } from '../errors.ts';

export interface PublicWebCallRoutesOptions {
  readonly tokens: Pick<WebCallTokens, 'mintWebCallToken'>;
  /** Refuses an address that asks too often. */
  readonly limit: onRequestAsyncHookHandler;
}

const PATH = '/v1/calls/public/create-web-call';
const SUMMARY = 'Create Web Call (Public Shared)';
const DESCRIPTION = `Create a web call session using a public shared link.

This endpoint enables creating web calls without user authentication, using a shared key instead.
Ideal for public-facing applications where users don't need accounts to interact with AI agents.`;

const PARAMETERS = {
  ai_agent_id: Type.String({ description: 'AI Agent ID', title: 'Ai Agent Id' }),
  shared_key: Type.String({
    description: 'Shared key for authentication',
    title: 'Shared Key',
  }),
};

/** Named as the API that applications already speak names them. */
const SCHEMAS = [
  {
    $id: 'PublicShareWebCallResponse',
    properties: {
      access_token: {
        type: 'string',
        title: 'Access Token',
        description: 'Security token for accessing the publicly shared web call',
      },
    },
    type: 'object',
    required: ['access_token'],
    title: 'PublicShareWebCallResponse',
  },
  {
    $id: 'app__calls__schemas__ErrorResponse',
    properties: {
      error: {
        type: 'string',
        title: 'Error',
        description: 'Error code identifying the type of error that occurred',
      },
      message: {
        type: 'string',
        title: 'Message',
        description: 'Human-readable description of the error',
      },
    },
    type: 'object',
    required: ['error', 'message'],
    title: 'ErrorResponse',
  },
  {
    $id: 'ValidationError',
    properties: {
      loc: {
        items: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
        type: 'array',
        title: 'Location',
      },
      msg: { type: 'string', title: 'Message' },
      type: { type: 'string', title: 'Error Type' },
    },
    type: 'object',
    required: ['loc', 'msg', 'type'],
    title: 'ValidationError',
  },
  {
    $id: 'HTTPValidationError',
    properties: {
      detail: { items: { $ref: 'ValidationError#' }, type: 'array', title: 'Detail' },
    },
    type: 'object',
    title: 'HTTPValidationError',
  },
];

const answer = (description: string, name: string) => ({
  description,
  content: { 'application/json': { schema: { $ref: `${name}#` } } },
});
const failure = (description: string) => answer(description, 'app__calls__schemas__ErrorResponse');
const RESPONSES = {
  201: answer('Successful Response', 'PublicShareWebCallResponse'),
  401: failure('Unauthorized'),
  422: answer('Validation Error', 'HTTPValidationError'),
  400: failure('Bad Request'),
  413: failure('Content Too Large'),
  415: failure('Unsupported Media Type'),
  429: failure('Too Many Requests'),
  500: failure('Internal Server Error'),
  503: failure('Service Unavailable'),
};

/**
 * Exchanges an agent's shared key for a token of one web call. A GET that creates is what
 * applications expect; so that link previews and prefetching cannot do harm, the token is inert
 * until a call redeems it.
 */
export const publicWebCallRoutes: FastifyPluginAsyncTypebox<PublicWebCallRoutesOptions> = async (
  app,
  { tokens, limit },
) => {
  for (const schema of SCHEMAS) app.addSchema(schema);
  const mint = async (given: unknown, place: 'query' | 'body') => {
    const { ai_agent_id: agentId, shared_key: sharedKey } = readFields(given, place);
    const token = await tokens.mintWebCallToken(asAgentId(agentId), sharedKey);
    // One answer for an unknown agent and a wrong key: nobody learns which agents exist.
    if (token === null) throw new HttpError('UNAUTHENTICATED', 'Agent or shared key is not valid.');
    return { access_token: token };
  };
  const common = { tags: ['Calls'], summary: SUMMARY, description: DESCRIPTION, security: [] };

  app.get(
    PATH,
    {
      onRequest: limit,
      exposeHeadRoute: false,
      attachValidation: true,
      schema: {
        ...common,
        operationId: 'create_web_call_public_shared_v1_calls_public_create_web_call_get',
        querystring: Type.Object(PARAMETERS),
        response: RESPONSES,
      },
    },
    async (request, reply) => {
      if (isPrefetch(request)) throw new HttpError('UNAVAILABLE', 'A prefetch mints no token.');
      return reply.code(201).send(await mint(request.query, 'query'));
    },
  );

  app.head(PATH, { onRequest: limit, schema: { hide: true } }, async (_, reply) =>
    reply.code(204).send(),
  );

  app.post(
    PATH,
    {
      onRequest: limit,
      attachValidation: true,
      schema: {
        ...common,
        description: `${DESCRIPTION}\n\nPreferred to GET: the key stays out of addresses.`,
        operationId: 'create_web_call_public_shared_v1_calls_public_create_web_call_post',
        body: Type.Object(PARAMETERS),
        response: RESPONSES,
      },
    },
    async (request, reply) => reply.code(201).send(await mint(request.body, 'body')),
  );
};

function isPrefetch({ headers }: FastifyRequest): boolean {
  const purposes = [headers['sec-purpose'], headers.purpose, headers['x-moz']];
  return purposes.some((purpose) => /prefetch|prerender|preview/i.test(String(purpose ?? '')));
}

type Field = keyof typeof PARAMETERS;

/** Throws `VALIDATION_FAILED`, naming every field that is missing or no text. */
function readFields(given: unknown, place: 'query' | 'body'): Readonly<Record<Field, string>> {
  const fields = {
    ai_agent_id: fieldOf(given, 'ai_agent_id'),
    shared_key: fieldOf(given, 'shared_key'),
  };
  const issues = Object.entries(fields).flatMap(([name, value]): ValidationIssue[] => {
    const loc = [place, name];
    if (value === undefined) return [{ loc, msg: 'Field required', type: 'missing' }];
    if (typeof value === 'string') return [];
    return [{ loc, msg: 'Input should be a valid string', type: 'string_type' }];
  });
  const { ai_agent_id, shared_key } = fields;
  if (typeof ai_agent_id === 'string' && typeof shared_key === 'string') {
    return { ai_agent_id, shared_key };
  }
  throw new HttpError('VALIDATION_FAILED', undefined, { issues });
}

function fieldOf(given: unknown, name: Field): unknown {
  if (typeof given !== 'object' || given === null || !Object.hasOwn(given, name)) return undefined;
  return Reflect.get(given, name);
}
