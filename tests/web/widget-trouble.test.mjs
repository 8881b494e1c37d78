// The widget where something is wrong or forbidden: another origin, a sandboxed frame, files that
// are missing, changed, of another version, or slow to come.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { KINDS, launch, screenshot, visit } from './support/browser.mjs';
import { LISTEN, PACKAGE, POLICY, article, site } from './support/widget.mjs';

const ONE = '<lnsp-compare id="one"></lnsp-compare>';
/** Answers one file as `answer` does, until `mended` is set. */
function broken(name, answer) {
  const change = (path, response) => {
    if (change.mended || path !== `/lnsp/${name}`) return false;
    answer(response);
    return true;
  };
  return change;
}
const missing = (response) => response.writeHead(404).end();
const bytes = (name) => readFileSync(join(PACKAGE, name));

async function open(browser, server, path = '/', options = {}) {
  const opened = await visit(browser, server, { path: '/none', ...options });
  await opened.context.addInitScript(LISTEN);
  opened.complaints.length = 0;
  await opened.page.goto(`${server.origin}${path}`);
  return opened;
}

const result = (page) =>
  page.waitForFunction(() => globalThis.results.one?.at(-1), null, { timeout: 60_000 });

describe('widget in trouble', { timeout: 300_000 }, () => {
  let browser;
  before(async () => {
    browser = await launch('cpu');
  });
  after(() => browser?.close());

  /** Opens a page whose package has a fault; answers what the element says, then mends and retries. */
  async function fault(change, retry = true) {
    const server = await site({ '/': article(ONE) }, { change });
    const { page, close } = await open(browser, server);
    await page.waitForFunction(() => globalThis.failures.one?.length, null, { timeout: 60_000 });
    const message = await page.evaluate(() => failures.one.at(-1).message);
    const shown = await page.locator('#one').getByText(message.slice(0, 60)).first().innerText();
    assert.ok(shown.includes(message.slice(0, 40)), shown);
    if (retry) {
      change.mended = true;
      await page.locator('#one').getByRole('button', { name: 'Try again' }).click();
      await result(page);
    }
    await close();
    await server.close();
    return message;
  }

  test('the student is missing: one line, and a retry that works', async () => {
    const said = await fault(broken('students/default-256.safetensors', missing));
    assert.match(said, /default-256\.safetensors cannot be fetched.*404/);
  });

  test('the program of the view is missing', async () => {
    assert.match(await fault(broken('compare.wasm', missing)), /compare\.wasm cannot be fetched.*404/);
  });

  test('the worker is missing', async () => {
    assert.match(await fault(broken('core.wasm', missing)), /core\.wasm cannot be fetched.*404/);
  });

  test('the worker is of another version than the loader', async () => {
    const other = bytes('core.wasm').toString('latin1').replace(/lnsp \d[\w.-]*$/, 'lnsp 0.0.9-12345678');
    const said = await fault(broken('core.wasm', (response) => response.end(Buffer.from(other, 'latin1'))));
    assert.match(said, /versions do not match: the loader lnsp\.js is 0\.\d.*core\.wasm is 0\.0\.9-12345678/);
    assert.match(said, /one package/);
  });

  test('the view is of another version than the loader', async () => {
    const other = `${bytes('compare.js')}// lnsp 0.0.9-12345678\n`;
    const said = await fault(broken('compare.js', (response) => {
      response.setHeader('content-type', 'text/javascript');
      response.end(other);
    }));
    assert.match(said, /versions do not match.*compare\.js is 0\.0\.9/);
  });

  for (const name of ['compare.wasm', 'core.js', 'students/default-256.safetensors']) {
    test(`${name} was changed by somebody: it is not used`, async () => {
      const changed = bytes(name);
      changed[changed.length >> 1] ^= 1;
      const type = name.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
      const said = await fault(broken(name, (response) => response.setHeader('content-type', type).end(changed)));
      assert.match(said, /is not the file that lnsp .* was packed with: its SHA-384 differs/);
    });
  }

  test('a loader that was changed does not run at all', async () => {
    const { files } = JSON.parse(bytes('integrity.json'));
    const tag = `<script type="module" src="/lnsp/lnsp.js" integrity="${files['lnsp.js']}" crossorigin="anonymous"></script>`;
    const page = `<!doctype html><title>x</title>${tag}${ONE}`;
    const change = broken('lnsp.js', (response) =>
      response.setHeader('content-type', 'text/javascript').end(`${bytes('lnsp.js')};`),
    );
    const server = await site({ '/': page }, { change });
    const opened = await open(browser, server);
    const defined = () => opened.page.evaluate(() => Boolean(customElements.get('lnsp-compare')));
    assert.equal(await defined(), false);
    change.mended = true;
    await opened.page.reload();
    await result(opened.page);
    assert.equal(await defined(), true);
    await opened.close();
    await server.close();
  });

  test('no student of that width: what there is, is said', async () => {
    const server = await site({ '/': article('<lnsp-compare id="one" width="300"></lnsp-compare>') });
    const { page, close } = await open(browser, server);
    await page.locator('#one').getByText(/students of 256, 512 and 1024 ship/).waitFor();
    // The author mends it in place.
    await page.evaluate(() => (document.querySelector('#one').width = '256'));
    await result(page);
    await close();
    await server.close();
  });

  test('on a slow network something is shown, then the result', async () => {
    const server = await site({ '/': article(ONE) });
    const { page, context, close } = await open(browser, server, '/none');
    const wire = await context.newCDPSession(page);
    await wire.send('Network.enable');
    await wire.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 300,
      downloadThroughput: 200_000,
      uploadThroughput: 100_000,
    });
    await page.goto(`${server.origin}/`);
    await page.locator('#one').getByText('Loading…').waitFor();
    await result(page);
    await close();
    await server.close();
  });

  test('two loaders of different versions on one page: one clear line', async () => {
    const { version } = JSON.parse(bytes('integrity.json'));
    const change = (path, response) => {
      if (path !== '/other/lnsp.js') return false;
      response.setHeader('content-type', 'text/javascript');
      response.end(String(bytes('lnsp.js')).replaceAll(version, '0.0.9-12345678'));
      return true;
    };
    const head = '<script type="module" src="/other/lnsp.js"></script>';
    const server = await site({ '/': article(ONE) + head }, { change });
    const { page, complaints, close } = await open(browser, server);
    await result(page);
    assert.match(complaints.join('\n'), /versions do not match: this page loads lnsp\.js .* and 0\.0\.9/);
    await close();
    await server.close();
  });
});

for (const kind of Object.keys(KINDS)) {
  describe(`widget from another origin, ${kind}`, { timeout: 300_000 }, () => {
    let browser;
    let package_;
    before(async () => {
      browser = await launch(kind);
      package_ = await site({}, { open: true });
    });
    after(async () => {
      await browser?.close();
      await package_?.close();
    });

    test('loader, worker and student from another origin, under a policy that names it', async () => {
      const there = package_.origin;
      const policy = POLICY.replace("script-src 'self'", `script-src ${there}`).replace("connect-src 'self'", `connect-src ${there}`);
      const server = await site({ '/': article(ONE, { folder: `${there}/lnsp/` }) }, { policy });
      const { page, complaints, close } = await open(browser, server);
      await result(page);
      const other = complaints.filter((line) => !line.startsWith('left the machine'));
      assert.deepEqual(other, []);
      await close();
      await server.close();
    });

    for (const sandbox of ['allow-scripts', null]) {
      test(`the iframe, ${sandbox ? 'sandboxed at a null origin' : 'not sandboxed'}`, async () => {
        const attribute = sandbox ? `sandbox="${sandbox}"` : '';
        const server = await site({
          '/': `<!doctype html><html lang="en"><title>x</title><body style="background: #ffe">
            <iframe id="one" ${attribute} title="lnsp" style="width: 100%; height: 300px; border: 0"
              src="${package_.origin}/lnsp/embed.html?view=compare&baselines=int8&onclick=alert(1)"></iframe>
            <script>
              globalThis.heights = [];
              addEventListener('message', ({ source, data }) => {
                const frame = document.querySelector('iframe');
                if (data?.lnsp !== 'height' || source !== frame.contentWindow) return;
                heights.push(data.height);
                frame.style.height = data.height + 'px';
              });
            </script></body></html>`,
        });
        const { page, complaints, close } = await open(browser, server);
        const frame = page.frameLocator('#one');
        const meaning = frame.getByRole('region', { name: 'What it means' });
        await meaning.getByText(/With 192 bytes a vector/).waitFor({ timeout: 60_000 });
        await page.waitForFunction(() => globalThis.heights.at(-1) > 600);
        const inside = page.frames().at(-1);
        const said = await inside.evaluate(() => ({
          origin: String(globalThis.origin),
          background: getComputedStyle(document.body).backgroundColor,
          names: document.querySelector('lnsp-compare').getAttributeNames(),
        }));
        assert.equal(said.origin, sandbox ? 'null' : package_.origin);
        assert.equal(said.background, 'rgba(0, 0, 0, 0)');
        assert.deepEqual(said.names, ['baselines']);
        // Asked from the page around it, it computes again; a stranger is not heard.
        await inside.evaluate(() => {
          globalThis.runs = 0;
          addEventListener('lnsp-result', () => (runs += 1));
          postMessage({ lnsp: 'run' }, '*');
        });
        await page.evaluate(() => document.querySelector('iframe').contentWindow.postMessage({ lnsp: 'run' }, '*'));
        await inside.waitForFunction(() => runs === 1, null, { timeout: 60_000 });
        await screenshot(page, `widget-frame-${sandbox ? 'null' : 'own'}-${kind}`);
        const other = complaints.filter((line) => !line.startsWith('left the machine'));
        assert.deepEqual(other, []);
        await close();
        await server.close();
      });
    }
  });
}

test('where the server keeps a sandboxed frame out, the frame says why', { timeout: 60_000 }, async () => {
  const browser = await launch('cpu');
  const server = await site({ '/': '<!doctype html><title>x</title><iframe sandbox="allow-scripts" src="/lnsp/embed.html"></iframe>' });
  const { page, close } = await open(browser, server);
  await page.frameLocator('iframe').getByText(/sends “Access-Control-Allow-Origin: \*”/).waitFor();
  await close();
  await browser.close();
  await server.close();
});
