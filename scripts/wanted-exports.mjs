// Prints, for wasm-metadce, the exports of a WebAssembly file that the page may call.
//
//   node scripts/wanted-exports.mjs FILE.wasm
//
// wasm-streams, which leptos brings along for server functions, exports the two ends of streams;
// nothing here makes one, but what is exported is kept, with everything behind it.

import { readFileSync } from 'node:fs';
import { argv } from 'node:process';

const module = new WebAssembly.Module(readFileSync(argv[2]));
const names = WebAssembly.Module.exports(module).map(({ name }) => name);
const wanted = names.filter((name) => !name.includes('intounderlying'));
const graph = [
  { name: 'page', root: true, reaches: wanted },
  ...wanted.map((name) => ({ name, export: name })),
];
console.log(JSON.stringify(graph));
