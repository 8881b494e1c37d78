// Over plain HTTP from another machine: browsers keep WebGPU, caches and service workers away. The
// page says what is missing, and works.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, serveDist, showTools, visit } from './support/browser.mjs';

describe('without a secure context', { timeout: 240_000 }, () => {
  const HOST = 'page.test';
  let browser;
  let server;
  before(async () => {
    browser = await launch('webgpu', [`--host-resolver-rules=MAP ${HOST} 127.0.0.1`]);
    const here = await serveDist();
    server = { ...here, origin: here.origin.replace('127.0.0.1', HOST) };
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test('says that WebGPU needs HTTPS or localhost, and measures on the CPU', async () => {
    const { page, complaints, close } = await visit(browser, server);
    assert.equal(await page.evaluate('isSecureContext'), false);
    const line = page.locator('#device-line');
    await line.filter({ hasText: /WebGPU needs HTTPS or localhost/ }).waitFor();
    await showTools(page);
    const button = page.getByRole('button', { name: 'Measure B 256' });
    await button.click();
    await page.getByRole('row').filter({ has: button }).getByText('cpu', { exact: true }).waitFor();
    assert.match(await line.innerText(), /WebGPU needs HTTPS or localhost/);
    assert.deepEqual(complaints, []);
    await close();
  });

  test('compares the bundled sentences, and trains', async () => {
    const { page, complaints, close } = await visit(browser, server, { hash: '#try' });
    const table = page.getByRole('region', { name: 'Codes', exact: true });
    await table.getByRole('row').nth(5).waitFor({ timeout: 60_000 });
    await page.getByRole('link', { name: 'Train here' }).click();
    await page.locator('#start').click();
    await page.locator('#training-words').waitFor({ timeout: 120_000 });
    await page.locator('#pause').click();
    assert.deepEqual(complaints, []);
    await close();
  });
});
