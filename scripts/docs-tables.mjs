// `npm run docs:tables`: regenerates the tables under docs/reference, and the variables in the schema of the Helm
// chart, from the sources, which are compiled in memory.

import { readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformFileSync } from '@swc/core';

const isSource = (url) => url?.endsWith('.ts') && !url.includes('/node_modules/');

registerHooks({
  // The sources import each other under their names after the build.
  resolve: (specifier, context, next) =>
    next(isSource(context.parentURL) ? specifier.replace(/^(\..*)\.js$/, '$1.ts') : specifier, context),
  load(url, context, next) {
    if (!isSource(url)) return next(url, context);
    const { code } = transformFileSync(fileURLToPath(url), { swcrc: true, sourceMaps: 'inline' });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
await import('reflect-metadata');
const { pageOf, tableNames, withTable } = await import('../test/support/reference-tables.ts');
const { CHART_SCHEMA, withVariables } = await import('../test/support/deploy/chart-variables.ts');
const { readReferenceSources } = await import('../test/support/reference-sources.ts');

const sources = await readReferenceSources();
for (const name of tableNames) update(pageOf(name), name, (page) => withTable(page, name, sources));
update(CHART_SCHEMA, 'variables', (schema) => withVariables(schema, sources.variables));

function update(file, what, change) {
  const path = new URL(`../${file}`, import.meta.url);
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  if (after !== before) writeFileSync(path, after);
  process.stdout.write(`${file}: ${what} ${after === before ? 'is up to date' : 'was updated'}\n`);
}
