// axe-core in the page: what a screen reader or a weak eye would stumble over.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Violations of WCAG A and AA and of good practice, a line each. */
export async function violations(page) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) {
    // Not as a script of the page: its policy may allow none.
    await page.evaluate(AXE);
  }
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${id}: ${help}: ${node.target.join(' ')}: ${node.failureSummary}`),
    );
  });
}
