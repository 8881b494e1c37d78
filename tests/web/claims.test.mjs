// The claims as a visitor tests them: what is counted at once, what is measured on a click, what
// the visitor says of the processor, the file of all findings.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { violations } from './support/axe.mjs';
import { launch, screenshot, serveDist, visit } from './support/browser.mjs';

describe('claims', { timeout: 240_000 }, () => {
  let browser;
  let server;
  let opened;
  before(async () => {
    browser = await launch('cpu');
    server = await serveDist();
    opened = await visit(browser, server, { hash: '#claims?device=cpu' });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });
  const verdict = (page, id) => page.locator(`#claim-${id} .verdict`);

  test('what can be counted has its verdict at once, with how it was counted', async () => {
    const { page } = opened;
    const size = page.locator('#claim-transformer-layer');
    await size.waitFor();
    assert.match(await size.innerText(), /4 times smaller than a layer of a transformer/);
    assert.match(await verdict(page, 'transformer-layer').innerText(), /holds/);
    assert.match(await size.innerText(), /1,774,464 parameters/);
    assert.match(await verdict(page, 'law-memory').innerText(), /does not hold/);
    assert.match(await verdict(page, 'sn727-score').innerText(), /cannot be compared/);
    assert.match(await verdict(page, 'inference-256').innerText(), /not measured yet/);
  });

  test('the cache is as large as the visitor says', async () => {
    const { page } = opened;
    assert.match(await verdict(page, 'l3-cache').innerText(), /cannot be compared/);
    await page.locator('#cache').fill('16');
    await page.keyboard.press('Tab');
    await verdict(page, 'l3-cache').filter({ hasText: 'holds' }).waitFor();
    assert.match(page.url(), /cache=16/);
  });

  test('one is measured here: both figures, and the verdict that fits another device', async () => {
    const { page } = opened;
    await page.locator('#test-inference-256').click();
    const said = verdict(page, 'inference-256').filter({ hasText: 'other device' });
    await said.waitFor({ timeout: 60_000 });
    assert.match(await said.innerText(), /the note 0\.1, here [\d.]+ ms/);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save JSON' }).click(),
    ]);
    const all = JSON.parse(readFileSync(await download.path(), 'utf8'));
    const mine = all.find(({ id }) => id === 'inference-256');
    assert.equal(mine.standing, 'other-device');
    assert.ok(mine.ours > 0 && mine.note === 0.1);
    await screenshot(page, 'claims-measured');
  });

  test('nothing to complain about', async () => {
    const { page, complaints } = opened;
    assert.deepEqual(await violations(page), []);
    await page.setViewportSize({ width: 360, height: 740 });
    const wide = await page.evaluate('document.documentElement.scrollWidth');
    assert.ok(wide <= 360, `${wide} pixels wide`);
    await screenshot(page, 'claims-360');
    assert.deepEqual(complaints, []);
  });
});
