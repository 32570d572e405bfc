// Runs `nest build` if the sources have changed. docs/decisions/0059-build-script.md gives the reasons for each step.

import { spawnSync } from 'node:child_process';
import { hash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, relative } from 'node:path';
import { describeBuild } from './describe-build.mjs';
import { holdShared, lockExclusively } from './file-lock.mjs';

const ROOT = dirname(import.meta.dirname);
const DIST = `${ROOT}/dist`;
const TEMPORARY = `${DIST}.${randomUUID()}.tmp`;
const COMPILER = `${ROOT}/node_modules/@nestjs/cli/bin/nest.js`;
const SOURCES = ['{src,migrations}/**/*.*', 'package*.json', 'nest-cli.json', '{,.}tsconfig*.json'];

async function ensureBuilt() {
  const readOnly = await fs.promises.access(ROOT, fs.constants.W_OK).catch(() => true);
  const canBuild = !readOnly && fs.existsSync(COMPILER);
  if (!canBuild && fs.existsSync(DIST)) return `${DIST}/src/main.js`;
  if (!canBuild) throw new Error('there is no dist and no compiler: run `npm ci` and `npm run build`');
  using _ = lockExclusively(`${DIST}.lock`, 600_000); // Twice what the compiler may take.
  const build = `${DIST}.${hashOf(ROOT, SOURCES).slice(0, 16)}`; // Services run from it, so it never changes.
  holdShared(`${build}.lock`);
  const removals = fs.globSync('dist.*', { cwd: ROOT, exclude: ['*.lock'] }).map(async (name) => {
    lockExclusively(`${ROOT}/${name}.lock`).close(); // Throws if a service runs from it. None starts meanwhile.
    for (const path of [name, `${name}.lock`]) fs.rmSync(`${ROOT}/${path}`, { recursive: true });
  });
  await Promise.allSettled(removals);
  if (!fs.existsSync(build)) compileInto(build);
  if (hashOf(build) !== hashOf(DIST)) {
    fs.cpSync(build, TEMPORARY, { recursive: true });
    fs.rmSync(DIST, { recursive: true, force: true });
    fs.renameSync(TEMPORARY, DIST);
  }
  return `${build}/src/main.js`;
}

function hashOf(dir, patterns = ['**/*.*']) {
  const names = fs.globSync(patterns, { cwd: dir, exclude: ['**/*.spec.ts'] }).toSorted();
  return hash('sha256', names.map((name) => name + hash('sha256', fs.readFileSync(`${dir}/${name}`))).join());
}

function compileInto(build) {
  process.stderr.write('build: compiling the sources\n');
  fs.mkdirSync(TEMPORARY);
  const config = `${TEMPORARY}/tsconfig.json`;
  fs.writeFileSync(config, '{ "extends": "../.tsconfig.build.json", "compilerOptions": { "outDir": "." } }');
  const args = [COMPILER, 'build', '--path', relative(ROOT, config)];
  const options = { cwd: ROOT, stdio: ['ignore', 2, 2], timeout: 300_000 };
  if (spawnSync(process.execPath, args, options).status !== 0) throw new Error('the sources do not compile');
  fs.rmSync(config);
  fs.writeFileSync(`${TEMPORARY}/build.json`, JSON.stringify(describeBuild(ROOT)));
  fs.renameSync(TEMPORARY, build);
}

/** The module to run. Without a compiler or a writable folder, that of `dist` as it is. Undefined after an error. */
export const entry = await ensureBuilt().catch((error) => {
  process.stderr.write(`build: ${error.message}\n`);
  process.exitCode = 1;
});
