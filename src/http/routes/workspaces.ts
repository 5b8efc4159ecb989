import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { randomId } from '../../lib/random-id.ts';
import { asWorkspaceId, type WorkspaceId } from '../../model/ids.ts';
import { type ApiKeyRepository, newApiKey } from '../../storage/api-key-repository.ts';
import type { Workspace, WorkspaceRepository } from '../../storage/workspace-repository.ts';
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
  WebhookUrl,
} from '../shapes.ts';
import { NewKey, toView as toKeyView } from './api-keys.ts';

export interface WorkspaceRoutesOptions {
  readonly auth: Auth;
  readonly workspaces: WorkspaceRepository;
  readonly apiKeys: Pick<ApiKeyRepository, 'create'>;
  readonly nowMs: () => number;
  /** The type of a workspace decides what its next call costs. */
  readonly onWorkspaceChanged?: (id: WorkspaceId) => void;
}

const WorkspaceName = Type.String({ minLength: 1, maxLength: 100, pattern: '\\S' });
const WorkspaceTypeName = oneOf(['standard', 'demo'], {
  description: 'The calls of a demo workspace are real and cost nothing.',
});
const WorkspaceView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    type: WorkspaceTypeName,
    webhook_url: nullable(WebhookUrl),
    created_at: Time,
    updated_at: Time,
  },
  { title: 'Workspace' },
);
const WorkspacePage = Type.Object(
  { workspaces: Type.Array(WorkspaceView), next_page_token: nullable(Type.String()) },
  { title: 'WorkspacePage' },
);
const CreatedWorkspace = Type.Object(
  { workspace: WorkspaceView, key: NewKey },
  { title: 'CreatedWorkspace' },
);
const strict = { additionalProperties: false };
const OwnPatch = Type.Partial(
  Type.Object({ name: WorkspaceName, webhook_url: nullable(WebhookUrl) }),
  strict,
);
const CreateBody = Type.Object(
  { name: WorkspaceName, type: Type.Optional(WorkspaceTypeName) },
  strict,
);
const OperatorPatch = Type.Partial(
  Type.Object({ name: WorkspaceName, type: WorkspaceTypeName }),
  strict,
);
const OneWorkspace = Type.Object({ workspace_id: Type.String({ minLength: 1, maxLength: 100 }) });

/** A workspace as its owner sees it, and all of them as the daemon's operator does. */
export const workspaceRoutes: FastifyPluginAsyncTypebox<WorkspaceRoutesOptions> = async (
  app,
  options,
) => {
  await app.register(ownWorkspaceRoutes, options);
  await app.register(operatorRoutes, options);
  await app.register(anyWorkspaceRoutes, options);
};

const ownWorkspaceRoutes: FastifyPluginAsyncTypebox<WorkspaceRoutesOptions> = async (
  app,
  { auth, workspaces, nowMs },
) => {
  const common = { tags: ['Workspace'], security: KEYED };

  app.get(
    '/v1/workspace',
    {
      onRequest: auth.needs('workspace:read'),
      schema: {
        ...common,
        operationId: 'get_workspace',
        summary: 'The workspace of the key',
        response: { 200: WorkspaceView, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request) => toView(found(await workspaces.find(auth.keyOf(request).workspaceId))),
  );

  app.patch(
    '/v1/workspace',
    {
      onRequest: auth.needs('workspace:write'),
      schema: {
        ...common,
        operationId: 'update_workspace',
        summary: 'Change its name, or where events of its calls go',
        body: OwnPatch,
        response: { 200: WorkspaceView, ...BODY_ERRORS, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const { name, webhook_url: webhookUrl } = request.body;
      const isEmpty = name === undefined && webhookUrl === undefined;
      return toView(
        found(
          isEmpty
            ? await workspaces.find(workspaceId)
            : await workspaces.update(workspaceId, { name, webhookUrl }, nowMs()),
        ),
      );
    },
  );
};

/** Scopes `workspaces:…` are held by keys of the operator's workspace alone. */
const operatorRoutes: FastifyPluginAsyncTypebox<WorkspaceRoutesOptions> = async (
  app,
  { auth, workspaces, apiKeys, nowMs },
) => {
  const common = { tags: ['Operator'], security: KEYED };

  app.get(
    '/v1/workspaces',
    {
      onRequest: auth.needs('workspaces:read'),
      schema: {
        ...common,
        operationId: 'list_workspaces',
        summary: 'All workspaces, oldest first',
        querystring: Type.Object(PAGE_QUERY, strict),
        response: { 200: WorkspacePage, ...V1_ERRORS },
      },
    },
    async (request) => {
      const page = await pageOf(
        request.query,
        (limit, after) =>
          workspaces.list(limit, after && { createdAtMs: after.atMs, id: after.id }),
        (item) => item.createdAtMs,
      );
      return { workspaces: page.items.map(toView), next_page_token: page.nextPageToken };
    },
  );

  app.post(
    '/v1/workspaces',
    {
      onRequest: auth.needs('workspaces:write'),
      schema: {
        ...common,
        operationId: 'create_workspace',
        summary: 'Make a workspace and its first key, shown this once',
        body: CreateBody,
        response: { 201: CreatedWorkspace, ...BODY_ERRORS, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const id = asWorkspaceId(randomId('ws'));
      const { name, type = 'standard' } = request.body;
      const atMs = nowMs();
      await workspaces.create({ id, name: name.trim(), type }, atMs);
      const key = newApiKey('live');
      const owner = { workspaceId: id, label: 'owner', scopes: ['*'] } as const;
      const made = await apiKeys.create(key, owner, atMs);
      const workspace = toView(found(await workspaces.find(id)));
      return reply.code(201).send({ workspace, key: { ...toKeyView(made), key } });
    },
  );
};

const anyWorkspaceRoutes: FastifyPluginAsyncTypebox<WorkspaceRoutesOptions> = async (
  app,
  { auth, workspaces, nowMs, onWorkspaceChanged },
) => {
  const common = { tags: ['Operator'], security: KEYED };

  app.patch(
    '/v1/workspaces/:workspace_id',
    {
      onRequest: auth.needs('workspaces:write'),
      schema: {
        ...common,
        operationId: 'update_any_workspace',
        summary: 'Change name or type; calls that have ended keep their price',
        params: OneWorkspace,
        body: OperatorPatch,
        response: { 200: WorkspaceView, ...BODY_ERRORS, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request) => {
      const id = asWorkspaceId(request.params.workspace_id);
      if (Object.keys(request.body).length === 0) return toView(found(await workspaces.find(id)));
      const changed = found(await workspaces.update(id, request.body, nowMs()));
      onWorkspaceChanged?.(id);
      return toView(changed);
    },
  );
};

function found(workspace: Workspace | null): Workspace {
  if (workspace === null) throw new HttpError('NOT_FOUND', 'There is no such workspace.');
  return workspace;
}

function toView(workspace: Workspace): Static<typeof WorkspaceView> {
  return {
    id: workspace.id,
    name: workspace.name,
    type: workspace.type,
    webhook_url: workspace.webhookUrl,
    created_at: toTime(workspace.createdAtMs),
    updated_at: toTime(workspace.updatedAtMs),
  };
}
