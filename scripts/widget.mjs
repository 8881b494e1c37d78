// Makes the widget's package out of the built page: dist/widget/, for npm, a CDN or any folder.
//
//   node scripts/widget.mjs [dist]
//
// The elements' programs move from dist/ to target/widget/, where packing again finds them.
//
// Every file carries the version, which the hash of all of them is part of; the loader and the
// iframe's page hold the SHA-384 of what they fetch.

import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv } from 'node:process';

import { scoped } from './widget-style.mjs';

const dist = argv[2] ?? 'dist';
const out = join(dist, 'widget');
const SOURCE = 'www/widget';
/** Files of the page that go along: where they lie in it, and in the package. */
const ALONG = [
  'students/default-256.safetensors',
  'students/student-512.safetensors',
  'students/student-1024.safetensors',
  'students/coded-96.safetensors',
  'students/coded-48.safetensors',
  'students/baselines.safetensors',
  'examples/examples.txt',
  'examples/examples.safetensors',
  'teacher/teacher.json',
];
/** What a site may replace by its own: its own list of the teacher's files. */
const UNCHECKED = ['teacher/teacher.json'];
const VIEWS = ['compare', 'sizes', 'claims'];
const WORKERS = ['core', 'worker', 'trainer', 'tokenizer'];

const text = (path) => readFileSync(path, 'utf8');
const sha = (bytes, kind, form) => createHash(kind).update(bytes).digest(form);

/** Puts a line at the end of a wasm file: a section that nobody reads. */
function signed(wasm, line) {
  const words = Buffer.from(`${line}`);
  const name = Buffer.from('lnsp');
  const body = Buffer.concat([Buffer.from([name.length]), name, words]);
  if (body.length > 127) throw new Error('the version is too long');
  return Buffer.concat([wasm, Buffer.from([0, body.length]), body]);
}

/** Comments on lines of their own are for those who read the source. */
const plain = (script) =>
  script.replace(/^ *\/\/.*\n/gm, '').replace(/^ *\/\*\*[\s\S]*?\*\/\n/gm, '').replace(/^ +/gm, '');

/** The elements' programs are no part of the page. */
const BUILT = 'target/widget';
mkdirSync(BUILT, { recursive: true });
for (const name of readdirSync(dist).filter((name) => name.startsWith('widget-'))) {
  renameSync(join(dist, name), join(BUILT, name));
}

/** Built programs, by their name in the package. */
function programs() {
  const all = {};
  for (const name of VIEWS) {
    const glue = text(join(BUILT, `widget-${name}.js`));
    const parts = '(globalThis.lnspWidget ??= {}).programs ??= {}';
    const start = /export \{[^}]*\b(\w+) as default\b/.exec(glue)?.[1];
    if (!start) throw new Error(`widget-${name}.js: wasm-bindgen writes its default export in another way`);
    all[`${name}.js`] = glue + `\n(${parts})['${name}'] = { start: ${start}, mount };\n`;
    all[`${name}.wasm`] = readFileSync(join(BUILT, `widget-${name}_bg.wasm`));
  }
  for (const name of WORKERS) {
    const built = name === 'core' ? join(BUILT, 'widget-core') : join(dist, name);
    all[`${name}.js`] = text(`${built}.js`);
    all[`${name}.wasm`] = readFileSync(`${built}_bg.wasm`);
  }
  for (const name of Object.keys(all).filter((name) => name.endsWith('.js'))) {
    // Where wasm-bindgen would look by itself; the loader always says.
    all[name] = plain(all[name].replace(/'widget-(\w+)_bg\.wasm'/g, "'$1.wasm'"));
  }
  all['style.css'] = scoped(text('www/style.css'), text(join(SOURCE, 'widget.css')));
  return all;
}

rmSync(out, { recursive: true, force: true });
for (const path of ALONG) {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  cpSync(join(dist, path), join(out, path));
}
const files = programs();
const students = ALONG.filter((path) => !UNCHECKED.includes(path));
const along = Object.fromEntries(students.map((path) => [path, readFileSync(join(dist, path))]));
const own = readdirSync(SOURCE).filter((name) => /^(lnsp\.js|embed\.)/.test(name));
const all = [...Object.values(files), ...Object.values(along), ...own.map((name) => text(join(SOURCE, name)))];
const number = /^version = "(.*)"/m.exec(text('Cargo.toml'))[1];
const version = `${number}-w${sha(all.map((bytes) => sha(bytes, 'sha256', 'hex')).join(), 'sha256', 'hex').slice(0, 8)}`;

const parts = {};
const sealed = {};
const keep = (name, bytes) => {
  mkdirSync(dirname(join(out, name)), { recursive: true });
  writeFileSync(join(out, name), bytes);
  sealed[name] = `sha384-${sha(bytes, 'sha384', 'base64')}`;
};
for (const [name, content] of Object.entries(files)) {
  const line = `lnsp ${version}`;
  const bytes = name.endsWith('.wasm')
    ? signed(content, line)
    : name.endsWith('.css')
      ? `${content}/* ${line} */\n`
      : `${content}\n// ${line}\n`;
  keep(name, bytes);
  parts[name] = sealed[name].slice(7);
}
for (const [name, bytes] of Object.entries(along)) {
  sealed[name] = `sha384-${sha(bytes, 'sha384', 'base64')}`;
  parts[name] = sealed[name].slice(7);
}
const loader = text(join(SOURCE, 'lnsp.js'));
const attributes = /const ATTRIBUTES = \(\n([\s\S]*?)\n\)/.exec(loader)[1];
const names = [...attributes.matchAll(/'([^']*)'/g)].map(([, words]) => words).join('');
keep('lnsp.js', plain(loader).replace("'@PARTS@'", JSON.stringify(parts)).replace('@VERSION@', version));
const embed = text(join(SOURCE, 'embed.js')).replace('@ATTRIBUTES@', names).replace('@LOADER@', sealed['lnsp.js']);
keep('embed.js', plain(embed));
for (const name of ['embed.html', 'embed.css', 'lnsp.d.ts']) keep(name, text(join(SOURCE, name)));

// What an author copies, with the hash in it.
keep('README.md', text(join(SOURCE, 'README.md')).replaceAll('@LOADER@', sealed['lnsp.js']).replaceAll('@VERSION@', version));
for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) {
  try {
    cpSync(name, join(out, name));
  } catch {}
}
writeFileSync(join(out, 'integrity.json'), `${JSON.stringify({ version, files: sealed }, null, 2)}\n`);
writeFileSync(
  join(out, 'package.json'),
  `${JSON.stringify(
    {
      name: 'lnsp-widget',
      version,
      description: 'Compression of sentence embeddings, tried in the page that speaks of it: <lnsp-compare>, <lnsp-sizes>, <lnsp-claims>',
      license: 'MIT OR Apache-2.0',
      type: 'module',
      main: './lnsp.js',
      types: './lnsp.d.ts',
      exports: {
        '.': { types: './lnsp.d.ts', default: './lnsp.js' },
        './integrity.json': './integrity.json',
        './*': './*',
      },
      sideEffects: ['./lnsp.js'],
    },
    null,
    2,
  )}\n`,
);
console.error(`==> the widget ${version} is in ${out}/`);
