import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { toEmail } from '../../chat/email.ts';
import type { LinkFields, OwnedLink, PublicLinks } from '../../chat/public-links.ts';
import type { ChatMemoryRepository } from '../../storage/chat-memory-repository.ts';
import type { ChatRepository } from '../../storage/chat-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { ChatProblem, KEYED, nullable, oneOf, Time, toNullableTime, toTime } from '../shapes.ts';
import { ChatMessage, toChatMessage } from './chat-shapes.ts';

export interface PublicLinkRoutesOptions {
  readonly auth: Auth;
  readonly links: () => PublicLinks;
  readonly memories: () => Pick<ChatMemoryRepository, 'find' | 'erase'>;
  readonly chats: () => Pick<ChatRepository, 'messagesOf'>;
  /** Base of our own addresses. */
  readonly publicUrl: () => string;
}

/** Messages of one person in one answer: the latest. */
const EXPORTED_MAX = 1000;

const FIELDS = {
  name: Type.String({ maxLength: 100 }),
  enabled: Type.Boolean(),
  require_email: Type.Boolean({ description: 'Visitors verify an e-mail address first.' }),
  messages_per_minute: Type.Integer({ minimum: 1, maximum: 600, description: 'Of one visitor.' }),
  messages_per_day: Type.Integer({ minimum: 1, maximum: 10_000, description: 'Of one visitor.' }),
  welcome_message: Type.Union([Type.String({ maxLength: 2000 }), Type.Null()], {
    description: "Null: the agent's greeting. Empty: none.",
  }),
  expires_at: nullable(
    Type.String({
      pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,9})?)?(Z|[+-]\\d\\d:\\d\\d)$',
    }),
  ),
};
const Body = Type.Partial(Type.Object(FIELDS), { additionalProperties: false });

const Link = Type.Object(
  {
    id: Type.String(),
    agent_id: Type.String(),
    agent_name: Type.String(),
    token: Type.String(),
    url: Type.String(),
    status: oneOf(['active', 'disabled', 'expired']),
    ...FIELDS,
    expires_at: nullable(Time),
    usage: Type.Object({ messages: Type.Integer(), last_used_at: nullable(Time) }),
    created_at: Time,
    updated_at: Time,
  },
  { title: 'PublicLink' },
);
const Links = Type.Object({ public_links: Type.Array(Link) }, { title: 'PublicLinks' });
const Person = Type.Object(
  {
    email: Type.String(),
    memory: Type.String(),
    user_messages: Type.Integer(),
    messages: Type.Array(ChatMessage),
  },
  { title: 'PublicChatPerson' },
);

const name = Type.String({ minLength: 1, maxLength: 100, description: 'Name or id of the agent.' });
const OfAgent = Type.Object({ name });
const OneLink = Type.Object({ name, id: Type.String({ minLength: 1, maxLength: 100 }) });
const OnePerson = Type.Object({ name, email: Type.String({ minLength: 3, maxLength: 254 }) });

const ERRORS = {
  400: ChatProblem,
  401: ChatProblem,
  403: ChatProblem,
  404: ChatProblem,
  409: ChatProblem,
  413: ChatProblem,
  415: ChatProblem,
  429: ChatProblem,
  500: ChatProblem,
  503: ChatProblem,
};
const common = { tags: ['Public links'], security: KEYED };

/** What the owner of an agent does with its public links. */
export const publicLinkRoutes: FastifyPluginAsyncTypebox<PublicLinkRoutesOptions> = async (
  app,
  options,
) => {
  const { auth, links, publicUrl } = options;
  const read = auth.needs('public_links:read');
  const write = auth.needs('public_links:write');
  const view = (owned: OwnedLink) => toView(owned, publicUrl());

  app.get(
    '/api/agents/:name/public-links',
    {
      onRequest: read,
      schema: {
        ...common,
        operationId: 'list_public_links',
        summary: 'Public links of an agent, oldest first',
        params: OfAgent,
        response: { 200: Links, ...ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const all = await links().list(workspaceId, request.params.name);
      return { public_links: all.map(view) };
    },
  );

  app.post(
    '/api/agents/:name/public-links',
    {
      onRequest: write,
      schema: {
        ...common,
        operationId: 'create_public_link',
        summary: 'An address under which anyone may chat with the agent',
        params: OfAgent,
        body: Body,
        response: { 201: Link, ...ERRORS },
      },
    },
    async (request, reply) => {
      const { workspaceId } = auth.keyOf(request);
      const made = await links().create(workspaceId, request.params.name, toFields(request.body));
      return reply.code(201).send(view(made));
    },
  );

  app.put(
    '/api/agents/:name/public-links/:id',
    {
      onRequest: write,
      schema: {
        ...common,
        operationId: 'update_public_link',
        summary: 'Replace the fields given; the address stays',
        params: OneLink,
        body: Body,
        response: { 200: Link, ...ERRORS },
      },
    },
    async (request) => {
      const { name: agent, id } = request.params;
      const { workspaceId } = auth.keyOf(request);
      return view(await links().update(workspaceId, agent, id, toFields(request.body)));
    },
  );

  await app.register(withdrawalRoutes, options);
  await app.register(personRoutes, options);
};

const withdrawalRoutes: FastifyPluginAsyncTypebox<PublicLinkRoutesOptions> = async (
  app,
  { auth, links, publicUrl },
) => {
  const onRequest = auth.needs('public_links:write');

  app.post(
    '/api/agents/:name/public-links/:id/rotate',
    {
      onRequest,
      schema: {
        ...common,
        operationId: 'rotate_public_link',
        summary: 'A new address; the old one is no more',
        params: OneLink,
        response: { 200: Link, ...ERRORS },
      },
    },
    async (request) => {
      const { name: agent, id } = request.params;
      const { workspaceId } = auth.keyOf(request);
      return toView(await links().rotate(workspaceId, agent, id), publicUrl());
    },
  );

  app.delete(
    '/api/agents/:name/public-links/:id',
    {
      onRequest,
      schema: {
        ...common,
        operationId: 'delete_public_link',
        summary: 'The address is no more; a reply being written is finished',
        params: OneLink,
        response: { 204: Type.Null(), ...ERRORS },
      },
    },
    async (request, reply) => {
      const { name: agent, id } = request.params;
      await links().remove(auth.keyOf(request).workspaceId, agent, id);
      return reply.code(204).send(null);
    },
  );
};

/** What is kept of one verified visitor, to be handed out or erased. */
const personRoutes: FastifyPluginAsyncTypebox<PublicLinkRoutesOptions> = async (app, options) => {
  const { auth, links, memories, chats } = options;

  app.get(
    '/api/agents/:name/public-users/:email',
    {
      onRequest: auth.needs('public_links:read'),
      schema: {
        ...common,
        operationId: 'get_public_user',
        summary: 'What is kept of a verified visitor',
        params: OnePerson,
        response: { 200: Person, ...ERRORS },
      },
    },
    async (request) => {
      const agent = await links().agentNamed(auth.keyOf(request).workspaceId, request.params.name);
      const email = toEmail(request.params.email);
      const memory = await memories().find(agent.id, email);
      const messages = await chats().messagesOf(agent.id, email, EXPORTED_MAX);
      return {
        email,
        memory: memory?.text ?? '',
        user_messages: memory?.userMessages ?? 0,
        messages: messages.map(toChatMessage),
      };
    },
  );

  app.delete(
    '/api/agents/:name/public-users/:email',
    {
      onRequest: auth.needs('public_links:write'),
      schema: {
        ...common,
        operationId: 'erase_public_user',
        summary: 'Erase memory, conversations and sign-ins of a verified visitor',
        params: OnePerson,
        response: { 204: Type.Null(), ...ERRORS },
      },
    },
    async (request, reply) => {
      const agent = await links().agentNamed(auth.keyOf(request).workspaceId, request.params.name);
      await memories().erase(agent.id, toEmail(request.params.email));
      return reply.code(204).send(null);
    },
  );
};

function toFields(body: Static<typeof Body>): LinkFields {
  return {
    name: body.name,
    isEnabled: body.enabled,
    requiresEmail: body.require_email,
    messagesPerMinute: body.messages_per_minute,
    messagesPerDay: body.messages_per_day,
    welcomeMessage: body.welcome_message,
    expiresAtMs: typeof body.expires_at === 'string' ? timeOf(body.expires_at) : body.expires_at,
  };
}

function timeOf(text: string): number {
  const atMs = Date.parse(text);
  if (!Number.isFinite(atMs)) throw new HttpError('INVALID_ARGUMENT', 'expires_at is no time.');
  return atMs;
}

function toView({ link, agent, status, usage }: OwnedLink, publicUrl: string): Static<typeof Link> {
  return {
    id: link.id,
    agent_id: agent.id,
    agent_name: agent.displayName,
    token: link.token,
    url: `${publicUrl}/public/chat/${link.token}`,
    status,
    name: link.name,
    enabled: link.isEnabled,
    require_email: link.requiresEmail,
    messages_per_minute: link.messagesPerMinute,
    messages_per_day: link.messagesPerDay,
    welcome_message: link.welcomeMessage,
    expires_at: toNullableTime(link.expiresAtMs),
    usage: { messages: usage.messages, last_used_at: toNullableTime(usage.lastUsedAtMs) },
    created_at: toTime(link.createdAtMs),
    updated_at: toTime(link.updatedAtMs),
  };
}
