// A student in the browser: as the command on the CPU has it, without growing, through the loss of
// the device, and with files that are not what they say.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { KINDS, ROOT, addWorkers, launch, serveDist, visit } from './support/browser.mjs';
import { lnsp, scratch } from './support/native.mjs';
import { compare, readTensor } from './support/safetensors.mjs';

const HELDOUT = join(ROOT, 'data', 'vectors_heldout_3k.safetensors');
// More than the rows that the CPU takes together in a browser, and no multiple of them.
const ROWS = 150;

/** The first rows of the bundled vectors, f16, as a `.npy` file. */
function someVectors(rows) {
  const file = readFileSync(HELDOUT);
  const header = Number(file.readBigUInt64LE(0));
  const [start] = JSON.parse(file.subarray(8, 8 + header)).vectors.data_offsets;
  const values = file.subarray(8 + header + start, 8 + header + start + rows * 384 * 2);
  const words = `{'descr': '<f2', 'fortran_order': False, 'shape': (${rows}, 384), }`;
  const text = `${words.padEnd(117)}\n`;
  const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text}`, 'latin1');
  head.writeUInt16LE(text.length, 8);
  return Buffer.concat([head, values]);
}

/** What a `.npy` file holds, as bytes. */
function npyBytes(name) {
  const file = readFileSync(name);
  return file.subarray(10 + file.readUInt16LE(8));
}

/** In the page: asks one worker, kept between calls, with files given in base64. */
async function run({ device, vectors, student, names, times = 1 }) {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  globalThis.core ??= globalThis.startWorker();
  const question = { device, student: 'student.safetensors', vectors: 'vectors.npy', ...names };
  const files = [bytes(student), bytes(vectors)];
  let last;
  for (let i = 0; i < times; i += 1) {
    // Handed over, so a copy each time.
    const copies = files.map((file) => file.slice(0));
    last = await globalThis.core.ask({ RunStudent: question }, copies);
  }
  const [latents, outputs, codes] = last.buffers;
  const values = [latents, outputs].map((b) => [...new Float32Array(b)]);
  return { answer: last.answer, values, codes: [...new Uint8Array(codes)] };
}

describe('a student', { timeout: 300_000 }, () => {
  const folder = scratch();
  const path = (name) => join(folder.folder, name);
  let server;
  let native;
  let nativeCodes;
  let files;
  before(async () => {
    const { writeFileSync } = await import('node:fs');
    writeFileSync(path('vectors.npy'), someVectors(ROWS));
    const train = ['--limit', '2000', '--epochs', '1', '--width', '256', '--seed', '727', '--latent-bits', '2'];
    lnsp('train', '--device', 'cpu', '--out', path('student.safetensors'), ...train);
    const convert = (to, from, out) =>
      lnsp(to, '--device', 'cpu', '--student', path('student.safetensors'), '--in', from, '--out', out);
    convert('encode', path('vectors.npy'), path('latents.safetensors'));
    lnsp(
      ...['encode', '--device', 'cpu', '--student', path('student.safetensors'), '--bits', '2'],
      ...['--in', path('vectors.npy'), '--out', path('codes.npy')],
    );
    nativeCodes = npyBytes(path('codes.npy'));
    convert('decode', path('latents.safetensors'), path('outputs.safetensors'));
    native = [
      readTensor(path('latents.safetensors'), 'latents').data,
      readTensor(path('outputs.safetensors'), 'vectors').data,
    ];
    const base64 = (name) => readFileSync(path(name)).toString('base64');
    files = { vectors: base64('vectors.npy'), student: base64('student.safetensors') };
    server = await serveDist();
  });
  after(async () => {
    await server?.close();
    folder.remove();
  });

  for (const kind of Object.keys(KINDS)) {
    describe(kind, () => {
      const device = kind === 'webgpu' ? 'gpu' : 'cpu';
      let browser;
      let page;
      let opened;
      before(async () => {
        browser = await launch(kind);
        opened = await visit(browser, server);
        page = opened.page;
        await addWorkers(page);
      });
      after(() => browser?.close());
      const ask = (more = {}) => page.evaluate(run, { device, ...files, ...more });

      test('latents and outputs are those of the command on the CPU', async () => {
        const { answer, values } = await ask();
        assert.equal(answer.device === 'cpu', kind === 'cpu', answer.device);
        assert.equal(answer.rows, ROWS);
        ['latents', 'outputs'].forEach((what, i) => {
          const { difference, magnitude } = compare(values[i], native[i]);
          assert.ok(difference <= 1e-4 * magnitude, `${what}: ${difference} beside ${magnitude}`);
        });
      });

      test('codes of a few bits are those of the command on the CPU', async () => {
        const { codes } = await ask();
        assert.equal(codes.length, nativeCodes.length);
        const bytes = codes.length / ROWS;
        assert.equal(bytes, 48);
        const same = (row) => {
          const at = row * bytes;
          return codes.slice(at, at + bytes).every((byte, i) => byte === nativeCodes[at + i]);
        };
        // Latents differ in their last digit, and two paths may be equally good but for that.
        const alike = Array.from({ length: ROWS }, (_, row) => row).filter(same).length;
        assert.ok(alike >= 0.9 * ROWS, `${alike} of ${ROWS} codes are the same`);
      });

      test('memory does not grow over 200 runs', async () => {
        const memory = () =>
          page.workers()[0].evaluate(async () => {
            globalThis.gc();
            const wasm = await globalThis.eval('wasm_bindgen()');
            return [wasm.memory.buffer.byteLength, performance.memory?.usedJSHeapSize ?? 0];
          });
        // Few vectors: a program that plays GPU is slow.
        const vectors = someVectors(4).toString('base64');
        await ask({ vectors, times: 20 });
        const [wasm, heap] = await memory();
        await ask({ vectors, times: 200 });
        const [wasmAfter, heapAfter] = await memory();
        assert.equal(wasmAfter, wasm, 'the memory of WebAssembly');
        assert.ok(heapAfter <= heap + 2e6, `${heap} -> ${heapAfter} bytes of heap`);
      });

      test('files that are damaged, hostile or of another kind are refused in words', async () => {
        const npy = Buffer.from(files.vectors, 'base64');
        const model = Buffer.from(files.student, 'base64');
        const huge = Buffer.alloc(64);
        huge.writeBigUInt64LE(0xffff_ffff_ffff_fff0n);
        huge.write('{"a":', 8);
        const lying = Buffer.from(npy);
        lying.write(`(${10 ** 12}, 384), }`, lying.indexOf(`(${ROWS}, 384)`), 'latin1');
        const notNumbers = Buffer.from(npy);
        notNumbers.writeUInt16LE(0x7e00, notNumbers.length - 2);
        const cases = [
          ['vectors', npy.subarray(0, npy.length - 100)],
          ['vectors', npy.subarray(0, 40)],
          ['vectors', Buffer.alloc(0)],
          ['vectors', lying],
          ['vectors', notNumbers],
          ['vectors', huge, { vectors: 'vectors.safetensors' }],
          ['vectors', Buffer.from('<html>not vectors</html>')],
          ['student', model.subarray(0, model.length >> 1)],
          ['student', huge],
          ['student', npy],
        ];
        for (const [which, bytes, names] of cases) {
          const said = await ask({ [which]: bytes.toString('base64'), names }).then(
            () => 'it was taken',
            (error) => error.message,
          );
          assert.match(said, /vectors|student/, `${which} of ${bytes.length} bytes: ${said}`);
          assert.doesNotMatch(said, /unreachable|panicked|did not load/, said);
        }
        // The worker is the same one, and works.
        assert.equal((await ask()).answer.rows, ROWS);
      });

      if (kind === 'cpu') return;

      test('a device that is lost is replaced, with one message', async () => {
        const notices = await page.evaluate(async () => {
          await globalThis.core.ask({ DestroyDevice: null });
          return globalThis.core.notices.length;
        });
        const { values } = await ask();
        const { difference, magnitude } = compare(values[0], native[0]);
        assert.ok(difference <= 1e-4 * magnitude);
        const said = await page.evaluate(() => globalThis.core.notices);
        assert.equal(said.length, notices + 1, said.join('\n'));
        assert.match(said.at(-1), /lost/);
      });
    });
  }
});
