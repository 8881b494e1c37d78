// Starts Chromium in the two ways that the page must work in, and opens the built page as a
// visitor would: below a sub-path of a plain static server, listening for every complaint.

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { findChromium } from './chromium.mjs';
import { serve } from './server.mjs';

const WEB = join(dirname(fileURLToPath(import.meta.url)), '..');
/** The project's root. */
export const ROOT = join(WEB, '..', '..');
/** The built page. */
export const DIST = env.LNSP_DIST ?? join(ROOT, 'dist');
/** Below which the tests serve it. */
export const BASE = '/some/where/';
/** Screenshots and other things worth a look. */
export const ARTEFACTS = join(WEB, 'artefacts');

const QUIET = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  '--no-sandbox',
  '--js-flags=--expose-gc',
  '--enable-precise-memory-info',
];

/** With WebGPU on a software adapter; and with `navigator.gpu` whose adapter is null. */
export const KINDS = {
  webgpu: [
    '--enable-unsafe-webgpu',
    '--enable-features=Vulkan',
    '--use-webgpu-adapter=swiftshader',
    ...QUIET,
  ],
  cpu: QUIET,
};

/** Starts a browser of a kind, with further arguments. */
export async function launch(kind, more = []) {
  const executablePath = await findChromium();
  if (!executablePath) throw new Error('no Chromium: run scripts/setup-web.sh test');
  return chromium.launch({ executablePath, args: [...KINDS[kind], ...more] });
}

/** Serves the built page under the sub-path; `more` are further mounts. */
export function serveDist(more = {}) {
  return serve({ [BASE]: DIST, ...more });
}

/**
 * Opens the page. Answers `{ page, context, complaints, close }`: `complaints` grows by whatever
 * a visitor with an open console would see, by answers other than success, and by requests
 * that leave the machine. `init` runs in the page before its own scripts.
 */
export async function visit(browser, server, { hash = '', path = BASE, init, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  if (init) await context.addInitScript(init);
  context.setDefaultTimeout(15_000);
  const complaints = [];
  context.on('console', (message) => {
    // Chromium's own words where an adapter was asked for and there is none.
    if (message.text() === 'No available adapters.') return;
    if (['error', 'warning'].includes(message.type())) {
      const { url } = message.location();
      complaints.push(`console ${message.type()}: ${message.text()} (${url})`);
    }
  });
  context.on('weberror', (error) => complaints.push(`uncaught: ${error.error()}`));
  context.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(server.origin) && !/^(blob|data):/.test(url)) {
      complaints.push(`left the machine: ${url}`);
    }
  });
  context.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`);
  });
  const page = await context.newPage();
  await page.goto(`${server.origin}${path}${hash}`);
  return { page, context, complaints, close: () => context.close() };
}

/** Scrolls to what stands below the table of sizes, which is fetched when it comes into sight. */
export async function showTools(page) {
  await page.locator('#part-sizes').evaluate((place) => place.scrollIntoView());
  await page.locator('#measure-all').waitFor();
}

/** Counts tasks of the main thread over 50 ms from now on, in `long`. */
export function watchTasks(page) {
  return page.evaluate(() => {
    globalThis.long = [];
    globalThis.watching?.disconnect();
    globalThis.watching = new PerformanceObserver((list) => {
      globalThis.long.push(...list.getEntries().map((entry) => Math.round(entry.duration)));
    });
    globalThis.watching.observe({ type: 'longtask' });
  });
}

/** Keeps a picture of the whole page. */
export async function screenshot(page, name) {
  mkdirSync(ARTEFACTS, { recursive: true });
  await page.screenshot({ path: join(ARTEFACTS, `${name}.png`), fullPage: true });
}

/** Lets `startWorker` be called in the page (support/worker.js). */
export function addWorkers(page) {
  return page.addScriptTag({ path: join(WEB, 'support', 'worker.js') });
}
