// “Embed this”: what the page gives is put into another page, and shows there what was on the screen.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { violations } from './support/axe.mjs';
import { launch, screenshot, serveDist, visit } from './support/browser.mjs';
import { LISTEN } from './support/widget.mjs';

describe('embed this', { timeout: 240_000 }, () => {
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

  /** The two snippets of a view. */
  async function snippets(page) {
    await page.getByText('Embed this').click();
    const tag = page.locator('#embed-tag');
    await page.waitForFunction(() => /sha384/.test(document.querySelector('#embed-tag').value));
    return [await tag.inputValue(), await page.locator('#embed-frame').inputValue()];
  }

  /** Opens a page with a snippet in it. */
  async function paste(context, html) {
    await context.route('**/pasted.html', (route) =>
      route.fulfill({ contentType: 'text/html', body: `<!doctype html><title>x</title>${html}` }),
    );
    const page = await context.newPage();
    await page.addInitScript(LISTEN);
    await page.goto(`${server.origin}/pasted.html`);
    return page;
  }

  test('Try: students, topics and device', async () => {
    const hash = '#try?device=cpu&students=student-512&topics=3';
    const { page, context, complaints, close } = await visit(browser, server, { hash });
    await page.getByRole('region', { name: 'What it means' }).getByText('bytes').first().waitFor();
    const [tag, frame] = await snippets(page);
    assert.match(tag, /<lnsp-compare students="student-512" topics="3" device="cpu"><\/lnsp-compare>/);
    assert.match(tag, /lnsp\.js" integrity="sha384-[\w+/=]{64}" crossorigin="anonymous"/);
    assert.match(frame, /embed\.html\?view=compare&amp;students=student-512&amp;topics=3&amp;device=cpu"/);
    await screenshot(page, 'embed');
    assert.deepEqual(await violations(page), []);
    const other = await paste(context, tag);
    await other.waitForFunction(() => globalThis.results['']?.at(-1), null, { timeout: 60_000 });
    const [shown, codes] = await other.evaluate(() => {
      const { side_by_side } = results[''].at(-1);
      return [side_by_side.shown, side_by_side.codes.map(({ name }) => name)];
    });
    assert.deepEqual(shown, [36, 37, 38, 39, 40, 41]);
    assert.ok(codes.includes('student-512, int8 latents') && !codes.some((name) => /default/.test(name)));
    assert.deepEqual(complaints, []);
    await close();
  });

  test('Try: sentences that were typed, and a student that cannot come along', async () => {
    const hash = '#try?device=cpu&students=default-256,trained-here';
    const { page, close } = await visit(browser, server, { hash });
    await page.getByLabel('my own sentences').check();
    await page.locator('#sentences').fill('A < B & C.\nSecond line.');
    const [tag] = await snippets(page);
    assert.match(tag, /students="default-256" device="cpu">\n {2}<p>A &lt; B &amp; C\.<\/p>\n {2}<p>Second line/);
    await page.getByText(/Left out: the student trained here/).waitFor();
    await close();
  });

  test('Sizes and Claims', async () => {
    const hash = '#sizes?dtype=int8&s=640&chart=training';
    const { page, context, close } = await visit(browser, server, { hash });
    const [tag] = await snippets(page);
    assert.match(tag, /<lnsp-sizes show="table,own,device,chart" dtype="int8" s="640" chart="training">/);
    const other = await paste(context, tag);
    await other.locator('lnsp-sizes').getByText('MB in training').first().waitFor({ timeout: 30_000 });
    assert.equal(await other.locator('lnsp-sizes').locator('#own-s').inputValue(), '640');
    await page.getByRole('link', { name: 'Claims' }).click();
    await page.waitForFunction(() => /lnsp-claims/.test(document.querySelector('#embed-tag').value));
    await page.getByRole('link', { name: 'Train here' }).click();
    await page.getByText('Embed this').waitFor({ state: 'hidden' });
    await close();
  });
});
