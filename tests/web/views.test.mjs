// Every view as it looks and reads: light and dark, narrow and wide, by keyboard, to axe.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { violations } from './support/axe.mjs';
import { launch, screenshot, serveDist, showTools, visit } from './support/browser.mjs';

describe('every view', () => {
  let browser;
  let server;
  let names;
  before(async () => {
    browser = await launch('cpu');
    server = await serveDist();
    const { page, close } = await visit(browser, server);
    const links = page.getByRole('navigation').getByRole('link');
    await links.first().waitFor();
    names = await links.allInnerTexts();
    await close();
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** Goes to a view by its link, as a visitor does, and waits until it stands. */
  async function show(page, name) {
    const link = page.getByRole('navigation').getByRole('link', { name, exact: true });
    await link.click();
    await stands(page, name);
  }

  /** Until the view is there, and nothing in it is still being made. */
  async function stands(page, name) {
    await page.locator('nav a[aria-current="page"]', { hasText: name }).waitFor();
    // Until its program has filled it.
    await page.locator('section:not([hidden]) h2').waitFor();
    if (name === 'Sizes') await showTools(page);
    // Until the bundled sentences are compared, with the baselines.
    if (name === 'Try') {
      const codes = page.getByRole('region', { name: 'Codes', exact: true });
      await codes.getByRole('row').nth(5).waitFor();
      await page.locator('#compare:enabled').waitFor();
    }
  }

  test('there are views', () => assert.ok(names.length >= 2, names.join(', ')));

  for (const colorScheme of ['light', 'dark']) {
    test(`axe finds nothing, ${colorScheme}`, async () => {
      const { page, complaints, close } = await visit(browser, server, { colorScheme });
      for (const name of names) {
        await show(page, name);
        await screenshot(page, `${name.toLowerCase().replaceAll(' ', '-')}-${colorScheme}`);
        assert.deepEqual(await violations(page), [], name);
      }
      assert.deepEqual(complaints, []);
      await close();
    });
  }

  for (const width of [360, 3840]) {
    test(`no sideways scrolling of the page, ${width} px wide`, async () => {
      const viewport = { width, height: Math.round(width < 1000 ? 740 : 2160) };
      const { page, close } = await visit(browser, server, { viewport });
      for (const name of names) {
        await show(page, name);
        await screenshot(page, `${name.toLowerCase().replaceAll(' ', '-')}-${width}`);
        const over = await page.evaluate(() => {
          const root = document.scrollingElement;
          return root.scrollWidth - root.clientWidth;
        });
        assert.ok(over <= 0, `${name}: ${over} px too wide`);
      }
      await close();
    });
  }

  test('all of it by keyboard, with the focus in sight', async () => {
    const { page, close } = await visit(browser, server);
    await page.getByRole('navigation').getByRole('link').first().waitFor();
    for (const name of names) {
      // By Tab alone to the link of the view, then Enter.
      let at = '';
      for (let step = 0; step < 400 && at !== name; step += 1) {
        await page.keyboard.press('Tab');
        at = await page.evaluate(() => {
          const here = document.activeElement;
          return here?.closest('nav') ? here.textContent.trim() : '';
        });
      }
      assert.equal(at, name, `Tab never reaches ${name}`);
      await page.keyboard.press('Enter');
      // Controls that come or go while they are counted would be missed.
      await stands(page, name);
      // From there every control of the view in turn: reached, and with an outline or a change.
      const wanted = await page.evaluate(() => {
        const view = document.querySelector('section:not([hidden])');
        const shown = (e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0;
        const controls = 'a[href],button,input,select,textarea,summary';
        const all = [...view.querySelectorAll(controls)].filter(shown);
        // Of radio buttons with one name only one is in the order.
        const groups = new Set();
        return all.filter((e) => {
          if (e.type !== 'radio') return true;
          return !groups.has(e.name) && groups.add(e.name);
        }).length;
      });
      const seen = await page.evaluate(() => (globalThis.seen = new Set(), 0));
      let reached = seen;
      for (let step = 0; step < wanted + names.length + 20 && reached < wanted; step += 1) {
        await page.keyboard.press('Tab');
        const [count, visible, what] = await page.evaluate(() => {
          const here = document.activeElement;
          const view = document.querySelector('section:not([hidden])');
          if (view.contains(here)) globalThis.seen.add(here);
          const style = getComputedStyle(here);
          const outline = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
          const marked = outline || style.boxShadow !== 'none' || here === document.body;
          return [globalThis.seen.size, marked, here.outerHTML.slice(0, 120)];
        });
        assert.ok(visible, `the focus cannot be seen on ${what}`);
        reached = count;
      }
      assert.ok(reached >= wanted, `${name}: Tab reaches ${reached} of ${wanted} controls`);
      await page.evaluate(() => document.activeElement.blur());
    }
    await close();
  });

  test('the address restores the view, and back leads back', async () => {
    const { page, close } = await visit(browser, server);
    await show(page, names[1]);
    const address = page.url();
    await show(page, names[0]);
    await page.goBack();
    const second = page.getByRole('navigation').getByRole('link', { name: names[1], exact: true });
    await page.waitForFunction((a) => location.href === a, address);
    assert.equal(await second.getAttribute('aria-current'), 'page');
    await page.reload();
    await second.waitFor();
    assert.equal(await second.getAttribute('aria-current'), 'page');
    await close();
  });
});
