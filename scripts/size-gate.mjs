// What the page sends over the wire, in brotli bytes: the goal of each part, and the limit that
// makes the gate fail. A limit above its goal is what the part takes today, so that it can only
// shrink; the goal is said to be missed in every run until it is met, and then is the limit.
//
//   node scripts/size-gate.mjs [dist]
//
// The widget's package, dist/widget/, is counted by what a reader of a page with it is sent.
//
// Files are counted as a server with brotli at its best sends them (quality 11, the largest
// window that a browser takes). Every file of dist/ belongs to one part: a file of no part
// makes the gate fail, so that nothing slips past it.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { argv, exit } from 'node:process';
import { brotliCompressSync, constants } from 'node:zlib';

const KB = 1000;

/** Part, goal and limit (null: asked for by the visitor, shown only), the names of its files. */
const PARTS = [
  ['worker with the core', 300 * KB, 300 * KB, /^worker[^/]*\.(js|wasm)$/],
  ['trainer, with the teacher', 370 * KB, 380 * KB, /^trainer[^/]*\.(js|wasm)$/],
  ...['sizes', 'try', 'train', 'claims'].map((view) => [
    `view ${view}`,
    130 * KB,
    130 * KB,
    new RegExp(`^view-${view}[^/]*\\.(js|wasm)$`),
  ]),
  ['tokenizer', 900 * KB, 900 * KB, /^tokenizer[^/]*\.(js|wasm|json)$/],
  ['default student (int8)', 330 * KB, 330 * KB, /^students\/default[^/]*\.safetensors$/],
  // The widget: what an element out of view costs, and code until the first comparison.
  ['widget: loader', 5 * KB, 5 * KB, /^widget\/lnsp\.js$/],
  ['widget: code of <lnsp-compare>', 345 * KB, 345 * KB, /^widget\/(compare\.(js|wasm)|core\.(js|wasm)|style\.css)$/],
  ['widget: default student (int8)', 330 * KB, 330 * KB, /^widget\/students\/default[^/]*\.safetensors$/],
  ...['sizes', 'claims'].map((view) => [
    `widget: code of <lnsp-${view}>`,
    130 * KB,
    130 * KB,
    new RegExp(`^widget/${view}\\.(js|wasm)$`),
  ]),
  ['widget: on request, or for authors', null, null, /^widget\//],
  ['page shell', 120 * KB, 120 * KB, /^([^/]*\.(html|css|js|wasm|svg|ico|webmanifest)|snippets\/.*\.js)$/],
  ['on request: students, vectors', null, null, /^(students|data|examples|teacher)\//],
  ['read by other sites only', null, null, /^[^/]*\.(png|txt|xml)$/],
];

function files(folder, prefix = '') {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? files(join(folder, entry.name), `${prefix}${entry.name}/`)
      : [`${prefix}${entry.name}`],
  );
}

/** Bytes over the wire; what has no limit is compressed in a hurry. */
function wire(path, limited) {
  const bytes = readFileSync(path);
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: limited ? 11 : 4,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  }).length;
}

const dist = argv[2] ?? 'dist';
const parts = PARTS.map(([name, goal, limit, pattern]) => ({ name, goal, limit, pattern, raw: 0, sent: 0 }));
let wrong = 0;
const rows = [];
for (const file of files(dist).sort()) {
  const part = parts.find(({ pattern }) => pattern.test(file));
  const path = join(dist, file);
  const raw = statSync(path).size;
  const sent = wire(path, part?.limit !== null);
  rows.push([file, raw, sent]);
  if (part) {
    part.raw += raw;
    part.sent += sent;
  } else {
    console.error(`error: ${file} belongs to no part: name it in scripts/size-gate.mjs`);
    wrong += 1;
  }
}

const kb = (bytes) => (bytes / KB).toFixed(1).padStart(9);
console.log(`${'file'.padEnd(44)}${'KB'.padStart(9)}${'brotli'.padStart(9)}`);
for (const [file, raw, sent] of rows) console.log(`${file.padEnd(44)}${kb(raw)}${kb(sent)}`);
console.log(`\n${'part'.padEnd(44)}${'KB'.padStart(9)}${'brotli'.padStart(9)}${'goal'.padStart(9)}${'limit'.padStart(9)}`);
for (const { name, goal, limit, raw, sent } of parts) {
  const over = limit !== null && sent > limit;
  // A part that the page cannot do without must be there.
  const absent = raw === 0 && (name === 'page shell' || name === 'worker with the core' || name.startsWith('widget'));
  if (over || absent) wrong += 1;
  const missed = goal !== null && sent > goal ? '  goal missed' : '';
  const verdict = over ? '  TOO BIG' : absent ? '  MISSING' : missed;
  const shown = [goal, limit].map((n) => (n === null ? '        -' : kb(n))).join('');
  console.log(`${name.padEnd(44)}${kb(raw)}${kb(sent)}${shown}${verdict}`);
}
exit(wrong === 0 ? 0 : 1);
