import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import {
  expiryFrom,
  type Given,
  type InstantLinkDoor,
  InstantLinkError,
  instantLinkChange,
  instantLinkStatus,
  newInstantLinks,
} from '../../access/instant-links.ts';
import type {
  InstantLink,
  InstantLinkCursor,
  InstantLinkRepository,
} from '../../storage/instant-link-repository.ts';
import type { Auth } from '../auth.ts';
import { HttpError } from '../errors.ts';
import { parsePageToken, toPageToken } from '../page.ts';
import { KEYED, nullable, oneOf, Time, toTime } from '../shapes.ts';

export interface InstantLinkRoutesOptions {
  readonly auth: Auth;
  readonly links: InstantLinkRepository;
  readonly nowMs: () => number;
  /** Base of our own addresses, without a slash at its end. */
  readonly publicUrl: () => string;
}

const PATH = '/v1/instant-voice-links';
const LINKS_MAX = 1000;

const LinkError = Type.Object({ error: Type.String() }, { title: 'InstantLinkError' });
const ERRORS = {
  400: LinkError,
  401: LinkError,
  403: LinkError,
  413: LinkError,
  415: LinkError,
  429: LinkError,
  500: LinkError,
  503: LinkError,
};
const Preset = oneOf(['1_day', '1_week', '1_month']);
const Link = Type.Object(
  {
    id: Type.String(),
    token: Type.String(),
    label: Type.String(),
    status: oneOf(['active', 'expired', 'used', 'disabled']),
    expiryPreset: Preset,
    expiresAt: Time,
    timeLimitMinutes: Type.Number({ minimum: 1, maximum: 60 }),
    prompt: Type.String(),
    landingPageTitle: Type.String(),
    landingPageInfo: Type.String(),
    createdAt: Time,
    updatedAt: Time,
    url: Type.String({ description: 'The landing page.' }),
    maxSessions: nullable(Type.Integer({ description: 'Calls that may connect.' })),
    usedSessions: Type.Integer(),
  },
  { title: 'InstantLink' },
);
const Links = { success: Type.Literal(true), links: Type.Array(Link) };
const Created = Type.Object(Links, { title: 'CreatedInstantLinks' });
const Listed = Type.Object(
  { ...Links, nextPageToken: nullable(Type.String()) },
  { title: 'InstantLinkList' },
);
const Success = Type.Object({ success: Type.Literal(true) }, { title: 'Success' });

const FIELDS = {
  prompt: Type.String({ minLength: 1, maxLength: 32_768 }),
  landingPageTitle: Type.Optional(Type.String({ maxLength: 200, default: '' })),
  landingPageInfo: Type.Optional(Type.String({ maxLength: 10_000, default: '' })),
  timeLimitMinutes: Type.Optional(
    Type.Number({ default: 5, description: 'Taken to the nearest of 1 to 60.' }),
  ),
  maxSessions: Type.Optional(nullable(Type.Integer({ minimum: 1 }))),
};
const CreateBody = Type.Object({
  labels: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 100 }),
  expiryPreset: Preset,
  ...FIELDS,
});
const PatchBody = Type.Partial(
  Type.Object({
    label: Type.String({ minLength: 1, maxLength: 200 }),
    expiryPreset: Preset,
    ...FIELDS,
  }),
);
const RenewBody = Type.Object({ expiryPreset: Preset });
const OneLink = Type.Object({ linkId: Type.String({ minLength: 1, maxLength: 100 }) });

/** Bodies are judged by the rules of links, in their order and words; schemas describe them. */
const judgedByRules = { validatorCompiler: () => () => true };
const common = { tags: ['Instant voice links'], security: KEYED };

/** Links that carry their own prompt and need no agent. */
export const instantLinkRoutes: FastifyPluginAsyncTypebox<InstantLinkRoutesOptions> = async (
  app,
  options,
) => {
  await app.register(linkListRoutes, options);
  await app.register(linkChangeRoutes, options);
  await app.register(linkEndRoutes, options);
};

const linkListRoutes: FastifyPluginAsyncTypebox<InstantLinkRoutesOptions> = async (
  app,
  { auth, links, nowMs, publicUrl },
) => {
  const query = Type.Object({
    page_size: Type.Optional(Type.Integer({ minimum: 1, maximum: LINKS_MAX, default: LINKS_MAX })),
    page_token: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  });

  app.get(
    PATH,
    {
      onRequest: auth.needs('voice_links:read'),
      schema: {
        ...common,
        operationId: 'list_instant_voice_links',
        summary: 'List instant (projectless) voice links, newest first',
        querystring: query,
        response: { 200: Listed, ...ERRORS },
      },
    },
    async (request) => {
      const { page_size: limit = LINKS_MAX, page_token: token } = request.query;
      const after = token === undefined ? undefined : cursorOf(token);
      const page = await links.list(auth.keyOf(request).workspaceId, limit, after);
      const atMs = nowMs();
      return {
        success: true as const,
        links: page.links.map((link) => toView(link, atMs, publicUrl())),
        nextPageToken: page.next === null ? null : tokenOf(page.next),
      };
    },
  );

  app.post(
    PATH,
    {
      onRequest: auth.needs('voice_links:write'),
      ...judgedByRules,
      schema: {
        ...common,
        operationId: 'create_instant_voice_links',
        summary: 'Create instant voice links, one per label: all or none',
        body: CreateBody,
        response: { 200: Created, ...ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const atMs = nowMs();
      const made = judge(() => newInstantLinks(fieldsOf(request.body), workspaceId, atMs));
      await links.create(made);
      const fresh = { sessionsUsed: 0, disabledAtMs: null, updatedAtMs: atMs };
      const views = made.map((link) => toView({ ...link, ...fresh }, atMs, publicUrl()));
      return { success: true as const, links: views };
    },
  );
};

const linkChangeRoutes: FastifyPluginAsyncTypebox<InstantLinkRoutesOptions> = async (
  app,
  { auth, links, nowMs },
) => {
  app.patch(
    `${PATH}/:linkId`,
    {
      onRequest: auth.needs('voice_links:write'),
      ...judgedByRules,
      schema: {
        ...common,
        operationId: 'update_instant_voice_link',
        summary: 'Edit an active link; calls in progress keep what they began with',
        params: OneLink,
        body: PatchBody,
        response: { 200: Success, 404: LinkError, ...ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const link = found(await links.find(workspaceId, request.params.linkId));
      const atMs = nowMs();
      const notActive = () => judge(() => refuseInactive());
      if (instantLinkStatus(link, atMs) !== 'active') notActive();
      const change = judge(() => instantLinkChange(fieldsOf(request.body), atMs));
      if (Object.keys(change).length > 0) {
        // It may have ended since it was read.
        if (!(await links.update(workspaceId, link.id, change, atMs))) notActive();
      }
      return { success: true as const };
    },
  );

  app.post(
    `${PATH}/:linkId/renew`,
    {
      onRequest: auth.needs('voice_links:write'),
      ...judgedByRules,
      schema: {
        ...common,
        operationId: 'renew_instant_voice_link',
        summary: 'Begin anew a link that is over; its address stays',
        params: OneLink,
        body: RenewBody,
        response: { 200: Success, 404: LinkError, ...ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const link = found(await links.find(workspaceId, request.params.linkId));
      const atMs = nowMs();
      const expiry = judge(() => expiryFrom(fieldsOf(request.body).expiryPreset, atMs));
      if (!(await links.renew(workspaceId, link.id, expiry, atMs))) found(null);
      return { success: true as const };
    },
  );
};

const linkEndRoutes: FastifyPluginAsyncTypebox<InstantLinkRoutesOptions> = async (
  app,
  { auth, links, nowMs },
) => {
  app.post(
    `${PATH}/:linkId/disable`,
    {
      onRequest: auth.needs('voice_links:write'),
      schema: {
        ...common,
        operationId: 'disable_instant_voice_link',
        summary: 'Let no new call begin; calls in progress go on',
        params: OneLink,
        response: { 200: Success, 404: LinkError, ...ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const link = found(await links.find(workspaceId, request.params.linkId));
      await links.disable(workspaceId, link.id, nowMs());
      return { success: true as const };
    },
  );

  app.delete(
    `${PATH}/:linkId`,
    {
      onRequest: auth.needs('voice_links:write'),
      schema: {
        ...common,
        operationId: 'delete_instant_voice_link',
        summary: 'Delete a link; calls in progress go on',
        params: OneLink,
        response: { 200: Success, 404: LinkError, ...ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      if (!(await links.remove(workspaceId, request.params.linkId))) found(null);
      return { success: true as const };
    },
  );
};

const Welcome = Type.Object(
  {
    status: oneOf(['active', 'expired', 'used', 'disabled']),
    landingPageTitle: Type.String(),
    landingPageInfo: Type.String(),
    timeLimitMinutes: Type.Number(),
  },
  { title: 'InstantLinkWelcome' },
);

export interface InstantLinkWelcomeOptions {
  readonly door: InstantLinkDoor;
  /** Refuses an address that asks too often. */
  readonly limit: ReturnType<Auth['needs']>;
}

/** What the landing page shows to whoever has the link's address. */
export const instantLinkWelcomeRoutes: FastifyPluginAsyncTypebox<
  InstantLinkWelcomeOptions
> = async (app, { door, limit }) => {
  app.get(
    `${PATH}/public/:token`,
    {
      onRequest: limit,
      schema: {
        tags: ['Instant voice links'],
        security: [],
        operationId: 'get_instant_voice_link_welcome',
        summary: 'Title, info and status of a link, for its landing page',
        params: Type.Object({ token: Type.String({ minLength: 1, maxLength: 100 }) }),
        response: { 200: Welcome, 404: LinkError, 429: LinkError, 503: LinkError },
      },
    },
    async (request) => {
      const welcome = await door.welcome(request.params.token);
      if (welcome === null) throw new HttpError('NOT_FOUND', 'Link not found');
      return { ...welcome };
    },
  );
};

function tokenOf({ createdAtMs, ordinal, id }: InstantLinkCursor): string {
  return toPageToken({ atMs: createdAtMs, id: `${ordinal}_${id}` });
}

function cursorOf(token: string): InstantLinkCursor {
  const { atMs, id } = parsePageToken(token);
  const [, ordinal, linkId] = /^(\d{1,3})_(\w+)$/.exec(id) ?? [];
  if (linkId === undefined)
    throw new HttpError('INVALID_ARGUMENT', 'page_token is not one of ours.');
  return { createdAtMs: atMs, ordinal: Number(ordinal), id: linkId };
}

/** A body that is no object names no field. */
function fieldsOf(body: unknown): Given {
  return typeof body === 'object' && body !== null ? { ...body } : {};
}

/** The sentence of a refusal goes to the client as it is. */
function judge<T>(rule: () => T): T {
  try {
    return rule();
  } catch (error) {
    if (!(error instanceof InstantLinkError)) throw error;
    throw new HttpError('INVALID_ARGUMENT', error.message, { cause: error });
  }
}

function refuseInactive(): never {
  throw new InstantLinkError('NOT_ACTIVE');
}

function found(link: InstantLink | null): InstantLink {
  if (link === null) throw new HttpError('NOT_FOUND', 'Link not found');
  return link;
}

function toView(link: InstantLink, nowMs: number, publicUrl: string): Static<typeof Link> {
  return {
    id: link.id,
    token: link.token,
    label: link.label,
    status: instantLinkStatus(link, nowMs),
    expiryPreset: link.expiryPreset,
    expiresAt: toTime(link.expiresAtMs),
    timeLimitMinutes: link.timeLimitMinutes,
    prompt: link.prompt,
    landingPageTitle: link.landingPageTitle,
    landingPageInfo: link.landingPageInfo,
    createdAt: toTime(link.createdAtMs),
    updatedAt: toTime(link.updatedAtMs),
    url: `${publicUrl}/v/${link.token}`,
    maxSessions: link.sessionsMax,
    usedSessions: link.sessionsUsed,
  };
}
