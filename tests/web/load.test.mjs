// The first second: what is sent, what is seen, what is said.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { BASE, KINDS, launch, serveDist, visit } from './support/browser.mjs';

/** Milliseconds from the start of the navigation until the table stands, and the first paint. */
const TIMES = () =>
  new Promise((done) => {
    const rows = () => document.querySelectorAll('tbody tr').length;
    const look = () => {
      if (rows() >= 17) {
        requestAnimationFrame(() => {
          const paint = performance.getEntriesByName('first-contentful-paint')[0];
          done({ table: performance.now(), paint: paint?.startTime ?? performance.now() });
        });
      } else requestAnimationFrame(look);
    };
    look();
  });

for (const kind of Object.keys(KINDS)) {
  describe(`first load, ${kind}`, () => {
    let browser;
    let server;
    before(async () => {
      browser = await launch(kind);
      server = await serveDist();
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });

    test('below a sub-path, in silence, nothing from elsewhere', async () => {
      const { page, complaints, close } = await visit(browser, server);
      await page.getByRole('heading', { level: 1 }).waitFor();
      assert.notEqual(await page.title(), '');
      assert.ok(server.requests.every((path) => path.startsWith(BASE)), 'all below the sub-path');
      assert.deepEqual(complaints, []);
      await close();
    });

    test('nothing but the shell is sent before it is asked for', async () => {
      server.requests.length = 0;
      const { page, close } = await visit(browser, server);
      await page.locator('tbody tr').nth(16).waitFor();
      await page.waitForLoadState('networkidle');
      const early = server.requests.filter((path) =>
        /tokenizer|worker_bg|trainer|view-|\.safetensors|\.npy/.test(path),
      );
      assert.deepEqual(early, []);
      await close();
    });

    test('the full table of sizes from a cold start, timed', async (context) => {
      // Every visit is new to its browser context: nothing is cached. The best of a few, as the
      // machine may be busy with something else; the goal is a second for both.
      const visits = [];
      for (let i = 0; i < 3; i += 1) {
        const { page, close } = await visit(browser, server);
        visits.push(await page.evaluate(TIMES));
        await close();
      }
      const best = (name) => Math.round(Math.min(...visits.map((times) => times[name])));
      context.diagnostic(`table after ${best('table')} ms, first paint after ${best('paint')} ms`);
      assert.ok(best('table') < 1000 && best('paint') < 1000, JSON.stringify(visits));
    });

    test('title, description, icon and tags for those who link to it', async () => {
      const { page, close } = await visit(browser, server);
      const content = (selector) => page.locator(selector).first().getAttribute('content');
      assert.ok((await content('meta[name="description"]')).length > 40);
      for (const name of ['og:title', 'og:description', 'og:type']) {
        assert.ok(await content(`meta[property="${name}"]`), name);
      }
      const icon = await page.locator('link[rel="icon"]').getAttribute('href');
      const answer = await page.request.get(new URL(icon, page.url()).href);
      assert.equal(answer.status(), 200);
      await close();
    });
  });
}
