import { createHash } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Metrics } from '../../observability/metrics.ts';
import { ERROR_CATALOG } from '../errors.ts';
import { oneOf } from '../shapes.ts';

/** Whether the daemon takes calls, and if not wholly, why. */
export interface HealthReport {
  readonly status: 'ok' | 'degraded' | 'draining';
  readonly reasons: readonly string[];
}

export interface OperationRoutesOptions {
  readonly metrics: Metrics;
  readonly health: () => HealthReport;
}

const Health = Type.Object(
  { status: oneOf(['ok', 'degraded', 'draining']), reasons: Type.Array(Type.String()) },
  { title: 'Health' },
);

/** What an operator's tools and a curious developer read. None of it needs a key. */
export const operationRoutes: FastifyPluginAsyncTypebox<OperationRoutesOptions> = async (
  app,
  { metrics, health },
) => {
  app.get(
    '/health',
    {
      schema: {
        operationId: 'health',
        summary: 'Whether calls are taken: 503 while draining',
        tags: ['Operation'],
        security: [],
        response: { 200: Health, 503: Health },
      },
    },
    async (_, reply) => {
      const { status, reasons } = health();
      return reply.code(status === 'draining' ? 503 : 200).send({ status, reasons: [...reasons] });
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'metrics',
        summary: 'Figures in the Prometheus text format',
        tags: ['Operation'],
        security: [],
        response: { 200: Type.String() },
      },
    },
    async (_, reply) => {
      const text = await metrics.text();
      return reply.type(metrics.contentType).serializer(String).send(text);
    },
  );

  app.get('/docs', { schema: { hide: true } }, async (_, reply) => {
    const page = docsPage(app.swagger());
    return reply
      .header('content-security-policy', `default-src 'none'; style-src '${STYLE_HASH}'`)
      .type('text/html; charset=utf-8')
      .send(page);
  });
};

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
code { font-family: ui-monospace, monospace; } dt { margin-top: 1rem; } dd { margin: 0 0 0 1rem; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } a { color: #9cf; } }
`;
const STYLE_HASH = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`;

interface Description {
  readonly paths?: object;
}

/** A page that lists the operations and the error codes. It loads nothing else. */
function docsPage({ paths }: Description): string {
  const operations = Object.entries(paths ?? {}).flatMap(([path, methods]: [string, object]) =>
    Object.entries(methods).map(([method, operation]: [string, { summary?: string }]) => {
      const name = `${method.toUpperCase()} ${path}`;
      return `<dt><code>${escapeHtml(name)}</code></dt><dd>${escapeHtml(operation.summary ?? '')}</dd>`;
    }),
  );
  const errors = Object.entries(ERROR_CATALOG).map(
    ([code, { status, message }]) =>
      `<dt id="${code}"><code>${status} ${code}</code></dt><dd>${escapeHtml(message)}</dd>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trunkline API</title><style>${STYLE}</style></head>
<body>
<h1>Trunkline API</h1>
<p>The whole description is <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).
Operations under <code>/v1</code> take <code>Authorization: Bearer pk_live_…</code>.</p>
<h2>Operations</h2><dl>${operations.join('\n')}</dl>
<h2>Errors</h2><dl>${errors.join('\n')}</dl>
</body></html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
