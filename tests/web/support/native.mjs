// The command `lnsp` and the teacher's files, as the native tests have them.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';

import { ROOT } from './browser.mjs';

const EXECUTABLE = join(env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'release', 'lnsp');

/** Runs `lnsp` with these arguments; its answer on the standard output. */
export function lnsp(...args) {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is missing: cargo build --release`);
  return execFileSync(EXECUTABLE, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A folder that goes when the tests end. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'lnsp-web-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The folder with the teacher's files, fetched if need be. */
export function teacherFolder() {
  const said = execFileSync('sh', [join(ROOT, 'scripts/fetch-teacher.sh')], { encoding: 'utf8' });
  return said.trim().split('\n').at(-1);
}

/**
 * A folder as a site would put it beside the page: the teacher's files and the list of them.
 * `weights` is the file to serve; `sha256` what the list says of it, if anything.
 */
export function teacherSite(folder, weights, { sha256 } = {}) {
  const from = teacherFolder();
  symlinkSync(weights ?? join(from, 'model.safetensors'), join(folder, 'weights.safetensors'));
  symlinkSync(join(from, 'tokenizer.json'), join(folder, 'tokenizer.json'));
  const bytes = statSync(join(folder, 'weights.safetensors')).size;
  const listing = {
    weights: { file: 'weights.safetensors', bytes, sha256 },
    tokenizer: { file: 'tokenizer.json' },
  };
  writeFileSync(join(folder, 'teacher.json'), JSON.stringify(listing));
}
