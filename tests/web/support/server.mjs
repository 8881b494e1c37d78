// A small static file server for the built page.
//
//   node server.mjs FOLDER [PORT]   serves it on this machine only, until Ctrl-C
//
// The tests start it from code, under a sub-path, and read from it what was asked for.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve, sep } from 'node:path';
import { argv, exit } from 'node:process';
import { fileURLToPath } from 'node:url';

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/** The file a request means: its path under one of the mounted folders, or null. */
async function locate(mounts, path) {
  for (const [prefix, folder] of mounts) {
    if (!path.startsWith(prefix)) continue;
    const root = resolve(folder);
    let file = resolve(join(root, normalize(path.slice(prefix.length))));
    if (file !== root && !file.startsWith(root + sep)) return null;
    let found = await stat(file).catch(() => null);
    if (found?.isDirectory()) {
      file = join(file, 'index.html');
      found = await stat(file).catch(() => null);
    }
    if (found?.isFile()) return { file, size: found.size };
  }
  return null;
}

/**
 * Serves folders: `mounts` maps a path prefix, with a slash at its end, to a folder. `isolated`
 * sends the headers with which a browser gives a page its precise clock; the page needs none.
 * `headers(path)` are further headers; `own(path, response)` answers by itself where it gives true.
 * Answers `{ origin, requests, close }`; `requests` grows by one path a request.
 */
export async function serve(mounts, { port = 0, tries = 1, isolated = false, headers, own } = {}) {
  // The longest prefix first: a folder inside another wins.
  const sorted = Object.entries(mounts).sort((a, b) => b[0].length - a[0].length);
  const requests = [];
  const server = createServer(async (request, response) => {
    let path;
    try {
      path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    } catch {
      response.writeHead(400).end();
      return;
    }
    requests.push(path);
    for (const [name, value] of Object.entries(headers?.(path) ?? {})) response.setHeader(name, value);
    if (own?.(path, response)) return;
    const found = await locate(sorted, path);
    if (!found || !['GET', 'HEAD'].includes(request.method)) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
      return;
    }
    response.writeHead(200, {
      'content-type': TYPES[extname(found.file)] ?? 'application/octet-stream',
      'content-length': found.size,
      'cache-control': 'no-cache',
      ...(isolated && {
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      }),
    });
    if (request.method === 'HEAD') response.end();
    else createReadStream(found.file).on('error', () => response.destroy()).pipe(response);
  });
  for (let attempt = 0; ; attempt += 1) {
    const failure = await new Promise((done) => {
      server.once('error', done);
      server.listen(port && port + attempt, '127.0.0.1', () => {
        server.off('error', done);
        done(null);
      });
    });
    if (!failure) break;
    if (failure.code !== 'EADDRINUSE' || attempt + 1 >= tries) throw failure;
  }
  const close = () =>
    new Promise((done) => {
      server.closeAllConnections();
      server.close(() => done());
    });
  return { origin: `http://127.0.0.1:${server.address().port}`, requests, close };
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const [folder = 'dist', port = '8080'] = argv.slice(2);
  const { origin } = await serve({ '/': folder }, { port: Number(port), tries: 20 });
  console.error(`==> the page is at ${origin}/ (Ctrl-C ends it)`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => exit(0));
}
