import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { type AgentId, asAgentId, asWorkspaceId, type WorkspaceId } from '../../model/ids.ts';
import type { AgentRepository } from '../../storage/agent-repository.ts';
import type { PhoneNumber, PhoneNumberRepository } from '../../storage/phone-number-repository.ts';
import type { WorkspaceRepository } from '../../storage/workspace-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { pageOf } from '../page.ts';
import {
  BODY_ERRORS,
  KEYED,
  nullable,
  oneOf,
  PAGE_QUERY,
  Time,
  toTime,
  V1_ERRORS,
  V1Error,
} from '../shapes.ts';

export interface NumberRoutesOptions {
  readonly auth: Auth;
  readonly numbers: PhoneNumberRepository;
  readonly agents: Pick<AgentRepository, 'find'>;
  readonly workspaces: Pick<WorkspaceRepository, 'find'>;
  /** Of the settings. */
  readonly trunkNames: () => readonly string[];
  /** The workspace whose keys may see everybody's numbers. */
  readonly operator: WorkspaceId;
  readonly nowMs: () => number;
}

const NumberView = Type.Object(
  {
    number_id: Type.String(),
    e164: Type.String(),
    friendly_name: Type.String(),
    status: oneOf(['provisioned']),
    channels: Type.Array(oneOf(['voice'])),
    workspace_id: Type.String(),
    agent_id: nullable(Type.String({ description: 'Who answers it; null: nobody.' })),
    outbound_agent_id: nullable(
      Type.String({ description: 'Who calls with it, unless a call names another number.' }),
    ),
    trunk: nullable(Type.String({ description: 'By which it comes and goes; null: by any.' })),
    provisioned_at: Time,
    updated_at: Time,
  },
  { title: 'PhoneNumber' },
);
const NumberPage = Type.Object(
  { numbers: Type.Array(NumberView), next_page_token: nullable(Type.String()) },
  { title: 'PhoneNumberPage' },
);
const strict = { additionalProperties: false };
const id = Type.String({ minLength: 1, maxLength: 100 });
const CHANGES = {
  friendly_name: Type.Optional(Type.String({ maxLength: 100 })),
  agent_id: Type.Optional(nullable(id)),
  outbound_agent_id: Type.Optional(nullable(id)),
};
const ChangeBody = Type.Object(CHANGES, strict);
const NewBody = Type.Object(
  {
    e164: Type.String({ pattern: '^\\+[1-9][0-9]{6,14}$', examples: ['+34911222333'] }),
    workspace_id: Type.Optional(id),
    trunk: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 100 }))),
    ...CHANGES,
  },
  strict,
);
const ListQuery = Type.Object(
  {
    ...PAGE_QUERY,
    workspace_id: Type.Optional(
      Type.String({ maxLength: 100, description: 'Of the operator: another workspace, or `*`.' }),
    ),
  },
  strict,
);
const OneNumber = Type.Object({ number_id: id });
const common = { tags: ['Numbers'], security: KEYED };
const ERRORS = { 404: V1Error, ...V1_ERRORS };

/** Which agent answers a telephone number, and which one calls with it. */
export const numberRoutes: FastifyPluginAsyncTypebox<NumberRoutesOptions> = async (
  app,
  options,
) => {
  await app.register(numberListRoutes, options);
  await app.register(oneNumberRoutes, options);
  await app.register(operatorNumberRoutes, options);
};

const numberListRoutes: FastifyPluginAsyncTypebox<NumberRoutesOptions> = async (app, options) => {
  const { auth, numbers, operator } = options;

  app.get(
    '/v1/numbers',
    {
      onRequest: auth.needs('numbers:read'),
      schema: {
        ...common,
        operationId: 'list_numbers',
        summary: 'Telephone numbers of the workspace, oldest first',
        querystring: ListQuery,
        response: { 200: NumberPage, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { workspace_id: whose } = request.query;
      const { workspaceId: mine } = auth.keyOf(request);
      if (whose !== undefined && whose !== mine && mine !== operator) {
        throw new HttpError('PERMISSION_DENIED', 'Only the operator sees those of others.');
      }
      const owner = whose === '*' ? null : asWorkspaceId(whose ?? mine);
      const page = await pageOf(
        request.query,
        (limit, after) =>
          numbers.list(owner, limit, after && { createdAtMs: after.atMs, id: after.id }),
        (item) => item.createdAtMs,
      );
      return { numbers: page.items.map(toView), next_page_token: page.nextPageToken };
    },
  );
};

const oneNumberRoutes: FastifyPluginAsyncTypebox<NumberRoutesOptions> = async (app, options) => {
  const { auth, numbers, nowMs } = options;

  app.get(
    '/v1/numbers/:number_id',
    {
      onRequest: auth.needs('numbers:read'),
      schema: {
        ...common,
        operationId: 'get_number',
        summary: 'One telephone number of the workspace',
        params: OneNumber,
        response: { 200: NumberView, ...ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      return toView(found(await numbers.find(workspaceId, request.params.number_id)));
    },
  );

  app.patch(
    '/v1/numbers/:number_id',
    {
      onRequest: auth.needs('numbers:write'),
      schema: {
        ...common,
        operationId: 'update_number',
        summary: 'Another agent from now on; calls in progress go on',
        params: OneNumber,
        body: ChangeBody,
        response: { 200: NumberView, ...BODY_ERRORS, ...ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const { number_id: numberId } = request.params;
      found(await numbers.find(workspaceId, numberId));
      const change = await toChange(options, workspaceId, request.body);
      return toView(found(await numbers.update(workspaceId, numberId, change, nowMs())));
    },
  );
};

/** Numbers come with trunks, and those are the operator's. */
const operatorNumberRoutes: FastifyPluginAsyncTypebox<NumberRoutesOptions> = async (
  app,
  options,
) => {
  const { auth, numbers, workspaces, trunkNames, nowMs } = options;

  app.post(
    '/v1/numbers',
    {
      onRequest: auth.needs('trunks:write'),
      schema: {
        ...common,
        operationId: 'assign_number',
        summary: 'Give a number of a trunk to a workspace',
        body: NewBody,
        response: { 201: NumberView, ...BODY_ERRORS, ...ERRORS, 409: V1Error },
      },
    },
    async (request, reply) => {
      const { e164, workspace_id: whose, trunk = null, friendly_name = '' } = request.body;
      const workspaceId = asWorkspaceId(whose ?? auth.keyOf(request).workspaceId);
      if ((await workspaces.find(workspaceId)) === null) {
        throw new HttpError('NOT_FOUND', 'There is no such workspace.');
      }
      if (trunk !== null && !trunkNames().includes(trunk)) {
        throw new HttpError('NOT_FOUND', 'There is no such trunk.');
      }
      const { agentId = null, outboundAgentId = null } = await toChange(
        options,
        workspaceId,
        request.body,
      );
      const about = { friendlyName: friendly_name, agentId, outboundAgentId, trunk };
      const made = await numbers.create({ workspaceId, e164, ...about }, nowMs());
      if (made === null) throw new HttpError('ALREADY_EXISTS', 'That number is assigned already.');
      const location = `/v1/numbers/${made.id}`;
      return reply.code(201).header('location', location).send(toView(made));
    },
  );

  app.delete(
    '/v1/numbers/:number_id',
    {
      onRequest: auth.needs('trunks:write'),
      schema: {
        ...common,
        operationId: 'take_number_back',
        summary: 'Take a number from its workspace; calls in progress go on',
        params: OneNumber,
        response: { 204: Type.Null(), ...ERRORS },
      },
    },
    async (request, reply) => {
      const isRemoved = await numbers.remove(request.params.number_id);
      if (!isRemoved) found(null);
      return reply.code(204).send(null);
    },
  );
};

/** Only agents of the workspace that has the number. */
async function toChange(
  { agents }: NumberRoutesOptions,
  workspaceId: WorkspaceId,
  body: Static<typeof ChangeBody>,
) {
  const agentOf = async (given: string | null | undefined): Promise<AgentId | null | undefined> => {
    if (given === undefined || given === null) return given;
    const agent = await agents.find(workspaceId, asAgentId(given));
    if (agent === null) throw new HttpError('NOT_FOUND', 'There is no such agent.');
    return agent.id;
  };
  return {
    friendlyName: body.friendly_name,
    agentId: await agentOf(body.agent_id),
    outboundAgentId: await agentOf(body.outbound_agent_id),
  };
}

function found(number: PhoneNumber | null): PhoneNumber {
  if (number === null) throw new HttpError('NOT_FOUND', 'There is no such number.');
  return number;
}

function toView(number: PhoneNumber): Static<typeof NumberView> {
  return {
    number_id: number.id,
    e164: number.e164,
    friendly_name: number.friendlyName,
    status: 'provisioned',
    channels: ['voice'],
    workspace_id: number.workspaceId,
    agent_id: number.agentId,
    outbound_agent_id: number.outboundAgentId,
    trunk: number.trunk,
    provisioned_at: toTime(number.createdAtMs),
    updated_at: toTime(number.updatedAtMs),
  };
}
