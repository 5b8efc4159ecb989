import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import {
  API_KEYS_MAX,
  type ApiKey,
  type ApiKeyRepository,
  newApiKey,
  type Scope,
} from '../../storage/api-key-repository.ts';
import { type Auth, coversScope, ROUTE_SCOPES } from '../auth.ts';
import { HttpError } from '../errors.ts';
import {
  BODY_ERRORS,
  KEYED,
  nullable,
  oneOf,
  Time,
  toNullableTime,
  toTime,
  V1_ERRORS,
  V1Error,
} from '../shapes.ts';

export interface ApiKeyRoutesOptions {
  readonly auth: Auth;
  readonly apiKeys: Pick<
    ApiKeyRepository,
    'create' | 'findActive' | 'listActive' | 'revoke' | 'rotate'
  >;
  readonly nowMs: () => number;
}

const OVERLAP_SECONDS = 86_400;
const OVERLAP_SECONDS_MAX = 30 * 86_400;

/** Every scope that a route asks for, the whole of each area, and `*` for everything. */
export const SCOPES: readonly Scope[] = [
  '*',
  ...new Set(ROUTE_SCOPES.map((scope): Scope => `${scope.slice(0, scope.indexOf(':'))}:*`)),
  ...ROUTE_SCOPES,
];

const Mode = oneOf(['live', 'test'], {
  description: 'The calls of a test key are simulated, and it sees no others.',
});
const KEY_FIELDS = {
  key_id: Type.String(),
  label: Type.String(),
  mode: Mode,
  prefix: Type.String({ description: 'How the key begins; the rest is not kept.' }),
  scopes: Type.Array(Type.String()),
  created_at: Time,
  expires_at: nullable(Time),
};
const Key = Type.Object(KEY_FIELDS, { title: 'ApiKey' });
/** The only answers that hold a key. */
export const NewKey = Type.Object(
  { ...KEY_FIELDS, key: Type.String({ description: 'Shown this once.' }) },
  { title: 'NewApiKey' },
);
const KeyList = Type.Object({ keys: Type.Array(Key) }, { title: 'ApiKeyList' });

const CreateBody = Type.Object(
  {
    label: Type.String({ minLength: 1, maxLength: 100, pattern: '\\S' }),
    scopes: Type.Array(oneOf(SCOPES), { minItems: 1, maxItems: 50 }),
    mode: Type.Optional(Mode),
  },
  { additionalProperties: false },
);
const RotateBody = Type.Object(
  {
    overlap_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: OVERLAP_SECONDS_MAX,
        default: OVERLAP_SECONDS,
        description: 'How long the old key stays valid.',
      }),
    ),
  },
  { additionalProperties: false },
);
const OneKey = Type.Object({ key_id: Type.String({ minLength: 1, maxLength: 100 }) });
const common = { tags: ['Keys'], security: KEYED };

export const apiKeyRoutes: FastifyPluginAsyncTypebox<ApiKeyRoutesOptions> = async (
  app,
  options,
) => {
  await app.register(allKeysRoutes, options);
  await app.register(oneKeyRoutes, options);
};

const allKeysRoutes: FastifyPluginAsyncTypebox<ApiKeyRoutesOptions> = async (
  app,
  { auth, apiKeys, nowMs },
) => {
  app.get(
    '/v1/keys',
    {
      onRequest: auth.needs('keys:read'),
      schema: {
        ...common,
        operationId: 'list_keys',
        summary: 'Keys that are valid, oldest first, each by how it begins',
        response: { 200: KeyList, ...V1_ERRORS },
      },
    },
    async (request) => {
      const keys = await apiKeys.listActive(auth.keyOf(request).workspaceId);
      return { keys: keys.map(toView) };
    },
  );

  app.post(
    '/v1/keys',
    {
      onRequest: auth.needs('keys:write'),
      schema: {
        ...common,
        operationId: 'create_key',
        summary: 'Make a key, shown this once',
        description: 'A key gives no scope that it lacks itself.',
        body: CreateBody,
        response: { 201: NewKey, ...BODY_ERRORS, 409: V1Error, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const mine = auth.keyOf(request);
      const label = request.body.label.trim();
      mustCover(mine, request.body.scopes);
      const mode = request.body.mode ?? modeOf(mine);
      mustNotBeTest(mine, mode);
      const others = await apiKeys.listActive(mine.workspaceId);
      if (others.length >= API_KEYS_MAX || others.some((other) => other.label === label)) {
        const why = others.length >= API_KEYS_MAX ? 'Too many keys.' : 'A key has that label.';
        throw new HttpError('ALREADY_EXISTS', why);
      }
      const key = newApiKey(mode);
      const scopes = [...new Set(request.body.scopes)];
      const { workspaceId } = mine;
      const made = await apiKeys.create(key, { workspaceId, label, scopes }, nowMs());
      return reply.code(201).send({ ...toView(made), key });
    },
  );
};

const oneKeyRoutes: FastifyPluginAsyncTypebox<ApiKeyRoutesOptions> = async (
  app,
  { auth, apiKeys, nowMs },
) => {
  const existing = async (mine: ApiKey, id: string) => {
    const key = await apiKeys.findActive(mine.workspaceId, id);
    if (key === null) throw new HttpError('NOT_FOUND', 'There is no such key.');
    return key;
  };

  app.post(
    '/v1/keys/:key_id/rotate',
    {
      onRequest: auth.needs('keys:write'),
      schema: {
        ...common,
        operationId: 'rotate_key',
        summary: 'Make a successor; the old key stays valid for a while',
        params: OneKey,
        body: RotateBody,
        response: { 201: NewKey, ...BODY_ERRORS, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const mine = auth.keyOf(request);
      const old = await existing(mine, request.params.key_id);
      mustCover(mine, old.scopes);
      mustNotBeTest(mine, modeOf(old));
      const key = newApiKey(modeOf(old));
      const atMs = nowMs();
      const overlapMs = (request.body.overlap_seconds ?? OVERLAP_SECONDS) * 1000;
      const made = await apiKeys.rotate(old, key, atMs + overlapMs, atMs);
      if (made === null) throw new HttpError('NOT_FOUND', 'There is no such key.');
      return reply.code(201).send({ ...toView(made), key });
    },
  );

  app.delete(
    '/v1/keys/:key_id',
    {
      onRequest: auth.needs('keys:write'),
      schema: {
        ...common,
        operationId: 'revoke_key',
        summary: 'Revoke a key at once; calls in progress go on',
        params: OneKey,
        response: { 204: Type.Null(), 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const key = await existing(auth.keyOf(request), request.params.key_id);
      await apiKeys.revoke(key.workspaceId, key.id, nowMs());
      return reply.code(204).send(null);
    },
  );
};

/** Nobody makes, or by rotation learns, a key that may do more than his own. */
function mustCover({ scopes: held }: ApiKey, wanted: readonly Scope[]): void {
  const missing = wanted.find((scope) => !coversScope(held, scope));
  if (missing === undefined) return;
  throw new HttpError(
    'PERMISSION_DENIED',
    `This needs a key that has the scope ${missing} itself.`,
  );
}

function modeOf({ isTest }: ApiKey): 'live' | 'test' {
  return isTest ? 'test' : 'live';
}

/** Whoever only tries gets no key that calls for real. */
function mustNotBeTest(mine: ApiKey, mode: 'live' | 'test'): void {
  if (mine.isTest && mode === 'live') {
    throw new HttpError('PERMISSION_DENIED', 'A test key makes test keys only.');
  }
}

/** A key as its owner sees it later. */
export function toView(key: ApiKey): Static<typeof Key> {
  return {
    key_id: key.id,
    label: key.label,
    mode: modeOf(key),
    prefix: key.prefix,
    scopes: [...key.scopes],
    created_at: toTime(key.createdAtMs),
    expires_at: toNullableTime(key.expiresAtMs),
  };
}
