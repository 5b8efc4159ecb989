import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { randomId } from '../../lib/random-id.ts';
import type { Delivery, WebhookRepository } from '../../storage/webhook-repository.ts';
import type {
  WebhookSecret,
  WebhookSecretRepository,
} from '../../storage/webhook-secret-repository.ts';
import { EVENT_TYPES } from '../../webhooks/webhook-event.ts';
import type { WebhookSender } from '../../webhooks/webhook-sender.ts';
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
  toNullableTime,
  toTime,
  V1_ERRORS,
  V1Error,
  WebhookUrl,
} from '../shapes.ts';

export interface WebhookRoutesOptions {
  readonly auth: Auth;
  readonly deliveries: Pick<WebhookRepository, 'list' | 'redeliver'>;
  readonly secrets: WebhookSecretRepository;
  readonly sender: () => Pick<WebhookSender, 'attempt' | 'wake'>;
  readonly headerPrefix: string;
  readonly nowMs: () => number;
}

const STATUSES = ['pending', 'delivered', 'failed'] as const;
const OVERLAP_SECONDS = 86_400;
const strict = { additionalProperties: false };

const Secret = Type.Object(
  {
    secret_id: Type.String(),
    created_at: Time,
    previous_expires_at: nullable(
      Type.String({
        description: 'Until then the secret before it signs, and this one beside it.',
      }),
    ),
    signature_header: Type.String(),
    timestamp_header: Type.String(),
  },
  { title: 'WebhookSecret' },
);
/** The only answer that holds a secret. */
const NewSecret = Type.Object(
  { ...Secret.properties, signing_secret: Type.String({ description: 'Shown this once.' }) },
  { title: 'NewWebhookSecret' },
);
const RotateBody = Type.Object(
  {
    overlap_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 30 * 86_400,
        default: OVERLAP_SECONDS,
        description: 'How long the old secret goes on signing.',
      }),
    ),
  },
  strict,
);
const TestBody = Type.Object(
  { webhook_url: WebhookUrl, event_type: Type.Optional(oneOf(EVENT_TYPES)) },
  strict,
);
const Tested = Type.Object(
  {
    delivery_id: Type.String(),
    status: oneOf(['delivered', 'failed']),
    event_type: Type.String(),
    response_code: nullable(Type.Integer()),
    response_time_ms: Type.Integer(),
    failure: nullable(Type.String()),
  },
  { title: 'WebhookTest' },
);
const DeliveryView = Type.Object(
  {
    delivery_id: Type.String(),
    event_id: Type.String(),
    event_type: Type.String(),
    redelivery_of: nullable(Type.String()),
    agent_id: nullable(Type.String()),
    call_id: nullable(Type.String()),
    webhook_url: Type.String(),
    status: oneOf(STATUSES),
    attempts: Type.Integer(),
    next_attempt_at: nullable(Time),
    response_code: nullable(Type.Integer()),
    response_time_ms: nullable(Type.Integer()),
    failure: nullable(
      Type.String({ description: 'Of the last attempt, and why it was the last.' }),
    ),
    created_at: Time,
    finished_at: nullable(Time),
  },
  { title: 'WebhookDelivery' },
);
const DeliveryPage = Type.Object(
  { deliveries: Type.Array(DeliveryView), next_page_token: nullable(Type.String()) },
  { title: 'WebhookDeliveryPage' },
);
const ListQuery = Type.Object(
  {
    ...PAGE_QUERY,
    status: Type.Optional(oneOf(STATUSES)),
    event_type: Type.Optional(oneOf(EVENT_TYPES)),
    call_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
  },
  strict,
);
const OneDelivery = Type.Object({ delivery_id: Type.String({ minLength: 1, maxLength: 100 }) });
const common = { tags: ['Webhooks'], security: KEYED };

/** How events are signed, whether they arrive, and one to try it with. */
export const webhookRoutes: FastifyPluginAsyncTypebox<WebhookRoutesOptions> = async (
  app,
  options,
) => {
  await app.register(secretRoutes, options);
  await app.register(testRoutes, options);
  await app.register(deliveryRoutes, options);
};

const secretRoutes: FastifyPluginAsyncTypebox<WebhookRoutesOptions> = async (app, options) => {
  const { auth, secrets, headerPrefix, nowMs } = options;
  const toView = (current: WebhookSecret, previous: WebhookSecret | undefined) => ({
    secret_id: current.id,
    created_at: toTime(current.createdAtMs),
    previous_expires_at: toNullableTime(previous?.expiresAtMs ?? null),
    signature_header: `${headerPrefix}-Signature`,
    timestamp_header: `${headerPrefix}-Timestamp`,
  });

  app.get(
    '/v1/webhooks/secret',
    {
      onRequest: auth.needs('webhooks:read'),
      schema: {
        ...common,
        operationId: 'get_webhook_secret',
        summary: 'What events are signed with, but for the secret itself',
        response: { 200: Secret, ...V1_ERRORS },
      },
    },
    async (request) => {
      const valid = await secrets.valid(auth.keyOf(request).workspaceId, nowMs());
      const current = valid.at(-1);
      if (current === undefined) throw new TypeError('a workspace has a secret');
      return toView(current, valid.at(-2));
    },
  );

  app.post(
    '/v1/webhooks/secret/rotate',
    {
      onRequest: auth.needs('webhooks:write'),
      schema: {
        ...common,
        operationId: 'rotate_webhook_secret',
        summary: 'A new signing secret, shown this once',
        description:
          'While the old one is valid it goes on signing, and the new one signs in a header that ' +
          'ends in `-Signature-Next`.',
        body: RotateBody,
        response: { 201: NewSecret, ...BODY_ERRORS, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const { workspaceId } = auth.keyOf(request);
      const atMs = nowMs();
      const overlapMs = (request.body.overlap_seconds ?? OVERLAP_SECONDS) * 1000;
      const made = await secrets.rotate(workspaceId, atMs + overlapMs, atMs);
      const previous = (await secrets.valid(workspaceId, atMs)).at(-2);
      return reply.code(201).send({ ...toView(made, previous), signing_secret: made.secret });
    },
  );
};

const testRoutes: FastifyPluginAsyncTypebox<WebhookRoutesOptions> = async (app, options) => {
  const { auth, sender, nowMs } = options;

  app.post(
    '/v1/webhooks/test',
    {
      onRequest: auth.needs('webhooks:write'),
      schema: {
        ...common,
        operationId: 'test_webhook',
        summary: 'Send a signed event now, once, and say what came back',
        body: TestBody,
        response: { 200: Tested, ...BODY_ERRORS, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { workspaceId } = auth.keyOf(request);
      const { webhook_url: url, event_type: eventType = 'call.completed' } = request.body;
      const id = randomId('del');
      const body = JSON.stringify({
        event_id: randomId('evt'),
        event_type: eventType,
        created_at: toTime(nowMs()),
        payload: { call_id: 'call_test', workspace_id: workspaceId, is_test: true },
      });
      const result = await sender().attempt({ id, url, workspaceId, eventType, attempts: 1, body });
      const isDelivered = result.status === 'delivered';
      return {
        delivery_id: id,
        status: isDelivered ? ('delivered' as const) : ('failed' as const),
        event_type: eventType,
        response_code: result.responseCode,
        response_time_ms: Math.round(result.responseTimeMs),
        failure: result.failure,
      };
    },
  );
};

const deliveryRoutes: FastifyPluginAsyncTypebox<WebhookRoutesOptions> = async (app, options) => {
  const { auth, deliveries, sender, nowMs } = options;

  app.get(
    '/v1/webhooks/deliveries',
    {
      onRequest: auth.needs('webhooks:read'),
      schema: {
        ...common,
        operationId: 'list_webhook_deliveries',
        summary: 'Events that were sent or wait to be, newest first',
        querystring: ListQuery,
        response: { 200: DeliveryPage, ...V1_ERRORS },
      },
    },
    async (request) => {
      const { status, event_type: eventType, call_id: callId } = request.query;
      const { workspaceId } = auth.keyOf(request);
      const page = await pageOf(
        request.query,
        (limit, after) =>
          deliveries.list(
            workspaceId,
            { status, eventType, callId },
            limit,
            after && { createdAtMs: after.atMs, id: after.id },
          ),
        (item) => item.createdAtMs,
      );
      return { deliveries: page.items.map(toView), next_page_token: page.nextPageToken };
    },
  );

  app.post(
    '/v1/webhooks/deliveries/:delivery_id/redeliver',
    {
      onRequest: auth.needs('webhooks:write'),
      schema: {
        ...common,
        operationId: 'redeliver_webhook',
        summary: 'Send the same event again, to the same address and with the same event_id',
        params: OneDelivery,
        response: { 202: DeliveryView, 404: V1Error, ...V1_ERRORS },
      },
    },
    async (request, reply) => {
      const { workspaceId } = auth.keyOf(request);
      const { delivery_id: id } = request.params;
      const made = await deliveries.redeliver(workspaceId, id, nowMs());
      if (made === null) throw new HttpError('NOT_FOUND', 'There is no such delivery.');
      sender().wake();
      return reply.code(202).send(toView(made));
    },
  );
};

function toView(delivery: Delivery): Static<typeof DeliveryView> {
  return {
    delivery_id: delivery.id,
    event_id: delivery.eventId,
    event_type: delivery.eventType,
    redelivery_of: delivery.redeliveryOf,
    agent_id: delivery.agentId,
    call_id: delivery.callId,
    webhook_url: delivery.url,
    status: delivery.status,
    attempts: delivery.attempts,
    next_attempt_at: delivery.status === 'pending' ? toTime(delivery.nextAttemptAtMs) : null,
    response_code: delivery.responseCode,
    response_time_ms: delivery.responseTimeMs,
    failure: delivery.failure,
    created_at: toTime(delivery.createdAtMs),
    finished_at: toNullableTime(delivery.finishedAtMs),
  };
}
