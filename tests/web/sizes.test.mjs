// The view of sizes as a visitor uses it: settings, measuring, stopping, saving; and what happens
// to the page when the worker or the device goes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import {
  BASE,
  KINDS,
  launch,
  screenshot,
  serveDist,
  showTools,
  visit,
  watchTasks,
} from './support/browser.mjs';

/** What is measured: the row of S = 256; a tiny size of one's own where a program plays GPU. */
const button = (page) => page.getByRole('button', { name: /^Measure (B 256|64→16.*)$/ }).last();
const OWN = { cpu: '', webgpu: '&widths=64-16-8-16-64' };
/** Its row. */
const row = (page) => page.getByRole('row').filter({ has: button(page) });

/** Clicks and waits until the row says which device it was measured on. */
async function measure(page, device) {
  await button(page).click();
  await row(page).getByText(device).first().waitFor({ timeout: 60_000 });
  const cells = await row(page).getByRole('cell').allInnerTexts();
  assert.ok(cells.filter((text) => /\d/.test(text)).length >= 4, cells.join(' | '));
}

for (const kind of Object.keys(KINDS)) {
  describe(`sizes, ${kind}`, { timeout: 240_000 }, () => {
    const device = kind === 'webgpu' ? 'gpu' : 'cpu';
    const name = kind === 'webgpu' ? /swiftshader|google|gpu/i : 'cpu';
    let browser;
    let server;
    let opened;
    before(async () => {
      browser = await launch(kind);
      server = await serveDist();
    });
    after(async () => {
      await browser?.close();
      await server?.close();
    });
    const open = async (options = {}) => {
      await opened?.close();
      opened = await visit(browser, server, { hash: `#sizes?device=${device}${OWN[kind]}`, ...options });
      await showTools(opened.page);
      await button(opened.page).waitFor();
      return opened.page;
    };
    const quiet = () => assert.deepEqual(opened.complaints, []);

    test('the device is said in one line', async () => {
      const page = await open({ hash: '#sizes' });
      const line = page.locator('#device-line');
      await page.waitForFunction(() => document.querySelector('#device-line')?.textContent.trim());
      assert.match(await line.innerText(), /CPU/);
      quiet();
    });

    test('a row is measured, and the main thread stays free', async () => {
      let page;
      let long;
      // The best of a few, as the machine may be busy with something else.
      for (let visits = 0; visits < 3 && long?.length !== 0; visits += 1) {
        page = await open();
        await watchTasks(page);
        await measure(page, name);
        long = device === 'cpu' ? await page.evaluate('long') : [];
      }
      assert.deepEqual(long, []);
      await screenshot(page, `sizes-measured-${kind}`);
      quiet();
    });

    test('measuring can be stopped, and started again', async () => {
      const page = await open();
      await page.getByRole('button', { name: 'Measure all rows' }).click();
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.getByText('stopped').waitFor();
      await measure(page, name);
      quiet();
    });

    test('a trap of the worker is told once, and the page goes on', async () => {
      const page = await open({ path: `${BASE}?test=1` });
      const said = await page.evaluate(() => globalThis.lnspTest.trap().catch(String));
      assert.match(said, /stopped/);
      const notice = page.locator('.notice');
      assert.match(await notice.innerText(), /started anew/);
      await measure(page, name);
      // What a panic prints is the one thing that the console may hold.
      const other = opened.complaints.filter((text) => !/a test asked for this|unreachable/.test(text));
      assert.deepEqual(other, []);
    });

    if (kind === 'webgpu') {
      test('after the loss of the device it is measured on', async () => {
        const page = await open({ path: `${BASE}?test=1` });
        await measure(page, name);
        await page.evaluate(() => globalThis.lnspTest.destroyDevice());
        await measure(page, name);
        quiet();
      });
      return;
    }

    test('the address holds the state, and restores it', async () => {
      const page = await open({ hash: '#sizes' });
      await page.getByLabel('Weights in').selectOption('int8');
      await page.getByLabel('Graph of family B').selectOption('sn727');
      await page.waitForFunction(() => /dtype=int8/.test(location.hash));
      const table = () => page.getByRole('table').first().innerText();
      const before = await table();
      await page.reload();
      await showTools(page);
      await button(page).waitFor();
      assert.equal(await page.getByLabel('Weights in').inputValue(), 'int8');
      assert.equal(await page.getByLabel('Graph of family B').inputValue(), 'sn727');
      assert.equal(await table(), before);
      quiet();
    });

    test('the exact counts of the note stand in the table', async () => {
      const page = await open();
      const text = await page.getByRole('table').first().innerText();
      for (const count of ['443,712', '201,355,264', '296,000', '4,727,360']) {
        assert.ok(text.includes(count), count);
      }
    });

    test('a row that does not fit says so beforehand, and why', async () => {
      const machine = () => Object.defineProperty(navigator, 'deviceMemory', { get: () => 1 });
      const page = await open({ init: machine });
      const named = (name) => {
        const header = page.getByRole('rowheader', { name, exact: true });
        return page.getByRole('row').filter({ has: header }).last();
      };
      const large = named('A 8192');
      const why = /does not fit: it needs [\d.,]+ MB, this tab may take 536\.9 MB/;
      assert.match(await large.innerText(), why);
      assert.equal(await large.getByRole('button').count(), 0);
      assert.equal(await named('A 4096').getByRole('button').count(), 1);
      quiet();
    });

    test('results are saved as CSV, JSON and SVG', async () => {
      const page = await open();
      await measure(page, name);
      const save = async (label) => {
        const [download] = await Promise.all([
          page.waitForEvent('download'),
          page.getByRole('button', { name: label }).click(),
        ]);
        return readFileSync(await download.path(), 'utf8');
      };
      const csv = await save('Save CSV');
      assert.ok(csv.trim().split('\n').length >= 18, csv.slice(0, 200));
      assert.ok(JSON.parse(await save('Save JSON')));
      assert.match(await save('Save SVG'), /^<svg[^>]*xmlns/);
      quiet();
    });

    test('nonsense in the address and in the fields does no harm', async () => {
      const page = await open({
        hash: '#sizes?device=toaster&dtype=f99&batch=-1&widths=0-%25-999999999999&s=x',
      });
      const batch = page.getByLabel('Training batch');
      for (const value of ['0', '-5', '99999999999999999999', '']) {
        await batch.fill(value);
        await batch.blur();
      }
      await page.getByRole('table').first().waitFor();
      quiet();
    });
  });
}
