// Without a network, after a visit with one: what was used goes on working, a new tab too.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { BASE, launch, serveDist, showTools, visit } from './support/browser.mjs';

describe('offline', () => {
  let browser;
  let server;
  before(async () => {
    browser = await launch('cpu');
    server = await serveDist();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** Measures one vector and more on the S = 256 row, as a visitor does. */
  async function measure(page) {
    await showTools(page);
    const button = page.getByRole('button', { name: /^Measure .*256/ }).first();
    await button.click();
    const row = page.getByRole('row').filter({ has: button });
    await row.getByText('cpu', { exact: true }).waitFor();
  }

  test('after the first load the page measures, reloads and opens anew', async () => {
    const { page, context, complaints } = await visit(browser, server, { hash: '#sizes?device=cpu' });
    await measure(page);
    // Until the service worker has kept everything that was used.
    await page.waitForFunction(async () => {
      const cache = await caches.open('lnsp-page-1');
      const kept = (await cache.keys()).map(({ url }) => url);
      const wanted = [/\/$/, /favicon/, /app-.*\.js$/, /app-.*\.wasm$/, /worker_bg\.wasm$/, /worker\.js$/, /view-claims\.js$/, /view-claims_bg\.wasm$/];
      return wanted.every((name) => kept.some((url) => name.test(new URL(url).pathname)));
    });
    assert.deepEqual(complaints, []);
    await context.setOffline(true);
    await server.close();

    await page.reload();
    await measure(page);
    const other = await context.newPage();
    await other.goto(`${server.origin}${BASE}#claims`);
    // A view that was never opened before.
    await other.getByRole('heading', { level: 2, name: 'Claims' }).waitFor();
    assert.deepEqual(complaints, []);
  });
});
