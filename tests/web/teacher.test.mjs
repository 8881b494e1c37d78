// Text in the browser: the tokenizer and the teacher through the page's own WebAssembly, against
// the reference vectors; its download, its cache, and a damaged file.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { BASE, KINDS, ROOT, addWorkers, launch, serveDist, visit } from './support/browser.mjs';
import { scratch, teacherSite } from './support/native.mjs';
import { compare, cosines, readTensor } from './support/safetensors.mjs';

const DATA = join(ROOT, 'data', 'teacher_reference');
const COUNT = 10;
const texts = readFileSync(`${DATA}.txt`, 'utf8').split('\n').slice(0, COUNT);
const reference = readTensor(`${DATA}.safetensors`);
const wanted = reference.data.subarray(0, COUNT * reference.cols);

/** In the page: the vectors of texts, through both workers. */
async function embed({ texts, device, precision }) {
  const core = globalThis.startWorker('./trainer_loader.js');
  const tokenizer = globalThis.startWorker('./tokenizer_loader.js');
  try {
    const plan = await core.ask({ PlanTeacher: { address: null } });
    const info = await core.ask({ LoadTeacher: { address: null, precision } });
    const downloads = core.progress.filter(({ text }) => /downloading/.test(text));
    const tokens = await tokenizer.ask({ Tokenize: { address: null, texts } });
    const { answer, buffers } = await core.ask({ EmbedTokens: { device } }, tokens.buffers);
    return {
      plan: plan.answer,
      info: info.answer,
      shares: downloads.map(({ share }) => share),
      embedded: answer,
      tokenized: tokens.answer,
      vectors: [...new Float32Array(buffers[0])],
    };
  } finally {
    core.worker.terminate();
    tokenizer.worker.terminate();
  }
}

for (const kind of Object.keys(KINDS)) {
  describe(`the teacher, ${kind}`, { timeout: 300_000 }, () => {
    let browser;
    let server;
    let site;
    let opened;
    before(async () => {
      site = scratch();
      teacherSite(site.folder);
      browser = await launch(kind);
      server = await serveDist({ [`${BASE}teacher/`]: site.folder });
      opened = await visit(browser, server);
      await addWorkers(opened.page);
    });
    after(async () => {
      await browser?.close();
      await server?.close();
      site?.remove();
    });

    const device = kind === 'webgpu' ? 'gpu' : 'cpu';

    test(`${COUNT} sentences as the reference has them, in f32`, async () => {
      const { embedded, tokenized, vectors, shares, plan } = await opened.page.evaluate(embed, {
        texts,
        device,
        precision: 'f32',
      });
      assert.equal(embedded.rows, COUNT);
      assert.equal(embedded.width, 384);
      assert.equal(embedded.device === 'cpu', device === 'cpu', embedded.device);
      assert.equal(tokenized.cut, 0);
      const { difference } = compare(vectors, wanted);
      assert.ok(difference <= 1e-3, `off by ${difference}`);
      // The size is known before, and the progress is of the bytes themselves.
      assert.deepEqual([plan.source, plan.download], ['origin', 90_868_376]);
      assert.ok(shares.length >= 2, `${shares.length} reports`);
      assert.ok(shares.every((share, i) => i === 0 || share >= shares[i - 1]), 'ever further');
    });

    if (kind !== 'cpu') return;

    test('in int8 it is small, kept, and comes from the cache the next time', async () => {
      const first = await opened.page.evaluate(embed, { texts, device, precision: 'int8' });
      assert.ok(first.info.bytes < 24e6, `${first.info.bytes} bytes`);
      assert.ok(first.info.kept);
      const worst = Math.min(...cosines(first.vectors, wanted, 384));
      assert.ok(worst >= 0.999, `cosine ${worst}`);

      server.requests.length = 0;
      await opened.page.reload();
      await addWorkers(opened.page);
      const again = await opened.page.evaluate(embed, { texts, device, precision: 'int8' });
      assert.equal(again.plan.source, 'cache');
      assert.equal(again.info.source, 'cache');
      assert.deepEqual(again.vectors, first.vectors);
      const fetched = server.requests.filter((path) => /weights|tokenizer\.json/.test(path));
      assert.deepEqual(fetched, []);
    });

    test('what is kept can be cleared', async () => {
      const plan = await opened.page.evaluate(async () => {
        const core = globalThis.startWorker('./trainer_loader.js');
        await core.ask({ ForgetTeacher: null });
        const { answer } = await core.ask({ PlanTeacher: { address: null } });
        core.worker.terminate();
        return answer;
      });
      assert.deepEqual([plan.source, plan.cached], ['origin', 0]);
    });
  });
}

describe('a damaged teacher', () => {
  test('is refused, and nothing of it is kept', async () => {
    const site = scratch();
    teacherSite(site.folder, undefined, { sha256: '0'.repeat(64) });
    const browser = await launch('cpu');
    const server = await serveDist({ [`${BASE}teacher/`]: site.folder });
    try {
      const { page } = await visit(browser, server);
      await addWorkers(page);
      const said = await page.evaluate(async () => {
        const core = globalThis.startWorker('./trainer_loader.js');
        const load = { address: null, precision: 'int8' };
        const said = await core.ask({ LoadTeacher: load }).catch((error) => error.message);
        const { answer } = await core.ask({ PlanTeacher: { address: null } });
        return { said, cached: answer.cached };
      });
      assert.match(String(said.said), /damaged/);
      assert.equal(said.cached, 0);
    } finally {
      await browser.close();
      await server.close();
      site.remove();
    }
  });
});
