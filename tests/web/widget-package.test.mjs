// The npm package: what it holds fits together.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { PACKAGE, POLICY } from './support/widget.mjs';

const bytes = (name) => readFileSync(join(PACKAGE, name));
const { version, files } = JSON.parse(bytes('integrity.json'));

test('every hash is that of its file, and every program tells the version', () => {
  assert.ok(Object.keys(files).length > 20);
  for (const [name, hash] of Object.entries(files)) {
    const found = createHash('sha384').update(bytes(name)).digest('base64');
    assert.equal(`sha384-${found}`, hash, name);
    if (/^\w+\.(js|wasm|css)$/.test(name) && !/^(lnsp|embed)\./.test(name)) {
      assert.match(bytes(name).subarray(-60).toString('latin1'), new RegExp(`lnsp ${version}\\W*$`), name);
    }
  }
});

test('the loader holds the version and the hash of every part', () => {
  const loader = String(bytes('lnsp.js'));
  assert.ok(loader.includes(`'${version}'`) && !/@[A-Z]+@/.test(loader));
  for (const [name, hash] of Object.entries(files)) {
    if (/\.(wasm|safetensors)$/.test(name)) assert.ok(loader.includes(hash.slice(7)), name);
  }
  assert.ok(String(bytes('embed.js')).includes(files['lnsp.js']));
});

test('package.json leads to what is there', () => {
  const described = JSON.parse(bytes('package.json'));
  assert.equal(described.version, version);
  for (const target of [described.main, described.types, ...Object.values(described.exports['.'])]) {
    assert.ok(existsSync(join(PACKAGE, target)), target);
  }
});

test('what an author copies has the hash, and the policy that is tested', () => {
  const readme = String(bytes('README.md'));
  assert.ok(readme.split(files['lnsp.js']).length > 3 && !/@[A-Z]+@/.test(readme));
  assert.ok(readme.includes(POLICY));
});

test('types name every attribute that the loader knows', () => {
  const types = String(bytes('lnsp.d.ts'));
  for (const name of ['student', 'width', 'sentences', 'baselines', 'device', 'theme', 'topics', 'dtype', 'variant', 'chart', 'show', 'cache', 'claims']) {
    assert.match(types, new RegExp(`\\n  ${name}: `), name);
  }
});
