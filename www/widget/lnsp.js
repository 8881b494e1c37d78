// The widget's loader: defines <lnsp-compare>, <lnsp-sizes> and <lnsp-claims>. Nothing else is
// fetched before an element comes near the viewport. Every part is checked by its hash.

const VERSION = '@VERSION@';
/** SHA-384 of every part, by its path below this file. */
const PARTS = '@PARTS@';

let base = new URL('./', import.meta.url).href;
/** Serves the parts from elsewhere, for bundlers that move this file. */
export function configure({ base: folder }) {
  base = new URL(folder, document.baseURI).href;
}
export const version = VERSION;

const ATTRIBUTES = (
  'student width sentences baselines device theme lang topics students ' +
  'dtype variant batch s widths chart show cache claims'
).split(' ');
const LANES = ['measure', 'work', 'train', 'claims', 'text'];
/** Milliseconds that the workers outlive the last element. */
const LINGER = 20000;

/**
 * Fetches a part and checks it; throws one line that says what is wrong. Also runs in the workers,
 * as text, so it uses nothing from around it.
 */
async function part(name, folder, parts, version, reload) {
  const address = folder + name;
  const hash = parts[name];
  const cache = reload ? 'reload' : 'default';
  try {
    const answer = await fetch(address, hash ? { integrity: 'sha384-' + hash, cache } : { cache });
    if (answer.ok) return answer;
  } catch {}
  // Why: once more, without the hash.
  const answer = await fetch(address, { cache: 'reload' }).catch(() => 0);
  if (!answer) {
    throw Error(
      `lnsp: ${address} cannot be fetched. Is there a network? Does the page's ` +
        'Content-Security-Policy allow it (connect-src)? Does its server send ' +
        'Access-Control-Allow-Origin to other sites?',
    );
  }
  if (!answer.ok) throw Error(`lnsp: ${address} cannot be fetched: the server answers ${answer.status}`);
  const end = new TextDecoder().decode((await answer.arrayBuffer()).slice(-99));
  const found = /lnsp (\d[\w.+-]*)\W*$/.exec(end)?.[1];
  throw Error(
    found && found !== version
      ? `lnsp: versions do not match: the loader lnsp.js is ${version}, ${name} is ${found}. ` +
          'Serve all files from one package, and reload.'
      : `lnsp: ${name} is not the file that lnsp ${version} was packed with: its SHA-384 differs. ` +
          'Serve the package as it is, and reload.',
  );
}
// What failed once is fetched past the browser's cache.
let reload = false;
const fetched = (name) =>
  part(name, base, PARTS, VERSION, reload).catch((error) => {
    reload = true;
    throw error;
  });

/** Makes `make` answer the same promise as before, unless that failed. */
const kept = (make) => {
  const all = {};
  return (name) =>
    (all[name] ??= make(name).catch((error) => {
      delete all[name];
      throw error;
    }));
};

// Programs of the main thread: each file registers itself here.
const programs = ((globalThis.lnspWidget ??= {}).programs ??= {});
const program = kept(async (name) => {
  const wasm = fetched(`${name}.wasm`);
  wasm.catch(() => {});
  await new Promise((done, fail) => {
    const script = document.createElement('script');
    script.type = 'module';
    script.crossOrigin = 'anonymous';
    script.integrity = `sha384-${PARTS[`${name}.js`]}`;
    // A browser remembers a module that failed by its address.
    script.src = `${base}${name}.js${reload ? `?${Date.now()}` : ''}`;
    script.onload = done;
    script.onerror = () =>
      fetched(`${name}.js`).then(
        () => fail(Error(`lnsp: ${base} is refused by the page's Content-Security-Policy (script-src)`)),
        fail,
      );
    document.head.append(script);
    script.remove();
  });
  const { start, mount } = programs[name];
  await start({ module_or_path: await wasm });
  return mount;
});
const style = kept(async (name) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(await (await fetched(name)).text());
  return sheet;
});

// Workers: a worker of another origin is refused, and at a null origin everything is another. So
// the text of the program goes into a blob, a classic one, and its WebAssembly comes by message.
const workers = kept(async (name) => {
  const [glue, module] = await Promise.all([
    fetched(`${name}.js`).then((answer) => answer.text()),
    fetched(`${name}.wasm`).then(async (answer) => WebAssembly.compile(await answer.arrayBuffer())),
  ]);
  const text = `const real = self.fetch.bind(self), base = ${JSON.stringify(base)};
const PARTS = ${JSON.stringify(PARTS)}, VERSION = '${VERSION}';
let reload = false;
const part = ${part}, fetched = ${fetched};
self.fetch = (what, init) => /^\\.\\//.test(what) ? fetched(what.slice(2)) : real(what, init);
self.onmessage = ({ data }) => {
  self.onmessage = null;
  wasm_bindgen({ module_or_path: data }).catch((error) => setTimeout(() => { throw error; }));
};
${glue}`;
  return { module, address: URL.createObjectURL(new Blob([text], { type: 'text/javascript' })) };
});

/** A worker whose program is still on its way; the keeper of the workers waits until it speaks. */
class Coming {
  constructor(name) {
    workers(name).then(
      ({ module, address }) => {
        if (this.ended) return;
        this.worker = new Worker(address);
        this.worker.onmessage = (event) => this.onmessage?.(event);
        this.worker.onerror = (event) => this.onerror?.(event);
        this.worker.postMessage(module);
      },
      ({ message }) => this.onerror?.(new ErrorEvent('error', { message, cancelable: true })),
    );
  }
  postMessage(...words) {
    this.worker?.postMessage(...words);
  }
  terminate() {
    this.ended = true;
    this.worker?.terminate();
  }
}
globalThis.lnspWorker ??= (name, lane) => new Coming(lane === 'work' ? 'core' : name);

const ROOT = new CSSStyleSheet();
ROOT.replaceSync(':host{display:block!important}:host([hidden]){display:none!important}');
/** Elements at work. */
const live = new Set();
let farewell;

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) target.wake();
  },
  { rootMargin: '400px' },
);

class Lnsp extends HTMLElement {
  static observedAttributes = ATTRIBUTES;
  /** The author's own text, shown until there is more. */
  #words = document.createElement('slot');
  #place;
  #view;
  #coming;
  #asked = [];

  connectedCallback() {
    if (!this.shadowRoot) {
      this.attachShadow({ mode: 'open' }).adoptedStyleSheets = [ROOT];
      this.shadowRoot.append(this.#words);
    }
    if (!this.#view) near.observe(this);
  }

  disconnectedCallback() {
    near.unobserve(this);
    // Not if it was only moved.
    queueMicrotask(() => this.isConnected || this.dispose());
  }

  attributeChangedCallback(name, before, now) {
    if (before !== now) this.#view?.set(name, this.#read(name));
  }

  /** Fetches what the element needs, and shows it; called when it comes near the viewport. */
  wake() {
    near.unobserve(this);
    if (!this.#view) this.#coming ??= this.#load().finally(() => (this.#coming = null));
    return this.#coming;
  }

  /** Computes anew, in view or not; promises the result. */
  run() {
    return new Promise((done, fail) => {
      this.#asked.push({ done, fail });
      if (this.#view && !this.#coming) this.#view.run();
      else this.wake();
    });
  }

  /** Ends the view and frees what it held; `run()` makes another. */
  dispose() {
    near.unobserve(this);
    this.#view?.dispose();
    this.#view = null;
    this.#place?.replaceWith(this.#words);
    this.#place = null;
    this.#settle('fail', Error('lnsp: the element was disposed'));
    if (live.delete(this) && !live.size) {
      farewell = setTimeout(() => LANES.forEach((lane) => globalThis.lnspWorkers?.close(lane)), LINGER);
    }
  }

  async #load() {
    const [name] = this.localName.split('-').slice(1);
    this.#place?.remove();
    const place = (this.#place = document.createElement('div'));
    place.className = 'lnsp';
    place.lang = 'en';
    place.part = 'body';
    place.textContent = 'Loading…';
    place.setAttribute('role', 'status');
    this.#words.remove();
    this.shadowRoot.append(place);
    try {
      const [sheet, mount] = await Promise.all([style('style.css'), program(name)]);
      if (this.#place !== place) return;
      this.shadowRoot.adoptedStyleSheets = [ROOT, sheet];
      place.textContent = '';
      place.removeAttribute('role');
      const said = Object.fromEntries(
        ATTRIBUTES.map((name) => [name, this.#read(name)]).filter(([, value]) => value),
      );
      live.add(this);
      clearTimeout(farewell);
      this.#view = mount(place, said, (kind, detail) => this.#tell(kind, detail));
      this.#tell('ready', { version: VERSION });
    } catch (error) {
      if (this.#place !== place) return;
      const again = document.createElement('button');
      again.textContent = 'Try again';
      again.onclick = () => this.wake();
      place.setAttribute('role', 'alert');
      place.replaceChildren(error.message, document.createElement('br'), again);
      this.#tell('error', error.message);
    }
  }

  /** An attribute as the view reads it. */
  #read(name) {
    const value = this.getAttribute(name)?.trim() ?? '';
    // An address counts from the page, not from the worker.
    if (name === 'student' && value.includes('/')) return new URL(value, document.baseURI).href;
    if (name !== 'sentences') return value;
    try {
      return JSON.parse(value).join('\n');
    } catch {}
    if (value) return value;
    const items = [...this.querySelectorAll('li,p')];
    return (items.length ? items : [this]).map((item) => item.textContent).join('\n').trim();
  }

  #settle(how, what) {
    for (const asked of this.#asked.splice(0)) asked[how](what);
  }

  #tell(kind, detail) {
    if (kind === 'result') this.#settle('done', detail);
    if (kind === 'error') {
      detail = { message: detail };
      this.#settle('fail', Error(detail.message));
    }
    this.dispatchEvent(new CustomEvent(`lnsp-${kind}`, { detail, bubbles: true, composed: true }));
  }
}
for (const name of ATTRIBUTES) {
  if (name in HTMLElement.prototype) continue;
  Object.defineProperty(Lnsp.prototype, name, {
    get() {
      return this.getAttribute(name) ?? '';
    },
    set(value) {
      this.setAttribute(name, Array.isArray(value) ? JSON.stringify(value) : value);
    },
  });
}

for (const name of ['lnsp-compare', 'lnsp-sizes', 'lnsp-claims']) {
  const other = customElements.get(name);
  if (!other) {
    customElements.define(name, class extends Lnsp {});
    customElements.get(name).version = VERSION;
  } else if (other.version !== VERSION) {
    console.error(
      `lnsp: versions do not match: this page loads lnsp.js ${other.version} and ${VERSION}; ` +
        `<${name}> stays with the first. Load one.`,
    );
  }
}
