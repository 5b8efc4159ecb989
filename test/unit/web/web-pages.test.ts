import assert from 'node:assert/strict';
import { atOrigin, webPages } from '../../../src/web/web-pages.ts';

describe('the web pages', () => {
  const pages = webPages();
  const documents = pages.filter(({ contentSecurityPolicy }) => contentSecurityPolicy !== null);
  const assets = pages.filter(({ path }) => path.startsWith('/assets/'));

  it('are the try page, the page of an instant link and the chat page', () => {
    assert.deepEqual(
      documents.map(({ path }) => path),
      ['/try/:agentId', '/v/:token', '/public/chat/:token'],
    );
  });

  it('hold everything that the pages and their modules ask for', () => {
    const wanted = documents.flatMap(({ body }) =>
      [...body.toString().matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]),
    );
    assert.ok(wanted.length >= 7);
    for (const path of wanted)
      assert.ok(
        pages.some((page) => page.path === path),
        path,
      );
    for (const { path, body } of assets) {
      for (const [, name] of body.toString().matchAll(/from '\.\/([^']+)'/g)) {
        const wantedPath = path.replace(/[^/]+$/, name ?? '');
        assert.ok(
          pages.some((page) => page.path === wantedPath),
          wantedPath,
        );
      }
    }
  });

  it('load nothing from elsewhere and run nothing inline', () => {
    for (const { body, contentSecurityPolicy: policy } of documents) {
      const html = body.toString();
      assert.doesNotMatch(html, /https?:\/\/|<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
      assert.match(policy ?? '', /default-src 'none'/);
      assert.doesNotMatch(policy ?? '', /unsafe|https?:/);
    }
  });

  it('let no other site frame the chat, whose cookie it would not get', () => {
    const chat = documents.find(({ path }) => path === '/public/chat/:token');
    assert.match(chat?.contentSecurityPolicy ?? '', /frame-ancestors 'none'/);
  });

  it('are cached for ever only under a path that changes with them', () => {
    for (const { path, cacheControl } of pages) {
      assert.equal(cacheControl.includes('immutable'), path.startsWith('/assets/'), path);
    }
  });

  it('are small', () => {
    // The picture of previews is fetched by no page.
    const sizes = pages.map(({ path, body }) => (path.endsWith('.png') ? 0 : body.length));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(bytes < 90_000, `${bytes} bytes`);
  });

  it('show a preview with a picture of ours, at a whole address', () => {
    for (const page of documents) {
      const { body, etag } = atOrigin(page, 'https://voice.example.org');
      const html = body.toString();
      const [, image = ''] =
        /property="og:image" content="https:\/\/voice\.example\.org([^"]+)"/.exec(html) ?? [];
      assert.equal(pages.find(({ path }) => path === image)?.contentType, 'image/png', page.path);
      assert.match(html, /name="twitter:card" content="summary_large_image"/);
      assert.match(html, /property="og:title"/);
      assert.doesNotMatch(html, /\{\{/);
      assert.notEqual(etag, page.etag);
    }
  });
});
