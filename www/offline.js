// Keeps what this page has used, so that it works without a network from then on. Comes first from
// the network, so that nobody is left with an old page. As a service worker it answers requests; as
// a script of the page it starts that, and says what was loaded before.

const CACHE = "lnsp-page-1";
// The teacher has a cache of its own, which the visitor can clear.
const OURS = (url) => url.startsWith(self.registration.scope) && !url.includes("/teacher/");
// The views that are programs of their own are kept, too, once the visitor has the page compute.
const COMPUTES = /\/worker_bg\.wasm$/;
const VIEWS = ["sizes", "try", "train", "claims"].flatMap((view) => [
  `./view-${view}.js`,
  `./view-${view}_bg.wasm`,
]);

if ("document" in self) {
  // Not in a secure context, or switched off: the page works all the same while there is a network.
  const workers = navigator.serviceWorker;
  const loaded = () => [
    location.href.split("#")[0],
    ...performance.getEntriesByType("resource").map((entry) => entry.name),
    // A browser does not count the icon among them.
    ...[...document.querySelectorAll('link[rel="icon"]')].map((link) => link.href),
  ];
  addEventListener("load", () =>
    workers
      ?.register("./offline.js")
      .then(() => workers.ready)
      .then((registration) => registration.active.postMessage(loaded()))
      .catch(() => {}),
  );
} else {
  self.addEventListener("install", () => self.skipWaiting());
  self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

  // Asks the server anew: a view must fit the page that it is kept with.
  const keepViews = async () => {
    const cache = await caches.open(CACHE);
    await Promise.all(
      VIEWS.map(async (view) => {
        const response = await fetch(view, { cache: "no-cache" });
        if (response.ok) await cache.put(new URL(view, self.registration.scope).href, response);
      }),
    );
  };

  // What the page loaded before it had this worker. Files with a hash in their name that it did not
  // load are of an older page.
  self.addEventListener("message", (event) => {
    const keep = new Set(event.data.filter(OURS));
    const tidy = async () => {
      const cache = await caches.open(CACHE);
      for (const { url } of await cache.keys()) {
        if (/-[0-9a-f]{16}[._]/.test(url) && !keep.has(url)) await cache.delete(url);
      }
      for (const url of keep) {
        if (await cache.match(url)) continue;
        const response = await fetch(url, { cache: "force-cache" });
        if (response.ok) await cache.put(url, response);
        if (COMPUTES.test(url)) await keepViews();
      }
    };
    event.waitUntil(tidy().catch(() => {}));
  });

  self.addEventListener("fetch", (event) => {
    const { request } = event;
    if (request.method !== "GET" || !OURS(request.url)) return;
    const answer = async () => {
      const cache = await caches.open(CACHE);
      try {
        const response = await fetch(request);
        // A copy that cannot be kept is no reason to answer nothing.
        if (response.ok) event.waitUntil(cache.put(request, response.clone()).catch(() => {}));
        if (COMPUTES.test(request.url)) event.waitUntil(keepViews().catch(() => {}));
        return response;
      } catch (offline) {
        const kept = await cache.match(request, { ignoreSearch: true });
        if (kept) return kept;
        throw offline;
      }
    };
    event.respondWith(answer());
  });
}
