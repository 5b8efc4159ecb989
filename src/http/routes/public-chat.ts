import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type ChatService, type SecretOf, TEXT_LENGTH_MAX } from '../../chat/chat-service.ts';
import { clientKey } from '../../chat/client-address.ts';
import type { EventFeed } from '../../chat/event-feed.ts';
import type { PublicLinks } from '../../chat/public-links.ts';
import { CODE_MS, type Verification } from '../../chat/verification.ts';
import { assertNever } from '../../lib/assert-never.ts';
import { RateLimiter } from '../../lib/rate-limiter.ts';
import { cookieIn, setCookie } from '../cookies.ts';
import { HttpError, serializeError, toHttpError } from '../errors.ts';
import { ChatProblem, oneOf } from '../shapes.ts';
import { ChatMessage, toChatMessage } from './chat-shapes.ts';

export interface PublicChatRoutesOptions {
  readonly chat: () => ChatService;
  readonly links: () => PublicLinks;
  readonly verification: () => Verification;
  /** Base of our own addresses: `https` makes cookies secure. */
  readonly publicUrl: () => string;
  /** Requests of one address of the network, beside the limits of messages. */
  readonly requestsPerMinute?: number;
  readonly heartbeatMs?: number;
}

const BODY_MAX_BYTES = 65_536;
const REQUESTS_PER_MINUTE = 300;
const MINUTE_MS = 60_000;
/** A comment so often keeps proxies from closing a silent stream. */
const HEARTBEAT_MS = 15_000;
const COOKIE_PATH = '/api/public/';
const SECRET = /^[0-9A-Za-z]{43}$/;

const token = Type.String({ minLength: 1, maxLength: 100 });
const OneLink = Type.Object({ token });
const email = Type.String({ minLength: 3, maxLength: 320 });
const SessionToken = Type.String({ maxLength: 100, description: 'For clients without cookies.' });
const LinkInfo = Type.Union(
  [
    Type.Object({
      valid: Type.Literal(true),
      require_email: Type.Boolean(),
      agent_name: Type.String(),
      message_length_max: Type.Integer(),
    }),
    Type.Object({
      valid: Type.Literal(false),
      reason: oneOf(['not_found', 'disabled', 'expired']),
    }),
  ],
  { title: 'PublicLinkInfo' },
);
const History = Type.Object(
  {
    messages: Type.Array(ChatMessage),
    replying: Type.Boolean({ description: 'The last message is being answered.' }),
  },
  { title: 'ChatHistory' },
);
const ChatBody = Type.Object(
  {
    message: Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX }),
    session_token: Type.Optional(SessionToken),
  },
  { additionalProperties: false },
);
const ChatReply = Type.Object(
  {
    message: ChatMessage,
    session_token: Type.Optional(Type.String({ description: 'Given when it is new.' })),
  },
  { title: 'ChatReply' },
);
const Verified = Type.Object(
  { session_token: Type.String(), expires_in_seconds: Type.Integer() },
  { title: 'Verified' },
);

const ERRORS = {
  400: ChatProblem,
  401: ChatProblem,
  404: ChatProblem,
  409: ChatProblem,
  413: ChatProblem,
  415: ChatProblem,
  429: ChatProblem,
  500: ChatProblem,
  503: ChatProblem,
};
const tags = ['Public chat'];

/** Chat for anyone who has a link. Nothing here says a word about its owner. */
export const publicChatRoutes: FastifyPluginAsyncTypebox<PublicChatRoutesOptions> = async (
  app,
  options,
) => {
  const { chat, links } = options;
  const limiter = new RateLimiter({
    max: options.requestsPerMinute ?? REQUESTS_PER_MINUTE,
    windowMs: MINUTE_MS,
  });
  app.addHook('onRequest', async (request) => {
    const verdict = limiter.take(clientKey(request.ip), performance.now());
    if (verdict.isAllowed) return;
    const retryAfterSeconds = Math.ceil(verdict.retryAfterMs / 1000);
    throw new HttpError('RATE_LIMITED', undefined, { retryAfterSeconds });
  });

  app.get(
    '/api/public/link/:token',
    {
      schema: {
        tags,
        operationId: 'get_public_link',
        summary: 'Whether a link leads somewhere, and what it asks for',
        params: OneLink,
        response: { 200: LinkInfo, 429: ChatProblem, 503: ChatProblem },
      },
    },
    async (request) => {
      const resolved = await links().resolve(request.params.token);
      if (!resolved.isValid) return { valid: false as const, reason: resolved.reason };
      const { link, agent } = resolved;
      return {
        valid: true as const,
        require_email: link.requiresEmail,
        agent_name: agent.displayName,
        message_length_max: TEXT_LENGTH_MAX,
      };
    },
  );

  app.get(
    '/api/public/history/:token',
    {
      schema: {
        tags,
        operationId: 'get_public_history',
        summary: 'The conversation so far; before its first message, the welcome',
        params: OneLink,
        response: { 200: History, ...ERRORS },
      },
    },
    async (request) => {
      const { messages, isReplying } = await chat().history(visitorOf(request));
      return { messages: messages.map(toChatMessage), replying: isReplying };
    },
  );

  await app.register(sessionRoutes, options);
  await app.register(messageRoutes, options);
  await app.register(verificationRoutes, options);
};

const sessionRoutes: FastifyPluginAsyncTypebox<PublicChatRoutesOptions> = async (app, { chat }) => {
  app.delete(
    '/api/public/session/:token',
    {
      schema: {
        tags,
        operationId: 'delete_public_session',
        summary: 'New Conversation: the next message begins one',
        params: OneLink,
        response: { 204: Type.Null(), ...ERRORS },
      },
    },
    async (request, reply) => {
      await chat().startAnew(visitorOf(request));
      return reply.code(204).send(null);
    },
  );
};

const messageRoutes: FastifyPluginAsyncTypebox<PublicChatRoutesOptions> = async (app, options) => {
  const { chat, heartbeatMs = HEARTBEAT_MS } = options;

  app.post(
    '/api/public/chat/:token',
    {
      bodyLimit: BODY_MAX_BYTES,
      schema: {
        tags,
        operationId: 'send_public_message',
        summary: 'Say something to the agent',
        description:
          'With `Accept: text/event-stream` the reply comes as events: `session` (a new token), ' +
          '`status` (label), `delta` (text), then `done` (message) or `error`.',
        params: OneLink,
        body: ChatBody,
        response: { 200: ChatReply, ...ERRORS },
      },
    },
    async (request, reply) => {
      const visitor = visitorOf(request, request.body.session_token);
      const sent = await chat().send(visitor, request.body.message, request.ip);
      if (sent.secret !== null)
        keepCookie(reply, sent.linkId, sent.secret, sent.secretSeconds, options);
      if (!wantsEvents(request)) {
        const end = await sent.feed.end();
        if (end.type === 'failed') throw end.error;
        const made = sent.secret === null ? {} : { session_token: sent.secret };
        return { message: toChatMessage(end.message), ...made };
      }
      const context = { requestId: request.id, publicUrl: options.publicUrl() };
      const problem = (error: unknown) => serializeError(request.url, toHttpError(error), context);
      const events = Readable.from(eventsOf(sent.feed, sent.secret, heartbeatMs, problem));
      sendEvents(reply, events);
      return reply;
    },
  );
};

const verificationRoutes: FastifyPluginAsyncTypebox<PublicChatRoutesOptions> = async (
  app,
  options,
) => {
  const { verification } = options;

  app.post(
    '/api/public/verify/request',
    {
      bodyLimit: BODY_MAX_BYTES,
      schema: {
        tags,
        operationId: 'request_verification',
        summary: 'Mail a code; the same answer for every address',
        body: Type.Object({ token, email }, { additionalProperties: false }),
        response: {
          200: Type.Object({ expires_in_seconds: Type.Integer() }, { title: 'CodeSent' }),
          ...ERRORS,
        },
      },
    },
    async (request) => {
      await verification().request(request.body.token, request.body.email, request.ip);
      return { expires_in_seconds: CODE_MS / 1000 };
    },
  );

  app.post(
    '/api/public/verify/confirm',
    {
      bodyLimit: BODY_MAX_BYTES,
      schema: {
        tags,
        operationId: 'confirm_verification',
        summary: 'Sign in with the mailed code',
        body: Type.Object(
          { token, email, code: Type.String({ minLength: 1, maxLength: 32 }) },
          { additionalProperties: false },
        ),
        response: { 200: Verified, ...ERRORS },
      },
    },
    async (request, reply) => {
      const { token: link, email: address, code } = request.body;
      const verified = await verification().confirm(link, address, code, request.ip);
      const { linkId, secret, secretSeconds } = verified;
      keepCookie(reply, linkId, secret, secretSeconds, options);
      return { session_token: secret, expires_in_seconds: secretSeconds };
    },
  );
};

function wantsEvents({ headers }: FastifyRequest): boolean {
  return /\btext\/event-stream\b/i.test(headers.accept ?? '');
}

/** A token that a client sends itself goes before the cookie. */
function visitorOf(request: FastifyRequest<{ Params: { token: string } }>, sent?: string) {
  const { headers, params } = request;
  const header = headers['x-session-token'];
  const own = sent ?? (typeof header === 'string' ? header : undefined);
  const secretOf: SecretOf = (linkId) => {
    const secret = own ?? cookieIn(headers.cookie, cookieName(linkId));
    return secret !== null && SECRET.test(secret) ? secret : null;
  };
  return { token: params.token, secretOf };
}

function cookieName(linkId: string): string {
  return `trunkline_${linkId}`;
}

function keepCookie(
  reply: FastifyReply,
  linkId: string,
  secret: string,
  maxAgeSeconds: number,
  { publicUrl }: Pick<PublicChatRoutesOptions, 'publicUrl'>,
): void {
  const isSecure = publicUrl().startsWith('https:');
  const cookie = { maxAgeSeconds, path: COOKIE_PATH, isSecure };
  void reply.header('set-cookie', setCookie(cookieName(linkId), secret, cookie));
}

function sendEvents(reply: FastifyReply, events: Readable): void {
  void reply
    .header('x-accel-buffering', 'no')
    .type('text/event-stream; charset=utf-8')
    .send(events);
}

/** The feed as server-sent events. Who stops reading stops nothing. */
async function* eventsOf(
  feed: EventFeed,
  secret: string | null,
  heartbeatMs: number,
  problem: (error: unknown) => object,
): AsyncGenerator<string, void> {
  try {
    if (secret !== null) yield eventOf('session', { session_token: secret });
    for (;;) {
      const event = await feed.next(heartbeatMs);
      if (event === null) return;
      if (event === 'idle') yield ': waiting\n\n';
      else if (event.type === 'status') yield eventOf('status', { label: event.label });
      else if (event.type === 'text') yield eventOf('delta', { text: event.text });
      else if (event.type === 'done')
        yield eventOf('done', { message: toChatMessage(event.message) });
      else if (event.type === 'failed') yield eventOf('error', problem(event.error));
      else assertNever(event);
    }
  } finally {
    feed.abandon();
  }
}

function eventOf(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
