// Where a Chromium or Chrome is on this machine. Run by itself it prints the path, or fails.

import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { argv, env, exit, platform } from 'node:process';
import { fileURLToPath } from 'node:url';

const MAC = ['Chromium', 'Google Chrome'].flatMap((name) =>
  ['/Applications', join(homedir(), 'Applications')].map(
    (folder) => `${folder}/${name}.app/Contents/MacOS/${name}`,
  ),
);
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The path of a browser: LNSP_CHROMIUM, the usual places, what Playwright fetched; or null. */
export async function findChromium() {
  const places = [env.LNSP_CHROMIUM];
  if (platform === 'darwin') places.push(...MAC);
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    places.push(...NAMES.map((name) => join(folder, name)));
  }
  const found = places.find((place) => place && existsSync(place));
  if (found) return found;
  try {
    const { chromium } = await import('playwright-core');
    const own = chromium.executablePath();
    return existsSync(own) ? own : null;
  } catch {
    return null;
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const found = await findChromium();
  if (!found) exit(1);
  console.log(found);
}
