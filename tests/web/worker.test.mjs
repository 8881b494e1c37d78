// The compute worker under stress, asked directly: its device, its loss, a stop.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { KINDS, addWorkers, launch, serveDist, visit } from './support/browser.mjs';

/** S = 256, a short measurement. */
const measure = (device, more = {}) => ({
  device,
  arch: { widths: [384, 256, 192, 256, 384] },
  precision: 'f32',
  batches: [1, 32],
  seconds: 0.05,
  ...more,
});

for (const kind of Object.keys(KINDS)) {
  describe(`the worker, ${kind}`, { timeout: 240_000 }, () => {
    const device = kind === 'webgpu' ? 'gpu' : 'cpu';
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
    const fresh = async () => {
      await opened?.close();
      opened = await visit(browser, server);
      await addWorkers(opened.page);
      return opened.page;
    };

    test('opens the device that it should', async () => {
      const page = await fresh();
      const [asked, auto] = await page.evaluate(async (device) => {
        const worker = globalThis.startWorker();
        const asked = await worker.ask({ OpenDevice: { choice: device } });
        const auto = await worker.ask({ OpenDevice: { choice: 'auto' } });
        return [asked.answer, auto.answer];
      }, device);
      assert.equal(asked.gpu, kind === 'webgpu');
      // A program that plays GPU is slower than our CPU path: never chosen by itself.
      assert.equal(auto.gpu, false);
      assert.notEqual(auto.reason, '');
    });

    test('measures a row', async () => {
      const page = await fresh();
      const batches = kind === 'webgpu' ? [1, 32] : [1, 32, 1024];
      const { answer } = await page.evaluate(
        (question) => globalThis.startWorker().ask({ Measure: question }),
        measure(device, { batches }),
      );
      assert.equal(answer.gpu, kind === 'webgpu');
      assert.deepEqual(answer.warm.map((row) => row.batch), batches);
      assert.ok(answer.warm.every((row) => row.median_us > 0));
      assert.deepEqual(answer.skipped, []);
    });

    test('a stop is heard while it works', async () => {
      const page = await fresh();
      const said = await page.evaluate(async (question) => {
        const worker = globalThis.startWorker();
        const answer = worker.ask({ Measure: question }).catch((error) => error.message);
        await new Promise((done) => {
          worker.worker.addEventListener('message', ({ data: [kind] }) => {
            if (kind === 'progress') done();
          });
        });
        const start = performance.now();
        worker.cancel(1);
        const said = await answer;
        return { said, ms: performance.now() - start };
      }, measure(device, { seconds: 60 }));
      assert.match(said.said, /Cancelled/);
      assert.ok(said.ms < 1500, `${said.ms} ms`);
    });

    if (kind !== 'webgpu') return;

    test('a device that was destroyed is replaced, with one message', async () => {
      const page = await fresh();
      const [answer, notices] = await page.evaluate(async (question) => {
        const worker = globalThis.startWorker();
        await worker.ask({ OpenDevice: { choice: 'gpu' } });
        await worker.ask({ DestroyDevice: null });
        const { answer } = await worker.ask({ Measure: question });
        return [answer, worker.notices];
      }, measure('gpu', { batches: [1] }));
      assert.equal(answer.warm.length, 1);
      assert.equal(notices.length, 1, notices.join('\n'));
      assert.match(notices[0], /lost/);
    });
  });
}
