import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { asAgentId, type WorkspaceId } from '../../model/ids.ts';
import type { AgentRepository } from '../../storage/agent-repository.ts';
import {
  newSharedKey,
  SHARED_KEYS_MAX,
  type SharedKey,
  type SharedKeyRepository,
} from '../../storage/shared-key-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import {
  BODY_ERRORS,
  KEYED,
  nullable,
  Time,
  toNullableTime,
  toTime,
  V1_ERRORS,
  V1Error,
} from '../shapes.ts';

export interface SharedKeyRoutesOptions {
  readonly auth: Auth;
  readonly agents: Pick<AgentRepository, 'find'>;
  readonly sharedKeys: SharedKeyRepository;
  readonly nowMs: () => number;
}

const KEY_FIELDS = {
  shared_key_id: Type.String(),
  agent_id: Type.String(),
  prefix: Type.String({ description: 'How the key begins; the rest is not kept.' }),
  created_at: Time,
  expires_at: nullable(Time),
};
const Key = Type.Object(KEY_FIELDS, { title: 'SharedKey' });
const NewKey = Type.Object(
  { ...KEY_FIELDS, shared_key: Type.String({ description: 'Shown this once.' }) },
  { title: 'NewSharedKey' },
);
const KeyList = Type.Object({ shared_keys: Type.Array(Key) }, { title: 'SharedKeyList' });
const RotateBody = Type.Object(
  {
    overlap_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 30 * 86_400,
        default: 0,
        description: 'How long the old key stays valid.',
      }),
    ),
  },
  { additionalProperties: false },
);
const id = Type.String({ minLength: 1, maxLength: 100 });
const OfAgent = Type.Object({ agent_id: id });
const OneKey = Type.Object({ agent_id: id, shared_key_id: id });
const common = { tags: ['Shared keys'], security: KEYED };
const ERRORS = { 404: V1Error, ...V1_ERRORS };

/** Keys with which public applications call one agent: `GET /v1/calls/public/create-web-call`. */
export const sharedKeyRoutes: FastifyPluginAsyncTypebox<SharedKeyRoutesOptions> = async (
  app,
  options,
) => {
  await app.register(keysOfAgentRoutes, options);
  await app.register(oneKeyRoutes, options);
};

const keysOfAgentRoutes: FastifyPluginAsyncTypebox<SharedKeyRoutesOptions> = async (
  app,
  { auth, agents, sharedKeys, nowMs },
) => {
  const agentOf = async (workspaceId: WorkspaceId, agentId: string) => {
    const agent = await agents.find(workspaceId, asAgentId(agentId));
    if (agent === null) throw new HttpError('NOT_FOUND', 'There is no such agent.');
    return agent;
  };

  app.get(
    '/v1/agents/:agent_id/shared-keys',
    {
      onRequest: auth.needs('agents:read'),
      schema: {
        ...common,
        operationId: 'list_shared_keys',
        summary: 'Shared keys of an agent that are valid, each by how it begins',
        params: OfAgent,
        response: { 200: KeyList, ...ERRORS },
      },
    },
    async (request) => {
      const agent = await agentOf(auth.keyOf(request).workspaceId, request.params.agent_id);
      const keys = await sharedKeys.listActive(agent.workspaceId, agent.id, nowMs());
      return { shared_keys: keys.map(toView) };
    },
  );

  app.post(
    '/v1/agents/:agent_id/shared-keys',
    {
      onRequest: auth.needs('agents:write'),
      schema: {
        ...common,
        operationId: 'create_shared_key',
        summary: 'Make a shared key, shown this once',
        params: OfAgent,
        response: { 201: NewKey, 409: V1Error, ...ERRORS },
      },
    },
    async (request, reply) => {
      const agent = await agentOf(auth.keyOf(request).workspaceId, request.params.agent_id);
      const others = await sharedKeys.listActive(agent.workspaceId, agent.id, nowMs());
      if (others.length >= SHARED_KEYS_MAX) {
        throw new HttpError('ALREADY_EXISTS', 'The agent has as many shared keys as it may.');
      }
      const key = newSharedKey();
      const made = await sharedKeys.create(agent.workspaceId, agent.id, key, nowMs());
      return reply.code(201).send({ ...toView(made), shared_key: key });
    },
  );
};

const oneKeyRoutes: FastifyPluginAsyncTypebox<SharedKeyRoutesOptions> = async (
  app,
  { auth, sharedKeys, nowMs },
) => {
  const existing = async (workspaceId: WorkspaceId, { agent_id, shared_key_id }: KeyPath) => {
    const key = await sharedKeys.findActive(shared_key_id, nowMs());
    if (key?.workspaceId === workspaceId && key.agentId === agent_id) return key;
    throw new HttpError('NOT_FOUND', 'There is no such shared key.');
  };

  app.post(
    '/v1/agents/:agent_id/shared-keys/:shared_key_id/rotate',
    {
      onRequest: auth.needs('agents:write'),
      schema: {
        ...common,
        operationId: 'rotate_shared_key',
        summary: 'Make a successor; the old key may stay valid for a while',
        params: OneKey,
        body: RotateBody,
        response: { 201: NewKey, ...BODY_ERRORS, ...ERRORS },
      },
    },
    async (request, reply) => {
      const old = await existing(auth.keyOf(request).workspaceId, request.params);
      const key = newSharedKey();
      const atMs = nowMs();
      const endsAtMs = atMs + (request.body.overlap_seconds ?? 0) * 1000;
      const made = await sharedKeys.rotate(old, key, endsAtMs, atMs);
      if (made === null) throw new HttpError('NOT_FOUND', 'There is no such shared key.');
      return reply.code(201).send({ ...toView(made), shared_key: key });
    },
  );

  app.delete(
    '/v1/agents/:agent_id/shared-keys/:shared_key_id',
    {
      onRequest: auth.needs('agents:write'),
      schema: {
        ...common,
        operationId: 'revoke_shared_key',
        summary: 'Revoke a shared key and its unused tokens; calls in progress go on',
        params: OneKey,
        response: { 204: Type.Null(), ...ERRORS },
      },
    },
    async (request, reply) => {
      const key = await existing(auth.keyOf(request).workspaceId, request.params);
      await sharedKeys.revoke(key.id, nowMs());
      return reply.code(204).send(null);
    },
  );
};

type KeyPath = Static<typeof OneKey>;

function toView(key: SharedKey): Static<typeof Key> {
  return {
    shared_key_id: key.id,
    agent_id: key.agentId,
    prefix: key.prefix,
    created_at: toTime(key.createdAtMs),
    expires_at: toNullableTime(key.expiresAtMs),
  };
}
