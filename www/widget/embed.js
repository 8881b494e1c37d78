// The page of an iframe: one element of the widget, as the address says:
// embed.html?view=compare&width=512&theme=dark. Its height goes to the page around it as the message
// { lnsp: 'height', height }; from there, and from nowhere else, comes { lnsp: 'run' }.
//
// A classic script, so that it can say what is wrong where modules are refused.

(() => {
  const KNOWN = '@ATTRIBUTES@'.split(' ');
  const VIEWS = ['compare', 'sizes', 'claims'];
  const query = new URLSearchParams(location.search);
  const view = VIEWS.includes(query.get('view')) ? query.get('view') : VIEWS[0];
  const place = document.getElementById('place');
  const element = document.createElement(`lnsp-${view}`);
  for (const name of KNOWN) if (query.has(name)) element.setAttribute(name, query.get(name));
  // As the page around it, or the browser paints a background.
  if (/^(dark|light)$/.test(query.get('theme'))) {
    document.documentElement.style.colorScheme = query.get('theme');
  }
  place.replaceChildren(element);

  const tell = (message) => {
    // What is told is a number: any page around this one may hear it.
    if (parent !== window) parent.postMessage(message, '*');
  };
  let last = 0;
  new ResizeObserver(() => {
    const height = Math.ceil(place.getBoundingClientRect().height);
    if (height !== last) tell({ lnsp: 'height', height: (last = height) });
  }).observe(place);
  addEventListener('message', (event) => {
    if (event.source === parent && event.data?.lnsp === 'run') element.run().catch(() => {});
  });

  const script = document.createElement('script');
  script.type = 'module';
  script.src = 'lnsp.js';
  script.crossOrigin = 'anonymous';
  script.integrity = '@LOADER@';
  script.onerror = () => {
    place.textContent =
      'lnsp: lnsp.js cannot be loaded. In a sandboxed frame a browser fetches scripts only from a ' +
      'server that sends “Access-Control-Allow-Origin: *”.';
  };
  document.head.append(script);
})();
