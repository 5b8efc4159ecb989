import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { AgentTemplate } from '../../dialogue/templates/agent-template.ts';
import { AGENT_TEMPLATES } from '../../dialogue/templates/agent-templates.ts';
import { randomId } from '../../lib/random-id.ts';
import { asAgentId } from '../../model/ids.ts';
import type { AgentRepository, StoredAgent } from '../../storage/agent-repository.ts';
import {
  Agent,
  type AgentLimits,
  AgentPatch,
  NewAgentBody,
  toAgentView,
  toChange,
  toNewAgent,
} from '../agent-shape.ts';
import type { Auth } from '../auth.ts';
import { entityTag, revisionToFind } from '../entity-tag.ts';
import { HttpError } from '../errors.ts';
import { pageOf } from '../page.ts';
import { BODY_ERRORS, KEYED, nullable, PAGE_QUERY, V1_ERRORS, V1Error } from '../shapes.ts';

export interface AgentRoutesOptions extends AgentLimits {
  readonly auth: Auth;
  readonly agents: Omit<AgentRepository, 'findForCall'>;
  readonly nowMs: () => number;
  /** Base of our own addresses, without a slash at its end. */
  readonly publicUrl: () => string;
}

const AgentPage = Type.Object(
  { agents: Type.Array(Agent), next_page_token: nullable(Type.String()) },
  { title: 'AgentPage' },
);
const OneAgent = Type.Object({ agent_id: Type.String({ minLength: 1, maxLength: 100 }) });
const IfMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({ maxLength: 200, description: 'ETag of the agent as you read it.' }),
  ),
});
const Shareable = Type.Object({ shareable: Type.Boolean() }, { additionalProperties: false });
const Template = Type.Object(
  {
    template_id: Type.String(),
    display_name: Type.String(),
    description: Type.String(),
    language: Type.String(),
    greeting_text: Type.String(),
    system_prompt: Type.String(),
  },
  { title: 'AgentTemplate' },
);
const TemplateList = Type.Object(
  { templates: Type.Array(Template) },
  { title: 'AgentTemplateList' },
);
const common = { tags: ['Agents'], security: KEYED };
const CHANGE_ERRORS = { 404: V1Error, 412: V1Error, ...V1_ERRORS };

export const agentRoutes: FastifyPluginAsyncTypebox<AgentRoutesOptions> = async (app, options) => {
  await app.register(agentListRoutes, options);
  await app.register(newAgentRoutes, options);
  await app.register(oneAgentRoutes, options);
  await app.register(shareableRoutes, options);
};

const agentListRoutes: FastifyPluginAsyncTypebox<AgentRoutesOptions> = async (app, options) => {
  const { auth, agents, publicUrl } = options;

  app.get(
    '/v1/agents',
    {
      onRequest: auth.needs('agents:read'),
      schema: {
        ...common,
        operationId: 'list_agents',
        summary: 'Agents, oldest first',
        querystring: Type.Object(PAGE_QUERY, { additionalProperties: false }),
        response: { 200: AgentPage, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const page = await pageOf(
        request.query,
        (limit, after) =>
          agents.list(workspaceId, limit, after && { createdAtMs: after.atMs, id: after.id }),
        (item) => item.createdAtMs,
      );
      return {
        agents: page.items.map((agent) => toAgentView(agent, publicUrl())),
        next_page_token: page.nextPageToken,
      };
    },
  );

  app.get(
    '/v1/agent-templates',
    {
      onRequest: auth.needs('agents:read'),
      schema: {
        ...common,
        operationId: 'list_agent_templates',
        summary: 'What an agent can be made from',
        response: { 200: TemplateList, ...V1_ERRORS },
      },
    },
    async () => ({ templates: AGENT_TEMPLATES.map(toTemplateView) }),
  );
};

const newAgentRoutes: FastifyPluginAsyncTypebox<AgentRoutesOptions> = async (app, options) => {
  const { auth, agents, nowMs, publicUrl } = options;

  app.post(
    '/v1/agents',
    {
      onRequest: auth.needs('agents:write'),
      schema: {
        ...common,
        operationId: 'create_agent',
        summary: 'Make an agent, from a template or from nothing',
        body: NewAgentBody,
        response: { 201: Agent, ...BODY_ERRORS, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const { workspaceId } = auth.keyOf(request);
      const id = asAgentId(randomId('agt'));
      await agents.create(toNewAgent(id, workspaceId, request.body, options), nowMs());
      const agent = found(await agents.find(workspaceId, id));
      const headers = { etag: entityTag(agent.revision), location: `/v1/agents/${id}` };
      return reply.code(201).headers(headers).send(toAgentView(agent, publicUrl()));
    },
  );
};

const oneAgentRoutes: FastifyPluginAsyncTypebox<AgentRoutesOptions> = async (app, options) => {
  const { auth, agents, nowMs, publicUrl } = options;

  app.get(
    '/v1/agents/:agent_id',
    {
      onRequest: auth.needs('agents:read'),
      schema: {
        ...common,
        operationId: 'get_agent',
        summary: 'One agent; its ETag guards a later change',
        params: OneAgent,
        response: { 200: Agent, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const id = asAgentId(request.params.agent_id);
      const agent = found(await agents.find(auth.keyOf(request).workspaceId, id));
      void reply.header('etag', entityTag(agent.revision));
      return toAgentView(agent, publicUrl());
    },
  );

  app.patch(
    '/v1/agents/:agent_id',
    {
      onRequest: auth.needs('agents:write'),
      schema: {
        ...common,
        operationId: 'update_agent',
        summary: 'Change what is given; live calls keep the agent they began with',
        params: OneAgent,
        headers: IfMatch,
        body: AgentPatch,
        response: { 200: Agent, ...BODY_ERRORS, ...CHANGE_ERRORS },
      },
    },
    async (request, reply) => {
      const { workspaceId } = auth.keyOf(request);
      const id = asAgentId(request.params.agent_id);
      const current = found(await agents.find(workspaceId, id));
      const revision = revisionToFind(request.headers['if-match'], current.revision);
      const change = toChange(request.body, current, options);
      const isEmpty = Object.keys(request.body).length === 0;
      const agent = isEmpty
        ? current
        : changed(await agents.update(workspaceId, id, change, nowMs(), revision), revision);
      void reply.header('etag', entityTag(agent.revision));
      return toAgentView(agent, publicUrl());
    },
  );
};

const shareableRoutes: FastifyPluginAsyncTypebox<AgentRoutesOptions> = async (app, options) => {
  const { auth, agents, nowMs, publicUrl } = options;

  app.patch(
    '/v1/agents/:agent_id/shareable',
    {
      onRequest: auth.needs('agents:write'),
      schema: {
        ...common,
        operationId: 'set_agent_shareable',
        summary: 'Let anyone call it from a browser, or no longer; calls in progress go on',
        params: OneAgent,
        body: Shareable,
        response: { 200: Agent, ...BODY_ERRORS, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const { workspaceId } = auth.keyOf(request);
      const id = asAgentId(request.params.agent_id);
      const isShareable = request.body.shareable;
      const agent = found(await agents.update(workspaceId, id, { isShareable }, nowMs()));
      void reply.header('etag', entityTag(agent.revision));
      return toAgentView(agent, publicUrl());
    },
  );

  app.delete(
    '/v1/agents/:agent_id',
    {
      onRequest: auth.needs('agents:write'),
      schema: {
        ...common,
        operationId: 'delete_agent',
        summary: 'Delete it with its keys; calls in progress go on, and its calls stay listed',
        params: OneAgent,
        headers: IfMatch,
        response: { 204: Type.Null(), ...CHANGE_ERRORS },
      },
    },
    async (request, reply) => {
      const { workspaceId } = auth.keyOf(request);
      const id = asAgentId(request.params.agent_id);
      const current = found(await agents.find(workspaceId, id));
      const revision = revisionToFind(request.headers['if-match'], current.revision);
      const isRemoved = await agents.remove(workspaceId, id, revision);
      changed(isRemoved ? current : null, revision);
      return reply.code(204).send(null);
    },
  );
};

function found(agent: StoredAgent | null): StoredAgent {
  if (agent === null) throw new HttpError('NOT_FOUND', 'There is no such agent.');
  return agent;
}

/** Between our reading and our writing somebody else changed or deleted it. */
function changed(agent: StoredAgent | null, revision: number | undefined): StoredAgent {
  if (agent === null && revision !== undefined) throw new HttpError('PRECONDITION_FAILED');
  return found(agent);
}

function toTemplateView(template: AgentTemplate): Static<typeof Template> {
  return {
    template_id: template.id,
    display_name: template.displayName,
    description: template.description,
    language: template.language,
    greeting_text: template.greetingText,
    system_prompt: template.systemPrompt,
  };
}
