import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { WebPage } from '../../web/web-pages.ts';

export interface PageRoutesOptions {
  readonly pages: readonly WebPage[];
}

/**
 * Other sites frame the try page and load the button, so neither may be refused to them; what a
 * page itself may do stands in its own policy.
 */
const HELMET = {
  contentSecurityPolicy: false,
  xFrameOptions: false,
  crossOriginResourcePolicy: { policy: 'cross-origin' },
} as const;

/** What people open in a browser. */
export const pageRoutes: FastifyPluginAsyncTypebox<PageRoutesOptions> = async (app, { pages }) => {
  for (const page of pages) {
    const { path, contentType, body, etag, cacheControl, contentSecurityPolicy } = page;
    app.get(path, { helmet: HELMET, schema: { hide: true } }, async (request, reply) => {
      void reply.header('cache-control', cacheControl).header('etag', etag);
      if (contentSecurityPolicy !== null) {
        void reply.header('content-security-policy', contentSecurityPolicy);
        void reply.header('permissions-policy', 'microphone=(self), camera=(), geolocation=()');
      }
      if (isFresh(request.headers['if-none-match'], etag)) return reply.code(304).send();
      return reply.type(contentType).send(body);
    });
  }
};

/** A proxy may have made our tag a weak one (RFC 9110 §13.1.2). */
function isFresh(known: string | undefined, etag: string): boolean {
  return known?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag) ?? false;
}
