import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { onRequestAsyncHookHandler } from 'fastify';
import { Type } from 'typebox';
import { qrCodePng, qrCodeSvg } from '../../web/qr-code.ts';
import { atOrigin, type WebPage } from '../../web/web-pages.ts';

export interface PageRoutesOptions {
  readonly pages: readonly WebPage[];
  /** Base of our own addresses, without a slash at its end; asked for once we listen. */
  readonly publicUrl: () => string;
  /** Refuses an address that asks for too many pictures. */
  readonly limit: onRequestAsyncHookHandler;
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

/** Pages whose address can be had as a picture. */
const SHARED = ['/try/', '/v/', '/public/chat/'] as const;
const CACHE_A_DAY = 'public, max-age=86400';
const OneLink = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) });

/** What people open in a browser. */
export const pageRoutes: FastifyPluginAsyncTypebox<PageRoutesOptions> = async (app, options) => {
  const { pages, publicUrl, limit } = options;
  for (const unplaced of pages) {
    let placed: WebPage | null = null;
    app.get(unplaced.path, { helmet: HELMET, schema: { hide: true } }, async (request, reply) => {
      placed ??= atOrigin(unplaced, publicUrl());
      const { contentType, body, etag, cacheControl, contentSecurityPolicy } = placed;
      void reply.header('cache-control', cacheControl).header('etag', etag);
      if (contentSecurityPolicy !== null) {
        void reply.header('content-security-policy', contentSecurityPolicy);
        void reply.header('permissions-policy', 'microphone=(self), camera=(), geolocation=()');
      }
      if (isFresh(request.headers['if-none-match'], etag)) return reply.code(304).send();
      return reply.type(contentType).send(body);
    });
  }

  for (const path of SHARED) {
    // The same for every link, known or not: a code says nothing but the address.
    const address = (id: string) => `${publicUrl()}${path}${encodeURIComponent(id)}`;
    const route = { onRequest: limit, schema: { hide: true, params: OneLink } };
    app.get(`${path}:id/qr.svg`, route, async (request, reply) => {
      void reply.header('cache-control', CACHE_A_DAY).type('image/svg+xml');
      return reply.send(qrCodeSvg(address(request.params.id)));
    });
    app.get(`${path}:id/qr.png`, route, async (request, reply) => {
      void reply.header('cache-control', CACHE_A_DAY).type('image/png');
      return reply.send(qrCodePng(address(request.params.id)));
    });
  }
};

/** A proxy may have made our tag a weak one (RFC 9110 §13.1.2). */
function isFresh(known: string | undefined, etag: string): boolean {
  return known?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag) ?? false;
}
