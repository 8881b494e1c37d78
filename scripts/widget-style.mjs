// The page's style sheet as the widget needs it: inside a shadow root, its lengths from a size of its
// own and not from the root of a page that it knows nothing of, its colours and type open to the
// author.

/** Names that an author sets, each as --lnsp-NAME. */
const OPEN = /^--(paper|panel|ink|soft|line|accent|on-accent|off|ok|serif|sans)$/;

/** Rules for parts of the page that the widget has not. */
const GONE = [
  'html {', 'body {', 'header,\nmain,\nfooter {', 'header {', 'nav {', 'nav a {', 'nav a:hover {',
  'nav a[aria-current] {', 'main:focus {', '.skip {', '.skip:focus {', '.theme {', '.device {',
  '.device label {', '.device select {', 'footer {', '.curves {', '.curve svg {', '.curve text {',
  '.curve path {', '.curve .axis {', '.curve .level {', '.curve circle {', '#training-progress {',
];

/** Declarations of a block. */
function declarations(block) {
  return Object.fromEntries(
    [...block.matchAll(/([\w-]+):\s*([^;]+);/g)].map(([, name, value]) => [name, value.trim()]),
  );
}

/** `style`, the page's, made fit, and `own` after it. */
export function scoped(style, own) {
  // Takes the block out that begins so, selector and all.
  const take = (start) => {
    const at = [...style.matchAll(/^\S/gm)].map(({ index }) => index).find(
      (at) => style.startsWith(start, at) && /(^|[}/])\s*$/.test(style.slice(Math.max(0, at - 9), at)),
    );
    if (at === undefined) return '';
    const end = style.indexOf('\n}', at) + 2;
    const block = style.slice(at, end);
    style = style.slice(0, at) + style.slice(end);
    return block;
  };
  const light = declarations(take(':root {'));
  take('@media (prefers-color-scheme: dark)');
  const dark = declarations(take(':root[data-theme="dark"] {'));
  if (!light['--paper'] || !dark['--paper']) throw new Error('www/style.css: where are the colours?');
  const variables = Object.entries(light)
    .filter(([name]) => OPEN.test(name))
    .map(([name, value]) => {
      const both = dark[name] ? `light-dark(${value}, ${dark[name]})` : value;
      return `  ${name}: var(--lnsp-${name.slice(2)}, ${both});`;
    });
  // What only the page has: left out where it is there.
  for (const gone of GONE) take(gone);
  const text = `.lnsp {\n${variables.join('\n')}\n}\n${style}\n${own}`;
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    // A media query knows the window only; the widget has a width of its own.
    .replace(/@media \(max-width: ([\d.]+)rem\)/g, (_, rem) => `@container (max-width: ${16 * rem}px)`)
    .replace(/([\d.]+)rem\b/g, 'calc(var(--size)*$1)')
    .replace(/\n\s*/g, ' ')
    .replace(/\s*([{};,])\s*/g, '$1');
}
