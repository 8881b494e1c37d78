// The widget as an author and a reader meet it: one tag, strict policies, hostile styles, many
// elements; with and without WebGPU.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { violations } from './support/axe.mjs';
import { KINDS, launch, screenshot, visit } from './support/browser.mjs';
import { scratch, teacherSite } from './support/native.mjs';
import { LISTEN, POLICY, article, site } from './support/widget.mjs';

const HOSTILE = `<style>
  * { all: unset; } *::before { content: "x"; }
  html { font-size: 60px; } body, main { font: 900 72px/3 fantasy !important; color: #fefefe; letter-spacing: 2em; }
  lnsp-compare, lnsp-sizes { text-transform: uppercase !important; display: inline !important; }
  table, td, th, button { border: 20px solid red !important; }
</style>`;

const PAGES = {
  '/one.html': article('<lnsp-compare id="one"><p>A fallback without JavaScript.</p></lnsp-compare>'),
  '/all.html': article(`
    <lnsp-compare id="compare" width="512" baselines="int8"></lnsp-compare>
    <lnsp-sizes id="sizes" width="320" chart="bytes"></lnsp-sizes>
    <lnsp-claims id="claims" claims="transformer-layer,law-,inference-256"></lnsp-claims>`),
  '/far.html': article('<div style="height: 9000px"></div><lnsp-compare id="far"><p>Words of the author.</p></lnsp-compare><lnsp-sizes id="hid" hidden></lnsp-sizes>'),
  '/ten.html': article([...'0123456789'].map((n) => `<lnsp-compare id="e${n}" topics="${n}"></lnsp-compare>`).join('')),
  '/hostile.html': article('<lnsp-compare id="compare"></lnsp-compare><lnsp-sizes id="sizes"></lnsp-sizes>', { head: HOSTILE }),
  '/student.html': article('<lnsp-compare id="mine" student="../lnsp/students/student-512.safetensors" baselines="none"></lnsp-compare>'),
  '/empty.html': article('<div id="place"></div>'),
};

/** Waits until each of these elements has a result, looking at each as a reader would. */
async function results(page, ...ids) {
  for (const id of ids) {
    await page.locator(`#${id}`).evaluate((element) => element.scrollIntoView());
    await page.waitForFunction((id) => globalThis.results[id]?.length, id, { timeout: 60_000 });
  }
}

async function open(browser, server, path, options = {}) {
  const opened = await visit(browser, server, { path: '/empty.html', ...options });
  await opened.context.addInitScript(LISTEN);
  await opened.page.goto(`${server.origin}${path}`);
  return opened;
}

for (const kind of Object.keys(KINDS)) {
  describe(`widget, ${kind}`, { timeout: 300_000 }, () => {
    let browser;
    let server;
    before(async () => {
      browser = await launch(kind);
      server = await site(PAGES, { policy: POLICY });
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });

    test('one tag, one element, a result; the data is in the event', async () => {
      const device = kind === 'webgpu' ? 'gpu' : 'cpu';
      const { page, complaints, close } = await open(browser, server, '/one.html');
      await results(page, 'one');
      const found = await page.evaluate(async (device) => {
        const element = document.querySelector('#one');
        element.device = device;
        return element.run();
      }, device);
      const student = found.side_by_side.codes.find(({ name }) => name === 'default-256, int8 latents');
      assert.equal(student.bytes_per_vector, 192);
      assert.ok(student.overlap > 0.8, `${student.overlap}`);
      assert.equal(found.sentences.length, found.side_by_side.shown.length);
      assert.match(found.device, kind === 'webgpu' ? /webgpu|swiftshader/i : /^cpu$/i);
      const words = await page.locator('#one').getByRole('region', { name: 'What it means' }).innerText();
      assert.match(words, /With 192 bytes a vector/);
      assert.deepEqual(complaints, []);
      await close();
    });

    test('a strict policy suffices; three elements, axe, keyboard', async () => {
      const { page, complaints, close } = await open(browser, server, '/all.html');
      await results(page, 'compare', 'sizes', 'claims');
      const found = await page.evaluate(() => globalThis.results);
      const codes = found.compare.at(-1).side_by_side.codes.map(({ name }) => name);
      assert.ok(codes.includes('student-512, int8 latents') && codes.includes('teacher int8') && codes[0] === 'teacher', `${codes}`);
      assert.ok(!codes.some((name) => /rotated/.test(name)), `${codes}`);
      assert.ok(found.sizes.at(-1).rows.some(({ architecture }) => /320/.test(architecture)));
      assert.ok(found.claims.at(-1).every(({ id }) => /^(transformer-layer|law-|inference-256)/.test(id)));
      assert.deepEqual(await violations(page), []);
      await screenshot(page, `widget-all-${kind}`);
      // By Tab to a choice inside, and a claim measured by Enter.
      let at = '';
      for (let step = 0; step < 80 && at !== 'test-inference-256'; step += 1) {
        await page.keyboard.press('Tab');
        at = await page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.id);
      }
      assert.equal(at, 'test-inference-256');
      await page.keyboard.press('Enter');
      await page.waitForFunction(
        () => globalThis.results.claims.at(-1).some(({ id, ours }) => id === 'inference-256' && ours > 0),
        null,
        { timeout: 60_000 },
      );
      assert.deepEqual(complaints, []);
      await close();
    });
  });
}

describe('sentences of the author', { timeout: 300_000 }, () => {
  let browser;
  let server;
  let teacher;
  before(async () => {
    teacher = scratch();
    teacherSite(teacher.folder);
    browser = await launch('cpu');
    const pages = {
      '/own.html': article(
        '<lnsp-compare id="mine"><p>A cat sleeps in the sun.</p><p>It rains in the hills.</p><p>Stocks fell.</p></lnsp-compare>',
      ),
      '/shipped.html': article(
        '<lnsp-compare id="mine" sentences=\'["Boil the pasta in plenty of salted water.", "Heavy rain is expected along the coast tonight."]\'></lnsp-compare>',
      ),
    };
    server = await site({ ...PAGES, ...pages }, { mounts: { '/lnsp/teacher/': teacher.folder } });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    teacher?.remove();
  });
  const text = () => server.requests.filter((path) => /tokenizer|trainer|weights/.test(path));

  test('shipped ones have their vectors with them', async () => {
    const { page, complaints, close } = await open(browser, server, '/shipped.html');
    await results(page, 'mine');
    assert.deepEqual(await page.evaluate(() => results.mine.at(-1).side_by_side.shown), [19, 0]);
    assert.deepEqual(text(), []);
    assert.deepEqual(complaints, []);
    await close();
  });

  test('others need the teacher: asked first, with its size; kept for the next time', async () => {
    const { page, complaints, close } = await open(browser, server, '/own.html');
    await results(page, 'mine');
    const element = page.locator('#mine');
    await element.getByText(/These are shipped sentences/).waitFor();
    await element.getByText(/91 MB of weights/).waitFor();
    assert.deepEqual(text(), []);
    assert.equal(await element.locator('textarea').inputValue(), 'A cat sleeps in the sun.\nIt rains in the hills.\nStocks fell.');
    for (const visit of [1, 2]) {
      await element.getByRole('button', { name: 'Load the teacher and compare' }).click();
      await page.waitForFunction(() => results.mine.at(-1).sentences.length === 3, null, { timeout: 180_000 });
      const found = await page.evaluate(() => results.mine.at(-1));
      assert.deepEqual(found.sentences[2], 'Stocks fell.');
      assert.equal(found.side_by_side.vectors, 123);
      assert.equal(text().filter((path) => /weights/.test(path)).length, 1, `visit ${visit}`);
      await page.reload();
      await results(page, 'mine');
    }
    assert.deepEqual(complaints, []);
    await close();
  });
});

describe('widget in a page', { timeout: 300_000 }, () => {
  let browser;
  let server;
  before(async () => {
    browser = await launch('cpu');
    server = await site(PAGES);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test('out of view or hidden it costs the loader and nothing else', async () => {
    server.requests.length = 0;
    const { page, close } = await open(browser, server, '/far.html');
    await page.waitForLoadState('networkidle');
    const asked = server.requests.filter((path) => path.startsWith('/lnsp/'));
    assert.deepEqual([...new Set(asked)], ['/lnsp/lnsp.js']);
    assert.equal(await page.locator('#hid').isVisible(), false);
    // Until then its place is held by what the author wrote.
    assert.ok(await page.getByText('Words of the author.').isVisible());
    await results(page, 'far');
    assert.ok(!(await page.getByText('Words of the author.').isVisible()));
    assert.ok(!server.requests.some((path) => /tokenizer|trainer|worker\./.test(path)), 'no text encoder');
    await close();
  });

  test('a student of the author, by its address', async () => {
    const { page, complaints, close } = await open(browser, server, '/student.html');
    await results(page, 'mine');
    const found = await page.evaluate(() => results.mine.at(-1));
    const names = found.side_by_side.codes.map(({ name }) => name);
    assert.deepEqual(names, ['teacher', 'student-512, f32 latents', 'student-512, int8 latents']);
    assert.deepEqual(complaints, []);
    await close();
  });

  test('ten elements share one worker, and one gone hurts no other', async () => {
    const { page, complaints, close } = await open(browser, server, '/ten.html');
    await page.evaluate(() => document.querySelector('#e1').wake().then(() => document.querySelector('#e1').dispose()));
    await results(page, 'e0', 'e2');
    // One goes while it computes.
    await page.evaluate(() => {
      document.querySelector('#e3').run().catch(() => {});
      document.querySelector('#e4').remove();
      document.querySelector('#e3').remove();
    });
    await results(page, 'e5', 'e6', 'e7', 'e8', 'e9');
    assert.equal(await page.evaluate('started'), 1);
    // Each its own topic: none got the answer of another.
    const shown = await page.evaluate(() =>
      Object.entries(results).map(([id, all]) => [id, all.at(-1).side_by_side.shown[0]]),
    );
    const rows = shown.filter(([id]) => /e[25678]/.test(id)).map(([, row]) => row);
    assert.equal(new Set(rows).size, rows.length, JSON.stringify(shown));
    const again = await page.evaluate(() => document.querySelector('#e1').run());
    assert.ok(again.side_by_side.codes.length > 5);
    assert.deepEqual(complaints, []);
    await close();
  });

  test('elements that go at any moment of their work take nothing along', async () => {
    const { page, complaints, close } = await open(browser, server, '/empty.html');
    await page.evaluate(async () => {
      const place = document.querySelector('#place');
      const made = (name) => place.appendChild(document.createElement(name));
      const stays = made('lnsp-compare');
      stays.id = 'stays';
      await stays.run();
      const wait = (ms) => new Promise((done) => setTimeout(done, ms));
      for (const name of ['lnsp-compare', 'lnsp-sizes', 'lnsp-claims']) {
        for (let i = 0; i < 12; i += 1) {
          const element = made(name);
          element.run().catch(() => {});
          // From the same turn on, later and later.
          if (i > 0) await wait(5 * (i - 1) ** 2);
          element.remove();
        }
      }
      delete results.stays;
      await stays.run();
    });
    await results(page, 'stays');
    assert.deepEqual(complaints, []);
    await close();
  });

  test('attached and detached 100 times the memory is flat', async () => {
    const { page, complaints, close } = await open(browser, server, '/empty.html');
    const round = (times) =>
      page.evaluate(async (times) => {
        const place = document.querySelector('#place');
        for (let i = 0; i < times; i += 1) {
          // What this test itself would keep.
          for (const id of Object.keys(results)) delete results[id];
          const element = document.createElement('lnsp-compare');
          element.baselines = 'none';
          place.append(element);
          await element.run();
          element.remove();
          await Promise.resolve();
        }
        gc();
        await new Promise((done) => setTimeout(done));
        gc();
        const wasm = memories.map((memory) => memory.buffer.byteLength);
        return [performance.memory.usedJSHeapSize, String(wasm)];
      }, times);
    await round(20);
    const [before, wasm] = await round(10);
    const [after, wasmAfter] = await round(100);
    assert.equal(await page.evaluate('started'), 1);
    assert.equal(wasmAfter, wasm, 'memory of the WebAssembly');
    assert.ok(after - before < 3e5, `${before} bytes before, ${after} after 100 more`);
    assert.deepEqual(complaints, []);
    await close();
  });

  test('a page with hostile styles does not reach inside', async () => {
    const { page, close } = await open(browser, server, '/hostile.html');
    await results(page, 'compare', 'sizes');
    for (const id of ['compare', 'sizes']) {
      const look = await page.locator(`#${id}`).evaluate((element) => {
        const style = (what) => getComputedStyle(element.shadowRoot.querySelector(what));
        const { fontSize, letterSpacing, textTransform, color } = style('.lnsp');
        return {
          host: getComputedStyle(element).display,
          fontSize, letterSpacing, textTransform, color,
          cell: style('td').borderTopWidth,
          table: style('table').display,
        };
      });
      assert.deepEqual(look, {
        host: 'block', fontSize: '16px', letterSpacing: 'normal', textTransform: 'none',
        color: 'rgb(29, 32, 35)', cell: '1px', table: 'table',
      }, id);
    }
    await screenshot(page, 'widget-hostile');
    await close();
  });

  for (const [scheme, width] of [['light', 360], ['dark', 1280]]) {
    test(`as the page: ${scheme}, ${width} px`, async () => {
      const { page, complaints, close } = await open(browser, server, '/all.html', {
        viewport: { width, height: 800 },
      });
      await page.evaluate((scheme) => (document.documentElement.style.colorScheme = scheme), scheme);
      await results(page, 'compare', 'sizes', 'claims');
      const paper = await page.locator('#sizes').evaluate(
        (element) => getComputedStyle(element.shadowRoot.querySelector('.lnsp')).backgroundColor,
      );
      assert.equal(paper, scheme === 'dark' ? 'rgb(22, 24, 27)' : 'rgb(251, 250, 247)');
      assert.ok((await page.evaluate('document.documentElement.scrollWidth')) <= width);
      assert.deepEqual(await violations(page), []);
      await screenshot(page, `widget-${scheme}-${width}`);
      assert.deepEqual(complaints, []);
      await close();
    });
  }
});
