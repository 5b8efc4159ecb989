import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';

export interface OpenApiOptions {
  readonly version: string;
}

/** Describes the routes that are registered after it, at `GET /openapi.json`. */
export async function registerOpenApi(
  app: FastifyInstance,
  { version }: OpenApiOptions,
): Promise<void> {
  await app.register(swagger, {
    refResolver: {
      // Shared shapes keep the names that they were given.
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json.$id === 'string' ? json.$id : `def-${index}`,
    },
    transform: ({ schema, url }) => ({ schema: withBodyErrors(schema), url }),
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Trunkline',
        version,
        description: 'Telephony gateway for voice agents.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      // A relative address: the document is true wherever it was read.
      servers: [{ url: '/' }],
      components: {
        securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'pk_live_…' } },
      },
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, async (_, reply) => {
    void reply.header('cache-control', 'public, max-age=60');
    return app.swagger();
  });
}

/** What the server itself may say to a body: in the shape that the route has for one it refuses. */
const BODY_STATUSES = [413, 415, 500];

function withBodyErrors(schema: FastifySchema): FastifySchema {
  const { body, response } = schema;
  if (body === undefined || typeof response !== 'object' || response === null) return schema;
  const refused = new Map(Object.entries(response)).get('400');
  if (refused === undefined) return schema;
  const added = Object.fromEntries(BODY_STATUSES.map((status) => [status, refused]));
  return { ...schema, response: { ...added, ...response } };
}
