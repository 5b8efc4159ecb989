import helmet from '@fastify/helmet';
import {
  type FastifyPluginAsyncTypebox,
  TypeBoxValidatorCompiler,
} from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { randomId } from '../lib/random-id.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { type HttpError, serializeError, toHttpError } from './errors.ts';
import { registerOpenApi } from './openapi.ts';

export interface HttpServerOptions {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  /** Base of our own addresses; asked for late, since an ephemeral port is known late. */
  publicUrl(): string;
  readonly bodyMaxBytes: number;
  readonly requestTimeoutSeconds: number;
  readonly connectionsMax: number;
  readonly trustedProxies: readonly string[];
  /** Routes, each a plugin with its options bound: `callRoutes` and the like. */
  readonly routes: readonly FastifyPluginAsyncTypebox[];
}

const URL_MAX_BYTES = 8192;

/**
 * A server with all its routes, not yet listening: tests call `inject`. Every answer carries
 * `x-request-id`; every error has the shape of its API family, whoever refused the request.
 */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const app = createApp(options);
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, options));
  app.setNotFoundHandler((request, reply) =>
    answerError({ statusCode: 404 }, request, reply, options),
  );
  addHooks(app, options);
  await app.register(helmet, HELMET);
  await registerOpenApi(app, options);
  for (const route of options.routes) await app.register(route);
  return app;
}

function createApp(options: HttpServerOptions): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: options.bodyMaxBytes,
    // Time for a whole request to arrive; also what closes a client that sends a byte a second.
    requestTimeout: options.requestTimeoutSeconds * 1000,
    connectionTimeout: options.requestTimeoutSeconds * 2000,
    // Node looks for slow requests this often; its own half minute would double the wait.
    http: { connectionsCheckingInterval: options.requestTimeoutSeconds * 250 },
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    trustProxy: options.trustedProxies.length === 0 ? false : [...options.trustedProxies],
    genReqId: () => randomId('req'),
    routerOptions: { maxParamLength: 256 },
    schemaErrorFormatter: (errors, part) => {
      const [first] = errors;
      const where = `${part}${(first?.instancePath ?? '').replaceAll('/', '.')}`;
      return new Error(`${where} ${first?.message ?? 'is malformed'}`);
    },
    frameworkErrors: (error, request, reply) => answerError(error, request, reply, options),
    clientErrorHandler: (error, socket) => {
      const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
      const body = JSON.stringify(bodyOf('/', toHttpError({ statusCode: status }), '', options));
      if (!socket.writable) {
        socket.destroy();
        return;
      }
      socket.end(
        `HTTP/1.1 ${status} ${status === 408 ? 'Request Timeout' : 'Bad Request'}\r\n` +
          `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
          `Connection: close\r\n\r\n${body}`,
      );
    },
  });
  app.server.headersTimeout = options.requestTimeoutSeconds * 1000;
  app.server.maxConnections = options.connectionsMax;
  app.server.maxRequestsPerSocket = 10_000;
  return app;
}

/** Pages bring a policy of their own; what is not a page may load and frame nothing. */
const HELMET = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  // TLS is the proxy's; a plain address must stay reachable.
  strictTransportSecurity: false,
  referrerPolicy: { policy: 'no-referrer' as const },
};

function addHooks(app: FastifyInstance, { metrics, log }: HttpServerOptions): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id);
    void reply.header('cache-control', 'no-store');
    if (request.raw.url !== undefined && request.raw.url.length > URL_MAX_BYTES) {
      throw toHttpError({ statusCode: 414 });
    }
  });
  app.addHook('onResponse', async (request, reply) => {
    const seconds = reply.elapsedTime / 1000;
    metrics.httpRequest(request.method, reply.statusCode, seconds);
    // The route's pattern, never the address: an address may hold a token.
    const route = request.routeOptions.url ?? 'unknown';
    const { method, id } = request;
    log.debug({ requestId: id, method, route, status: reply.statusCode, seconds }, 'http');
  });
}

function answerError(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  options: HttpServerOptions,
): void {
  const error = toHttpError(thrown);
  if (error.code === 'INTERNAL') {
    const route = request.routeOptions.url ?? 'unknown';
    options.log.error({ requestId: request.id, route, err: thrown }, 'a request failed');
  }
  if (error.retryAfterSeconds !== null) {
    void reply.header('retry-after', String(error.retryAfterSeconds));
  }
  void reply
    .code(error.status)
    .header('x-request-id', request.id)
    .type('application/json; charset=utf-8')
    // Past the route's serializer: an error has its own shape.
    .serializer(JSON.stringify)
    // An address may be written in many ways; the route is known by its pattern.
    .send(bodyOf(request.routeOptions.url ?? request.url, error, request.id, options));
}

function bodyOf(url: string, error: HttpError, requestId: string, options: HttpServerOptions) {
  return serializeError(url, error, { requestId, publicUrl: options.publicUrl() });
}
