// `npm run readme:tables`: makes the tables of README.md anew from the code. Node strips the types.

import { readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

// The sources name each other as they are after the build.
registerHooks({
  resolve: (specifier, context, next) =>
    next(
      context.parentURL?.endsWith('.ts') ? specifier.replace(/^(\..*)\.js$/, '$1.ts') : specifier,
      context,
    ),
});
const { errorCodes } = await import('../src/common/errors/error-codes.ts');
const { variables } = await import('../src/config/variables.ts');
const { withTables } = await import('../test/support/readme-tables.ts');

const path = new URL('../README.md', import.meta.url);
const before = readFileSync(path, 'utf8');
const after = withTables(before, { variables, errorCodes });
if (after !== before) writeFileSync(path, after);
process.stdout.write(after === before ? 'README.md is up to date\n' : 'README.md was brought up to date\n');
