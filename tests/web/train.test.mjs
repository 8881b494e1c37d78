// Training in the tab: curves, a pause, a reload in the middle, and the file that comes of it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { violations } from './support/axe.mjs';
import { BASE, ROOT, launch, screenshot, serveDist, visit, watchTasks } from './support/browser.mjs';
import { lnsp, scratch } from './support/native.mjs';
import { readTensor } from './support/safetensors.mjs';

/** The step that the page shows. */
async function step(page) {
  const words = await page.locator('#training-words').innerText();
  return Number((/step ([\d,]+) of/.exec(words)?.[1] ?? '-1').replaceAll(',', ''));
}

/** Waits until the page shows a step beyond this one. */
async function beyond(page, least) {
  for (let tries = 0; tries < 600; tries += 1) {
    const now = await step(page);
    if (now > least) return now;
    await page.waitForTimeout(100);
  }
  throw new Error(`no step beyond ${least}`);
}

describe('train here', { timeout: 300_000 }, () => {
  let browser;
  let server;
  let opened;
  before(async () => {
    browser = await launch('cpu');
    server = await serveDist();
    opened = await visit(browser, server, { hash: '#train?device=cpu&epochs=60' });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test('trains, with curves against PCA, and leaves the page free', async () => {
    const { page } = opened;
    await page.locator('#start').click();
    await page.locator('#training-words').waitFor({ timeout: 120_000 });
    await watchTasks(page);
    const first = await beyond(page, 20);
    await beyond(page, first);
    const label = await page.getByRole('img', { name: /^Held-out overlap/ }).getAttribute('aria-label');
    assert.match(label, /PCA-192 is at 0\.\d+/);
    assert.match(await page.getByRole('img', { name: /^Loss/ }).getAttribute('aria-label'), /steps/);
    assert.deepEqual(await page.evaluate('long'), []);
    await screenshot(page, 'train');
  });

  test('pauses, and goes on after a reload where it was', async () => {
    const { page } = opened;
    await page.locator('#pause').click();
    await page.getByText(/Step [\d,]+ is kept in this browser/).waitFor({ timeout: 20_000 });
    await page.locator('#go-on:enabled').waitFor();
    const paused = await step(page);
    await page.waitForTimeout(500);
    assert.equal(await step(page), paused);
    await page.reload();
    const kept = page.getByText(/This browser keeps a training of 384/);
    await kept.waitFor({ timeout: 30_000 });
    const words = await kept.innerText();
    assert.equal(Number(/at step ([\d,]+)/.exec(words)[1].replaceAll(',', '')), paused);
    await page.locator('#resume').click();
    await beyond(page, paused);
    await page.locator('#pause').click();
    await page.locator('#save-student:enabled').waitFor({ timeout: 20_000 });
  });

  test('gives the file that the command reads, and a student to try', async () => {
    const { page } = opened;
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('#save-student').click(),
    ]);
    const bytes = readFileSync(await download.path());
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    const info = JSON.parse(header.__metadata__.lnsp);
    assert.deepEqual(header['input_proj.weight'].shape, [256, 384]);
    assert.match(info.training_set, /5,000 vectors/);
    assert.ok(info.training.history.length >= 1);
    const { folder, remove } = scratch();
    const file = join(folder, 'student.safetensors');
    await download.saveAs(file);
    const vectors = join(ROOT, 'data', 'vectors_heldout_3k.safetensors');
    const out = join(folder, 'latents.safetensors');
    lnsp('encode', '--device', 'cpu', '--student', file, '--in', vectors, '--out', out);
    assert.equal(readTensor(out, 'latents').rows, 3000);
    remove();
    await page.getByRole('link', { name: 'Try' }).click();
    await page.getByRole('region', { name: 'Codes', exact: true }).getByRole('row').nth(3).waitFor();
    await page.getByLabel('the one trained here').check();
    await page.locator('#compare').click();
    const row = page.getByRole('row').filter({ hasText: 'trained-here, int8 latents' });
    await row.first().waitFor({ timeout: 60_000 });
  });

  test('settings that make no sense are refused in words', async () => {
    const { page } = opened;
    await page.getByRole('link', { name: 'Train here' }).click();
    await page.getByLabel('Epochs', { exact: true }).fill('0');
    await page.locator('#start').click();
    await page.getByText('epochs: choose 1 to 10,000').waitFor();
  });

  test('a trap of the worker is told once, and the training taken up again', async () => {
    const { page, complaints, close } = await visit(browser, server, {
      path: `${BASE}?test=1`,
      hash: '#train?device=cpu&epochs=60',
    });
    await page.locator('#start').click();
    await page.locator('#training-words').waitFor({ timeout: 120_000 });
    await beyond(page, 5);
    await page.locator('#pause').click();
    await page.locator('#go-on:enabled').waitFor();
    const paused = await step(page);
    await page.evaluate(() => globalThis.lnspTest.trapTrain().catch(String));
    assert.match(await page.locator('.notice').innerText(), /stopped .* was started anew/);
    // It is not in the new worker: what the browser kept is offered.
    await page.locator('#go-on').click();
    await page.locator('#resume').click();
    await beyond(page, paused);
    await page.locator('#pause').click();
    await page.locator('#go-on:enabled').waitFor();
    // What a panic prints is the one thing that the console may hold.
    const other = complaints.filter((text) => !/a test asked for this|unreachable/.test(text));
    assert.deepEqual(other, []);
    await close();
  });

  test('nothing to complain about', async () => {
    const { page, complaints } = opened;
    assert.deepEqual(await violations(page), []);
    await page.setViewportSize({ width: 360, height: 740 });
    const wide = await page.evaluate('document.documentElement.scrollWidth');
    assert.ok(wide <= 360, `${wide} pixels wide`);
    await screenshot(page, 'train-360');
    assert.deepEqual(complaints, []);
  });
});

describe('train here on WebGPU', { timeout: 300_000 }, () => {
  test('a few steps on a software adapter, and on after the loss of the device', async () => {
    const browser = await launch('webgpu');
    const server = await serveDist();
    try {
      const { page, complaints } = await visit(browser, server, {
        path: `${BASE}?test=1`,
        hash: '#train?device=gpu&epochs=2&train-s=192',
      });
      await page.locator('#start').click();
      await page.locator('#training-words').waitFor({ timeout: 180_000 });
      const before = await beyond(page, 1);
      await page.evaluate(() => globalThis.lnspTest.destroyDeviceTrain());
      const notice = page.locator('.notice');
      await notice.filter({ hasText: /was lost .*the work goes on with/ }).waitFor({ timeout: 60_000 });
      // It goes on by itself from the last state that was kept, which here is the start.
      await page.waitForTimeout(1000);
      await beyond(page, before);
      assert.deepEqual(complaints, []);
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
