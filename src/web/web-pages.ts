import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';

/** One thing to serve by GET and HEAD. */
export interface WebPage {
  /** Route pattern; `:name` is one path segment of any value. */
  readonly path: string;
  readonly contentType: string;
  readonly body: Buffer;
  /** Quoted, as in the header. */
  readonly etag: string;
  readonly cacheControl: string;
  /** Value for `Content-Security-Policy`, null for what is not a document. */
  readonly contentSecurityPolicy: string | null;
}

const FOLDER = new URL('./pages/', import.meta.url);

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
};

/** Documents and fixed addresses change with the next version; the rest has its hash in its path. */
const CACHE_SHORT = 'public, max-age=300';
const CACHE_FOR_EVER = 'public, max-age=31536000, immutable';

const DIRECTIVES = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "media-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
];
/** The embeddable button shows the try page in a frame of any site. */
const POLICY = [...DIRECTIVES, 'frame-ancestors *'].join('; ');
/** A frame of another site would not get the chat's cookie. */
const POLICY_UNFRAMED = [...DIRECTIVES, "frame-ancestors 'none'"].join('; ');

/**
 * Every page and asset, read from disk once; plain modules that browsers run as they are, so
 * nothing is built. Assets live under `/assets/{hash of them all}/`, so their relative imports
 * stay within one version and they may be cached for ever.
 *
 * A page is the same for every agent, known or not: only the offer tells.
 */
export function webPages(): readonly WebPage[] {
  const files = readdirSync(FOLDER)
    .filter((name) => CONTENT_TYPES[extname(name)] !== undefined)
    .toSorted()
    .map((name) => ({ name, body: readFileSync(new URL(name, FOLDER)) }));
  const assets = files.filter(({ name }) => extname(name) !== '.html' && name !== 'embed.js');
  const version = hashOf(Buffer.concat(assets.map(({ body }) => body)));
  const base = `/assets/${version}`;

  const read = (name: string): Buffer => {
    const file = files.find((one) => one.name === name);
    if (file === undefined) throw new TypeError(`the page ${name} is missing`);
    return file.body;
  };
  const document = (name: string) =>
    Buffer.from(read(name).toString('utf8').replaceAll('{{assets}}', base));

  return [
    page('/try/:agentId', '.html', document('try.html'), CACHE_SHORT, POLICY),
    page('/v/:token', '.html', document('link.html'), CACHE_SHORT, POLICY),
    page('/public/chat/:token', '.html', document('chat.html'), CACHE_SHORT, POLICY_UNFRAMED),
    page('/embed.js', '.js', read('embed.js'), CACHE_SHORT, null),
    ...assets.map(({ name, body }) =>
      page(`${base}/${name}`, extname(name), body, CACHE_FOR_EVER, null),
    ),
  ];
}

/** Previews want whole addresses: `{{origin}}` in a document is where we are reached. */
export function atOrigin(one: WebPage, origin: string): WebPage {
  if (one.contentSecurityPolicy === null) return one;
  // What an operator wrote as the address is not markup.
  const escaped = origin.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  const body = Buffer.from(one.body.toString('utf8').replaceAll('{{origin}}', escaped));
  return { ...one, body, etag: `"${hashOf(body)}"` };
}

function page(
  path: string,
  extension: string,
  body: Buffer,
  cacheControl: string,
  contentSecurityPolicy: string | null,
): WebPage {
  return {
    path,
    contentType: CONTENT_TYPES[extension] ?? 'application/octet-stream',
    body,
    etag: `"${hashOf(body)}"`,
    cacheControl,
    contentSecurityPolicy,
  };
}

function hashOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('base64url').slice(0, 16);
}
