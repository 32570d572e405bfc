// `npm run client:build`: compiles clients/typescript into its folder `dist`, from nothing. `npm pack` runs it too.

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';

const ROOT = dirname(import.meta.dirname);
const CLIENT = `${ROOT}/clients/typescript`;

rmSync(`${CLIENT}/dist`, { recursive: true, force: true });
const args = [`${ROOT}/node_modules/typescript/bin/tsc`, '--project', CLIENT];
process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
