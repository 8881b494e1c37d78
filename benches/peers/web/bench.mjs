// Our worker beside onnxruntime-web in one headless Chromium without WebGPU, one thread each, in
// turn. Prints medians over the rounds, their spread, and the ratio; ends with 1 where ours in f32
// is the slower one.
//
//   node benches/peers/web/bench.mjs [--width 256] [--rounds 7] [--seconds 1] [--json]

import { argv, exit } from 'node:process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { DIST, launch } from '../../../tests/web/support/browser.mjs';
import { serve } from '../../../tests/web/support/server.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  args: argv.slice(2),
  options: {
    width: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const mounts = {
  '/bench/': HERE,
  '/dist/': DIST,
  '/ort/': join(HERE, 'node_modules/onnxruntime-web/dist'),
  '/support/': join(HERE, '../../../tests/web/support'),
};
const server = await serve(mounts, { isolated: true });
const browser = await launch('cpu');
const page = await browser.newPage();
page.on('pageerror', (error) => console.error(error));
await page.goto(`${server.origin}/bench/index.html`);
await page.waitForFunction(() => 'compare' in globalThis);
const { rows, isolated, ort } = await page.evaluate((o) => globalThis.compare(o), {
  width: Number(options.width),
  batches: [1, 1024],
  rounds: Number(options.rounds),
  seconds: Number(options.seconds),
  precisions: ['f32', 'int8'],
});
await browser.close();
await server.close();

const names = [...new Set(rows.map((row) => row.who))];
const table = [1, 1024].flatMap((batch) => {
  const of = (who) =>
    rows
      .filter((row) => row.who === who && row.batch === batch)
      .map((row) => row.us / batch)
      .sort((a, b) => a - b);
  const peer = of('onnxruntime-web');
  const middle = (values) => values[values.length >> 1];
  return names.map((who) => {
    const us = of(who);
    const ratio = middle(peer) / middle(us);
    return { who, batch, us: middle(us), lowest: us[0], highest: us.at(-1), ratio };
  });
});
if (options.json) console.log(JSON.stringify({ ort, isolated, table }));
else {
  console.log(`S=${options.width}, one thread each, ${options.rounds} rounds, onnxruntime-web ${ort}`);
  console.log('vectors  who               µs a vector   lowest  highest  times as fast as ORT');
  for (const { who, batch, us, lowest, highest, ratio } of table) {
    const [a, b, c] = [us, lowest, highest].map((x) => x.toFixed(2).padStart(9));
    console.log(`${String(batch).padStart(7)}  ${who.padEnd(16)}${a.padStart(13)}${b}${c}${ratio.toFixed(2).padStart(10)}`);
  }
}
exit(table.every(({ who, ratio }) => who !== 'lnsp f32' || ratio >= 1) ? 0 : 1);
