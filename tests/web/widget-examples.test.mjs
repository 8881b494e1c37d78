// The examples as they are served with the page: an article, a dark page, a frame on another site.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { violations } from './support/axe.mjs';
import { BASE, DIST, launch, screenshot, serveDist, visit } from './support/browser.mjs';
import { serve } from './support/server.mjs';
import { LISTEN, site } from './support/widget.mjs';

describe('examples', { timeout: 120_000 }, () => {
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

  for (const [name, count, width] of [['article', 3, 1280], ['article', 3, 360], ['dark', 2, 1280]]) {
    test(`${name}, ${width} px: ${count} elements at work, in silence`, async () => {
      const options = { path: `${BASE}examples/${name}.html`, viewport: { width, height: 800 } };
      const { page, context, complaints, close } = await visit(browser, server, options);
      await context.addInitScript(LISTEN);
      await page.reload();
      const elements = await page.locator('lnsp-compare, lnsp-sizes, lnsp-claims').all();
      assert.equal(elements.length, count);
      for (const [i, element] of elements.entries()) {
        await element.evaluate((element) => element.scrollIntoView());
        await page.waitForFunction((n) => results['']?.length >= n, i + 1, { timeout: 60_000 });
      }
      assert.ok((await page.evaluate('document.documentElement.scrollWidth')) <= width);
      assert.deepEqual(await violations(page), []);
      await screenshot(page, `example-${name}-${width}`);
      assert.deepEqual(complaints, []);
      await close();
    });
  }

  test('the frame on another site is as high as what it shows', async () => {
    const widget = await site({}, { open: true });
    const other = await serve({ '/': join(DIST, 'examples') });
    const path = `/other-origin.html?widget=${widget.origin}/lnsp/`;
    const { page, complaints, close } = await visit(browser, other, { path });
    const frame = page.locator('#frame');
    await frame.evaluate((frame) => frame.scrollIntoView());
    await page
      .frameLocator('#frame')
      .getByText(/With 192 bytes a vector/)
      .waitFor({ timeout: 60_000 });
    await page.waitForFunction(() => document.querySelector('#frame').clientHeight > 900);
    assert.deepEqual(complaints.filter((line) => !line.startsWith('left the machine')), []);
    await close();
    await other.close();
    await widget.close();
  });
});
