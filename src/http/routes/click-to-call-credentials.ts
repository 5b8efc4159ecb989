import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { missingInScript } from '../../access/click-to-call-variables.ts';
import { asAgentId, type WorkspaceId } from '../../model/ids.ts';
import type { AgentRepository, StoredAgent } from '../../storage/agent-repository.ts';
import type {
  ClickToCallCredentials,
  ClickToCallRepository,
} from '../../storage/click-to-call-repository.ts';
import type { ApiKey } from '../../storage/api-key-repository.ts';
import type { Auth } from '../auth.ts';
import { clickToCallGuide } from '../click-to-call-guide.ts';
import { HttpError } from '../errors.ts';
import { BODY_ERRORS, KEYED, oneOf, Time, toTime, V1_ERRORS, V1Error } from '../shapes.ts';

export interface ClickToCallCredentialRoutesOptions {
  readonly auth: Auth;
  readonly agents: Pick<AgentRepository, 'find'>;
  readonly clickToCall: Pick<ClickToCallRepository, 'ensure' | 'rotate'>;
  readonly nowMs: () => number;
  /** Base of our own addresses, without a slash at its end. */
  readonly publicUrl: () => string;
}

const Credentials = Type.Object(
  {
    agent_id: Type.String(),
    endpoint: Type.String({ description: 'The same for all agents; the token tells which.' }),
    agent_endpoint: Type.String({ description: 'Takes the token of this agent only.' }),
    api_token: Type.String(),
    api_secret: Type.String(),
    signature_verification: oneOf(['required', 'disabled']),
    variables: Type.Array(Type.String(), { description: 'Names that the script needs.' }),
    created_at: Time,
    instructions: Type.String(),
    samples: Type.Object({ curl: Type.String(), nodejs: Type.String(), python: Type.String() }),
  },
  { title: 'ClickToCallCredentials' },
);
const RotateBody = Type.Object(
  {
    overlap_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 30 * 86_400,
        default: 86_400,
        description: 'How long the old token stays valid, with its own secret.',
      }),
    ),
  },
  { additionalProperties: false },
);
const OVERLAP_SECONDS = 86_400;
const OneAgent = Type.Object({ agent_id: Type.String({ minLength: 1, maxLength: 100 }) });
const common = { tags: ['Click-to-call'], security: KEYED, params: OneAgent };
const ERRORS = { 404: V1Error, ...V1_ERRORS };

/** What "Show Credentials & Instructions" shows: of one agent, as often as its owner likes. */
export const clickToCallCredentialRoutes: FastifyPluginAsyncTypebox<
  ClickToCallCredentialRoutesOptions
> = async (app, { auth, agents, clickToCall, nowMs, publicUrl }) => {
  const agentOf = async (workspaceId: WorkspaceId, id: string) => {
    const agent = await agents.find(workspaceId, asAgentId(id));
    if (agent === null) throw new HttpError('NOT_FOUND', 'There is no such agent.');
    if (agent.type === 'click_to_call') return agent;
    throw new HttpError('INVALID_ARGUMENT', "Set the agent's type to click_to_call first.");
  };
  const ownerOf = ({ id: agentId, workspaceId }: StoredAgent, { isTest }: ApiKey) => ({
    agentId,
    workspaceId,
    isTest,
  });

  app.get(
    '/v1/agents/:agent_id/click-to-call',
    {
      // What is shown here starts calls, so reading it takes more than leave to read.
      onRequest: auth.needs('agents:write'),
      schema: {
        ...common,
        operationId: 'get_click_to_call_credentials',
        summary: 'API token, API secret and instructions for this agent',
        description: 'A test key is shown a pair of its own, whose calls are simulated.',
        response: { 200: Credentials, ...ERRORS },
      },
    },
    async (request) => {
      const key = auth.keyOf(request);
      const agent = await agentOf(key.workspaceId, request.params.agent_id);
      return toView(agent, await clickToCall.ensure(ownerOf(agent, key), nowMs()), publicUrl());
    },
  );

  app.post(
    '/v1/agents/:agent_id/click-to-call/rotate',
    {
      onRequest: auth.needs('agents:write'),
      schema: {
        ...common,
        operationId: 'rotate_click_to_call_credentials',
        summary: 'A new token and secret; the old ones stay valid for a while',
        body: RotateBody,
        response: { 201: Credentials, ...BODY_ERRORS, ...ERRORS },
      },
    },
    async (request, reply) => {
      const key = auth.keyOf(request);
      const agent = await agentOf(key.workspaceId, request.params.agent_id);
      const atMs = nowMs();
      const overlapMs = (request.body.overlap_seconds ?? OVERLAP_SECONDS) * 1000;
      const made = await clickToCall.rotate(ownerOf(agent, key), atMs + overlapMs, atMs);
      return reply.code(201).send(toView(agent, made, publicUrl()));
    },
  );
};

function toView(
  agent: StoredAgent,
  { token, secret, createdAtMs }: ClickToCallCredentials,
  publicUrl: string,
): Static<typeof Credentials> {
  const { isSignatureOff } = agent.clickToCall;
  const endpoint = `${publicUrl}/api/click-to-call`;
  const variables = [...missingInScript(agent, {})];
  const facts = {
    agentName: agent.displayName,
    endpoint,
    token,
    secret,
    isSignatureOff,
    variables,
  };
  const { instructions, ...samples } = clickToCallGuide(facts);
  return {
    agent_id: agent.id,
    endpoint,
    agent_endpoint: `${endpoint}/${agent.id}`,
    api_token: token,
    api_secret: secret,
    signature_verification: isSignatureOff ? 'disabled' : 'required',
    variables,
    created_at: toTime(createdAtMs),
    instructions,
    samples,
  };
}
