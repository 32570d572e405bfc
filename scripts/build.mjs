// Compiles the sources if they have changed, for `npm run build` and `npm start`. Each build has its own folder,
// dist.<hash of the sources>, which never changes, so a running service gets no modules of a later build. `dist` is a
// copy of the newest one. All is written to a dist.*.tmp and renamed under a lock: no killed build looks complete.

import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { dirname, relative } from 'node:path';
import { describeBuild } from './describe-build.mjs';
import { lockExclusively, lockShared } from './file-lock.mjs';

const ROOT = dirname(import.meta.dirname);
const COMPILER = `${ROOT}/node_modules/@nestjs/cli/bin/nest.js`;
const DIST = `${ROOT}/dist`;
const ENTRY = 'src/main.js';
const SOURCES = ['{src,migrations}/**/*', 'package*.json', 'nest-cli.json', '{,.}tsconfig*.json'];
const SAY_WAITING_MS = 1_500;
const LOCK_TIMEOUT_MS = 600_000;
const COMPILE_TIMEOUT_MS = 300_000;

/** Locks on the build that this process runs from. The garbage collector would release them. */
const heldUntilExit = [];

/** Returns the module to run, built if necessary. Without a compiler or a writable folder, takes `dist` as it is. */
export async function ensureBuilt() {
  if (!canBuild()) return existingEntry();
  using _ = lockBuilds();
  const build = `${DIST}.${hashOf(ROOT, SOURCES)}`;
  heldUntilExit.push(lockShared(`${build}.lock`));
  removeUnused();
  if (!fs.existsSync(build)) await compileInto(build);
  if (hashOf(build) !== hashOf(DIST)) replaceDist(build);
  return `${build}/${ENTRY}`;
}

function canBuild() {
  try {
    fs.accessSync(ROOT, fs.constants.W_OK);
    return fs.existsSync(COMPILER);
  } catch {
    return false;
  }
}

function existingEntry() {
  if (fs.existsSync(`${DIST}/${ENTRY}`)) return `${DIST}/${ENTRY}`;
  throw new Error('there is no dist and no compiler: run `npm ci` and `npm run build`');
}

function lockBuilds() {
  try {
    return lockExclusively(`${DIST}.lock`, SAY_WAITING_MS);
  } catch {
    say('waiting for another build');
    return lockExclusively(`${DIST}.lock`, LOCK_TIMEOUT_MS);
  }
}

/** Hashes names and contents, so a mere `touch` is no change. */
function hashOf(folder, patterns = ['**/*']) {
  const hash = createHash('sha256');
  for (const name of fs.globSync(patterns, { cwd: folder, exclude: ['**/*.spec.ts'] }).toSorted()) {
    const path = `${folder}/${name}`;
    if (fs.statSync(path).isFile()) hash.update(`${name}\0`).update(fs.readFileSync(path)).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

/** Removes builds that no process runs from, and the rest of failed and killed builds. */
function removeUnused() {
  for (const name of fs.globSync('dist.*', { cwd: ROOT, exclude: ['*.lock'] })) {
    const folder = `${ROOT}/${name}`;
    try {
      using _ = lockExclusively(`${folder}.lock`);
      fs.rmSync(folder, { recursive: true });
      fs.rmSync(`${folder}.lock`);
    } catch {
      // A service runs from it, or an orphaned compiler writes to it. A later build tries again.
    }
  }
}

async function compileInto(build) {
  say('compiling the sources');
  const output = temporaryFolder();
  fs.mkdirSync(output);
  const config = `${output}/tsconfig.json`;
  fs.writeFileSync(config, '{ "extends": "../.tsconfig.build.json", "compilerOptions": { "outDir": "." } }');
  // In a process of its own, because the compiler's memory would stay with the service.
  const options = { cwd: ROOT, stdio: ['ignore', 2, 2], timeout: COMPILE_TIMEOUT_MS };
  const compiler = spawn(process.execPath, [COMPILER, 'build', '--path', relative(ROOT, config)], options);
  const [code] = await once(compiler, 'exit');
  if (code !== 0) throw new Error('the sources do not compile');
  fs.rmSync(config);
  fs.writeFileSync(`${output}/build.json`, JSON.stringify(describeBuild(ROOT)));
  fs.renameSync(output, build);
}

function replaceDist(build) {
  const [next, previous] = [temporaryFolder(), temporaryFolder()];
  fs.cpSync(build, next, { recursive: true });
  if (fs.existsSync(DIST)) fs.renameSync(DIST, previous);
  fs.renameSync(next, DIST);
  fs.rmSync(previous, { recursive: true, force: true });
}

function temporaryFolder() {
  return `${DIST}.${randomUUID()}.tmp`;
}

function say(message) {
  process.stderr.write(`build: ${message}\n`);
}

/** Prints one line without a stack. */
export function report(error) {
  say(error.message);
  process.exitCode = 1;
}

if (import.meta.main) await ensureBuilt().catch(report);
