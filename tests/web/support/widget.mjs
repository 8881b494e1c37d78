// Pages of authors with the widget in them, served from memory beside the package.

import { join } from 'node:path';

import { DIST } from './browser.mjs';
import { serve } from './server.mjs';

/** The package as `make widget` leaves it. */
export const PACKAGE = join(DIST, 'widget');
/** The line of the README that suffices. */
export const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:; connect-src 'self'";

/**
 * Serves the package below /lnsp/ and `pages` (path to HTML). `change(path, response)` may answer
 * in the package's place; `policy` is sent with every page; `open` lets other origins fetch.
 */
export function site(pages, { change, policy, open = false, mounts = {} } = {}) {
  return serve(
    { '/lnsp/': PACKAGE, ...mounts },
    {
      headers: (path) => ({
        ...(policy && path in pages && { 'content-security-policy': policy }),
        ...(open && { 'access-control-allow-origin': '*' }),
      }),
      own(path, response) {
        if (change?.(path, response)) return true;
        if (path === '/favicon.ico') return Boolean(response.writeHead(204).end());
        if (!(path in pages)) return false;
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(pages[path]);
        return true;
      },
    },
  );
}

/** A page with `body` in it, and the widget's loader from `folder`. */
export function article(body, { head = '', folder = '/lnsp/' } = {}) {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>An article</title>${head}
<script type="module" src="${folder}lnsp.js" crossorigin="anonymous"></script></head>
<body><main><h1>An article</h1><h2>On size</h2>${body}</main></body></html>`;
}

/** Waits for an event of an element in the page; answers its detail. */
export function heard(page, selector, name, timeout = 60_000) {
  return page.evaluate(
    ([selector, name, timeout]) =>
      new Promise((done, fail) => {
        const late = setTimeout(() => fail(new Error(`no ${name} of ${selector}`)), timeout);
        document.querySelector(selector).addEventListener(name, ({ detail }) => {
          clearTimeout(late);
          done(detail);
        });
      }),
    [selector, name, timeout],
  );
}

/** Every result and error so far, by the element's id; put into the page before anything else. */
export const LISTEN = `
  globalThis.results = {};
  globalThis.failures = {};
  globalThis.started = 0;
  for (const [name, all] of [['lnsp-result', results], ['lnsp-error', failures]]) {
    addEventListener(name, ({ target, detail }) => (all[target.id] ??= []).push(detail), true);
  }
  globalThis.memories = [];
  const instantiate = WebAssembly.instantiateStreaming;
  WebAssembly.instantiateStreaming = async (...words) => {
    const made = await instantiate(...words);
    memories.push(made.instance.exports.memory);
    return made;
  };
  const Plain = globalThis.Worker;
  globalThis.Worker = class extends Plain {
    constructor(...words) {
      super(...words);
      started += 1;
    }
  };
`;
