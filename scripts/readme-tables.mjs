// `npm run readme:tables`: makes the tables of README.md anew from the code. Node strips the types.

import { readFileSync, writeFileSync } from 'node:fs';
import { errorCodes } from '../src/common/errors/error-codes.ts';
import { variables } from '../src/config/variables.ts';
import { withTables } from '../test/support/readme-tables.ts';

const path = new URL('../README.md', import.meta.url);
const before = readFileSync(path, 'utf8');
const after = withTables(before, { variables, errorCodes });
if (after !== before) writeFileSync(path, after);
process.stdout.write(after === before ? 'README.md is up to date\n' : 'README.md was brought up to date\n');
