import assert from 'node:assert/strict';
import { webPages } from '../../../src/web/web-pages.ts';

describe('the web pages', () => {
  const pages = webPages();
  const tryPage = pages.find(({ path }) => path === '/try/:agentId');
  const assets = pages.filter(({ path }) => path.startsWith('/assets/'));

  it('hold everything that the try page and its modules ask for', () => {
    const html = tryPage?.body.toString() ?? '';
    const wanted = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
    assert.ok(wanted.length >= 3);
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
    const html = tryPage?.body.toString() ?? '';
    assert.doesNotMatch(html, /https?:\/\/|<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
    assert.match(tryPage?.contentSecurityPolicy ?? '', /default-src 'none'/);
    assert.doesNotMatch(tryPage?.contentSecurityPolicy ?? '', /unsafe|https?:/);
  });

  it('are cached for ever only under a path that changes with them', () => {
    for (const { path, cacheControl } of pages) {
      assert.equal(cacheControl.includes('immutable'), path.startsWith('/assets/'), path);
    }
  });

  it('are small', () => {
    const bytes = pages.reduce((sum, { body }) => sum + body.length, 0);
    assert.ok(bytes < 60_000, `${bytes} bytes`);
  });
});
