import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { ToolDefinition } from '../../model/agent.ts';
import { asAgentId } from '../../model/ids.ts';
import type { AgentChange, AgentRepository, StoredAgent } from '../../storage/agent-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { parsePageToken, toPageToken } from '../page-token.ts';
import {
  KEYED,
  nullable,
  PAGE_QUERY,
  PAGE_SIZE,
  Time,
  toTime,
  V1_ERRORS,
  V1Error,
} from '../shapes.ts';

export interface AgentRoutesOptions {
  readonly auth: Auth;
  readonly agents: Pick<AgentRepository, 'find' | 'list' | 'update'>;
  readonly nowMs: () => number;
}

const text = (maxLength: number) => Type.String({ maxLength });
const Tool = Type.Object(
  {
    name: Type.String({ pattern: '^[\\w-]{1,64}$' }),
    description: text(1024),
    parameters: Type.Unsafe<ToolDefinition['parameters']>({
      type: 'object',
      additionalProperties: true,
    }),
  },
  { additionalProperties: false },
);

/** What an owner may change. */
const FIELDS = {
  display_name: Type.String({ minLength: 1, maxLength: 100 }),
  enabled: Type.Boolean(),
  language: Type.String({ pattern: '^(auto|[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)$' }),
  system_prompt: text(32_768),
  greeting_text: Type.String({ maxLength: 2000, description: 'Empty: the agent waits.' }),
  voice: text(100),
  tool_definitions: Type.Array(Tool, { maxItems: 64 }),
  idle_after_ms: Type.Integer({ minimum: 1000, maximum: 120_000 }),
  idle_prompts: Type.Array(text(500), { maxItems: 10 }),
  time_limit_seconds: Type.Integer({ minimum: 10, maximum: 86_400 }),
  concurrent_calls_max: Type.Integer({ minimum: 1, maximum: 10_000 }),
};

const Agent = Type.Object(
  { agent_id: Type.String(), ...FIELDS, created_at: Time, updated_at: Time },
  { title: 'Agent' },
);
const AgentPage = Type.Object(
  { agents: Type.Array(Agent), next_page_token: nullable(Type.String()) },
  { title: 'AgentPage' },
);
const AgentPatch = Type.Partial(Type.Object(FIELDS), { additionalProperties: false });
const OneAgent = Type.Object({ agent_id: Type.String({ minLength: 1, maxLength: 100 }) });

export const agentRoutes: FastifyPluginAsyncTypebox<AgentRoutesOptions> = async (app, options) => {
  const { auth, agents, nowMs } = options;
  const common = { tags: ['Agents'], security: KEYED };

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
      const { page_size: limit = PAGE_SIZE, page_token: token } = request.query;
      const from = token === undefined ? undefined : parsePageToken(token);
      const after = from === undefined ? undefined : { createdAtMs: from.atMs, id: from.id };
      const found = await agents.list(auth.keyOf(request).workspaceId, limit + 1, after);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const hasMore = found.length > limit && last !== undefined;
      return {
        agents: page.map(toView),
        next_page_token: hasMore ? toPageToken({ atMs: last.createdAtMs, id: last.id }) : null,
      };
    },
  );

  app.get(
    '/v1/agents/:agent_id',
    {
      onRequest: auth.needs('agents:read'),
      schema: {
        ...common,
        operationId: 'get_agent',
        summary: 'One agent',
        params: OneAgent,
        response: { 200: Agent, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request) => {
      const id = asAgentId(request.params.agent_id);
      return toView(found(await agents.find(auth.keyOf(request).workspaceId, id)));
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
        body: AgentPatch,
        response: { 200: Agent, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const id = asAgentId(request.params.agent_id);
      const current = found(await agents.find(workspaceId, id));
      if (Object.keys(request.body).length === 0) return toView(current);
      const change = toChange(request.body, current);
      return toView(found(await agents.update(workspaceId, id, change, nowMs())));
    },
  );
};

function found(agent: StoredAgent | null): StoredAgent {
  if (agent === null) throw new HttpError('NOT_FOUND', 'There is no such agent.');
  return agent;
}

function toChange(body: Static<typeof AgentPatch>, { idle }: StoredAgent): AgentChange {
  const { idle_after_ms: afterMs, idle_prompts: prompts } = body;
  const isIdleGiven = afterMs !== undefined || prompts !== undefined;
  return {
    displayName: body.display_name,
    isEnabled: body.enabled,
    language: body.language,
    systemPrompt: body.system_prompt,
    greetingText: body.greeting_text,
    voice: body.voice,
    tools: body.tool_definitions,
    idle: isIdleGiven
      ? { afterMs: afterMs ?? idle.afterMs, prompts: prompts ?? idle.prompts }
      : undefined,
    timeLimitSeconds: body.time_limit_seconds,
    concurrentCallsMax: body.concurrent_calls_max,
  };
}

function toView(agent: StoredAgent): Static<typeof Agent> {
  return {
    agent_id: agent.id,
    display_name: agent.displayName,
    enabled: agent.isEnabled,
    language: agent.language,
    system_prompt: agent.systemPrompt,
    greeting_text: agent.greetingText,
    voice: agent.voice,
    tool_definitions: agent.tools.map((tool) => ({ ...tool })),
    idle_after_ms: agent.idle.afterMs,
    idle_prompts: [...agent.idle.prompts],
    time_limit_seconds: agent.timeLimitSeconds,
    concurrent_calls_max: agent.concurrentCallsMax,
    created_at: toTime(agent.createdAtMs),
    updated_at: toTime(agent.updatedAtMs),
  };
}
